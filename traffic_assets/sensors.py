"""The training sensor: it compares stored states, so that no event is lost and nothing runs twice.

For each completed week, every tick compares the newest materialization of its days with those that the last training
of the week included. The cursor does not skip feature events. Otherwise an event that came before its week was complete
would never start a training, because no later event would follow it. The splits record which features a
training included (`assets/training.py`). The cursor only avoids reading up-to-date splits again.

A run of this sensor that died, was stopped, or gave way to another training is lost: neither the run nor its splits
count, and the week is started again (`lost_trainings.py`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import dagster as dg

from traffic_assets.assets.day_settings import rebuild_commands
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, newest_id
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import is_local
from traffic_assets.differences import list_differences
from traffic_assets.history import (
    UNDER_WAY,
    fetch_by_id,
    is_stored_below,
    is_under_way,
    latest_ids,
    read_number,
    read_share,
    read_sync,
)
from traffic_assets.lost_trainings import MAX_RETRIES_TAG, STORAGE_ID_TAG, Attempt, list_lost_runs, next_attempt
from traffic_assets.messages import history as history_messages
from traffic_assets.messages import location as messages
from traffic_assets.naming import add_key_prefix, add_name_prefix, add_tag_prefix
from traffic_assets.partitions import (
    PARTITION,
    build_weekly_partitions,
    get_week,
    training_window,
)
from traffic_assets.readings.completeness import COMPLETENESS, as_percent, is_complete, limit_as_percent
from traffic_assets.settings import Settings

SENSOR = "train_on_new_features"
SECONDS_BETWEEN_TICKS = 15
FEATURES = dg.AssetKey(FEATURE_TABLE)
TRAIN_SPLIT = dg.AssetKey(SPLIT_ASSETS["train"])
ROW_COUNT = "dagster/row_count"
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class CheckedWeeks(NamedTuple):
    """Completed weeks with new data.

    Attributes:
        stale: Newest storage id of the days of each week to train.
        uncounted: Completeness, or "empty", of each day that does not count, in the weeks that lack days because of it.
    """

    stale: dict[str, int]
    uncounted: dict[str, str]


class _Names(NamedTuple):
    """Names of a deployment as Dagster knows them.

    Attributes:
        features: Key of the feature table.
        train_split: Key of the train split.
        train_job: Job that trains.
        storage_id_tag: Tag of this sensor's runs with the newest storage id of their features.
    """

    features: dg.AssetKey
    train_split: dg.AssetKey
    train_job: str
    storage_id_tag: str


def _find_names(settings: Settings, train_job: str) -> _Names:
    deployment = settings.deployment
    return _Names(
        add_key_prefix(FEATURES, deployment),
        add_key_prefix(TRAIN_SPLIT, deployment),
        train_job,
        add_tag_prefix(STORAGE_ID_TAG, deployment),
    )


def build(settings: Settings, train_job: str, hdfs: HdfsResource | None = None) -> dg.SensorDefinition:
    """Return the sensor that starts the `train` job.

    Args:
        settings: Settings of the deployment.
        train_job: Name of the job to start.
        hdfs: Storage of the deployment; without it the sensor does not compare storage with Dagster's history.
    """
    names = _find_names(settings, train_job)

    @dg.sensor(
        name=add_name_prefix(SENSOR, settings.deployment),
        job_name=train_job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the `train` job for a week when enough of its days have features, and again when late data "
        "changes them.",
    )
    def train_on_new_features(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        last_sync = read_sync(context.instance, settings.deployment)
        splits_id = newest_id(context.instance, names.train_split)
        # read before the splits: a training that ends in between has stored its splits by then
        under_way = _weeks_under_way(context.instance, names)
        root = hdfs.dataset(FEATURE_TABLE).root if hdfs else None
        weeks = check_weeks(context.instance, settings, train_job, int(context.cursor or 0), root)
        if is_under_way(last_sync) or read_sync(context.instance, settings.deployment) != last_sync:
            return dg.SkipReason(str(history_messages.SYNC_UNDER_WAY()))  # it reports features before their splits
        attempts = {
            # a later tick checks a week under way again, when the splits of its run are stored
            week: next_attempt(context.instance, settings, week, storage_id)
            for week, storage_id in weeks.stale.items()
            if week not in under_way
        }
        requests = [
            _request(week, weeks.stale[week], attempt, settings.deployment)
            for week, attempt in attempts.items()
            if attempt.number
        ]
        differences = list_differences(context.instance, settings, hdfs, is_local(hdfs.base_uri)) if hdfs else []
        if requests and differences:
            context.log.warning(history_messages.DIFFERENT(differences=differences))
        given_up = {week for week, attempt in attempts.items() if attempt.is_last}
        return dg.SensorResult(
            run_requests=requests,
            cursor=context.cursor if weeks.stale.keys() - given_up else str(splits_id),
            skip_reason=None if requests else str(_explain_skip(weeks, list(attempts.values()), differences, settings)),
        )

    return train_on_new_features


def _explain_skip(
    weeks: CheckedWeeks, attempts: Sequence[Attempt], differences: Sequence[CodedText], settings: Settings
) -> CodedText:
    """Return why no week is trained now."""
    reasons = [attempt.reason for attempt in attempts if attempt.reason]
    if differences:
        reasons.append(history_messages.DIFFERENT(differences=list(differences)))
    if weeks.uncounted:
        minimum = limit_as_percent(settings.data.minimum_completeness)
        days, commands = dict(sorted(weeks.uncounted.items())), rebuild_commands(weeks.uncounted, settings)
        reasons.append(messages.INCOMPLETE_DAYS(days=days, minimum=minimum, commands=commands))
    if len(reasons) > 1:
        return messages.SEVERAL_REASONS(reasons=reasons)
    return reasons[0] if reasons else messages.NOTHING_TO_TRAIN()


def _request(week: str, storage_id: int, attempt: Attempt, deployment: str) -> dg.RunRequest:
    """Return the request of a training; each attempt has a run key of its own, because Dagster runs a key once."""
    key = add_name_prefix(f"{week}@{storage_id}", deployment)
    return dg.RunRequest(
        run_key=key if attempt.number == 1 else f"{key}#{attempt.number}",
        partition_key=week,
        # this sensor starts a lost run again; otherwise Dagster would retry it too
        tags={add_tag_prefix(STORAGE_ID_TAG, deployment): str(storage_id), MAX_RETRIES_TAG: "0"},
    )


def stale_weeks(
    instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0, root: str | None = None
) -> dict[str, int]:
    """Return the weeks whose training is out of date, with the newest storage id of their days.

    The arguments are those of `check_weeks`.
    """
    return check_weeks(instance, settings, train_job, checked, root).stale


def check_weeks(
    instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0, root: str | None = None
) -> CheckedWeeks:
    """Return the weeks whose training is out of date, and the days that keep others from being trained.

    Such a week is over, and enough days of its window are complete. At least one of them is newer than the days in the
    last training of the week.

    Args:
        instance: Dagster instance with the materializations and runs.
        settings: Settings of the deployment.
        train_job: Name of the job that trains.
        checked: Storage id up to which all splits are known to include every day that was stored before them.
        root: URI of the folder of the features. Days that are stored elsewhere do not count; None counts all.
    """
    names, required = _find_names(settings, train_job), settings.training.required_days
    newest = latest_ids(instance, names.features)
    windows = {
        week: ids
        for week in candidate_weeks(newest, settings)
        if len(ids := {day: newest[day] for day in training_window(week, settings) if day in newest}) >= required
    }
    lost = list_lost_runs(instance, windows, settings.deployment)
    included = _get_ids_in_splits(instance, names, windows, checked, lost)
    windows = _with_newer(windows, included)
    # on most ticks few weeks or none remain, so the following queries are cheap
    for week, storage_id in _list_ids_in_runs(instance, names, windows, lost):
        included[week] = max(included.get(week, 0), storage_id)
    windows = _with_newer(windows, included)
    ids_of_days = {storage_id for ids in windows.values() for storage_id in ids.values()}
    minimum = settings.data.minimum_completeness
    complete, incomplete = _select_complete(instance, names.features, ids_of_days, minimum, root)
    counted = {week: {day: i for day, i in ids.items() if i in complete} for week, ids in windows.items()}
    stale = {week: max(ids.values()) for week, ids in _with_newer(counted, included).items() if len(ids) >= required}
    short = [week for week, ids in counted.items() if len(ids) < required]
    uncounted = {day: incomplete[i] for week in short for day, i in windows[week].items() if i in incomplete}
    return CheckedWeeks(stale, uncounted)


def candidate_weeks(days: Iterable[str], settings: Settings) -> list[str]:
    """Return the completed weeks whose training window includes any of the days."""
    mondays = {get_week(day) for day in days}
    weeks = {_weeks_later(monday, offset) for monday in mondays for offset in range(settings.training.window_weeks)}
    return sorted(weeks.intersection(build_weekly_partitions(settings).get_partition_keys()))


def _with_newer(windows: Mapping[str, dict[str, int]], included: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the weeks with a day that is newer than those that their training included."""
    return {week: ids for week, ids in windows.items() if max(ids.values(), default=0) > included.get(week, 0)}


def _select_complete(
    instance: dg.DagsterInstance, features: dg.AssetKey, storage_ids: Collection[int], minimum: float, root: str | None
) -> tuple[set[int], dict[int, str]]:
    """Return the ids of the feature materializations that count, and the completeness of those that do not.

    An empty or incomplete day counts as missing, and so does one that is stored elsewhere.
    """
    complete, incomplete = set[int](), dict[int, str]()
    for record in fetch_by_id(instance, features, storage_ids):
        if root is not None and not is_stored_below(record, root):
            continue
        share = read_share(record, COMPLETENESS)
        if read_number(record, ROW_COUNT) == 0:
            incomplete[record.storage_id] = "empty"
        elif is_complete(share, minimum):
            complete.add(record.storage_id)
        elif share is not None:
            incomplete[record.storage_id] = as_percent(share)
    return complete, incomplete


def _get_ids_in_splits(
    instance: dg.DagsterInstance, names: _Names, weeks: Collection[str], checked: int, lost: Mapping[str, str]
) -> dict[str, int]:
    """Return the newest storage id of the features that the splits of each week include.

    Splits of a lost run include nothing: the run did not train on them. The cursor may have passed them while it ran.
    """
    latest = {week: i for week, i in latest_ids(instance, names.train_split).items() if week in weeks}
    weeks_of_lost = set(lost.values())
    unchecked = [i for week, i in latest.items() if i > checked or week in weeks_of_lost]
    records = {record.storage_id: record for record in fetch_by_id(instance, names.train_split, unchecked)}
    latest = {week: i for week, i in latest.items() if i not in records or records[i].run_id not in lost}
    recorded = {storage_id: read_number(record, FEATURES_ID) for storage_id, record in records.items()}
    # splits of an earlier version record nothing; they count as including everything that was stored before them
    return {
        week: storage_id if (newest := recorded.get(storage_id)) is None else newest
        for week, storage_id in latest.items()
    }


def _list_ids_in_runs(
    instance: dg.DagsterInstance, names: _Names, weeks: Collection[str], lost: Collection[str]
) -> Iterator[tuple[str, int]]:
    """Yield each finished training of the weeks, with the newest storage id of the features that it was started for."""
    if not weeks:
        return
    tags = {PARTITION: sorted(weeks)}
    for record in instance.get_run_records(dg.RunsFilter(tags=tags, statuses=ENDED)):
        if record.dagster_run.run_id not in lost and _trains(record.dagster_run, names):
            yield record.dagster_run.tags[PARTITION], _get_id_in_run(instance, record, names)


def _weeks_under_way(instance: dg.DagsterInstance, names: _Names) -> set[str]:
    """Return the weeks with a training that is queued or running."""
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags and _trains(run, names)}


def _trains(run: dg.DagsterRun, names: _Names) -> bool:
    """Return True if a run splits the week again: the full job, or a selection that includes the splits."""
    return names.train_split in run.asset_selection if run.asset_selection else run.job_name == names.train_job


def _get_id_in_run(instance: dg.DagsterInstance, record: dg.RunRecord, names: _Names) -> int:
    """Return the storage id of the features that a run was started for; 0 if that is unknown.

    A run that this sensor started counts unless it is lost; otherwise the sensor would restart a run that always fails.
    A manual run counts if it succeeded, with everything that was stored at its start. If it failed or was cancelled,
    only its splits record its inputs.
    """
    run = record.dagster_run
    if names.storage_id_tag in run.tags:
        return int(run.tags[names.storage_id_tag])
    if run.status != dg.DagsterRunStatus.SUCCESS:
        return 0
    before = record.create_timestamp.timestamp()
    earlier = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=names.features, before_timestamp=before), limit=1
    ).records
    return earlier[0].storage_id if earlier else 0


def _weeks_later(week: str, weeks: int) -> str:
    return (date.fromisoformat(week) + timedelta(weeks=weeks)).isoformat()
