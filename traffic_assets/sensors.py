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

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.materializations import fetch_materializations, latest_ids
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, newest_id
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.lost_trainings import MAX_RETRIES_TAG, STORAGE_ID_TAG, Attempt, list_lost_runs, next_attempt
from traffic_assets.messages import location as messages
from traffic_assets.partitions import PARTITION, build_weekly_partitions, get_week, training_window
from traffic_assets.readings.completeness import COMPLETENESS, as_percent, is_complete, limit_as_percent
from traffic_assets.settings import Settings

SENSOR = "train_on_new_features"
SECONDS_BETWEEN_TICKS = 15
FEATURES = dg.AssetKey(FEATURE_TABLE)
TRAIN_SPLIT = dg.AssetKey(SPLIT_ASSETS["train"])
ROW_COUNT = "dagster/row_count"
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class CheckedWeeks(NamedTuple):
    """Completed weeks with new data.

    Attributes:
        stale: Newest storage id of the days of each week to train.
        uncounted: Completeness, or "empty", of each day that does not count, in the weeks that lack days because of it.
    """

    stale: dict[str, int]
    uncounted: dict[str, str]


def build(settings: Settings, train_job: str) -> dg.SensorDefinition:
    """Return the sensor that starts the `train` job.

    Args:
        settings: Settings of the deployment.
        train_job: Name of the job to start.
    """

    @dg.sensor(
        name=SENSOR,
        job_name=train_job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the `train` job for a week when enough of its days have features, and again when late data "
        "changes them.",
    )
    def train_on_new_features(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        splits_id = newest_id(context.instance, TRAIN_SPLIT)
        # read before the splits: a training that ends in between has stored its splits by then
        under_way = _weeks_under_way(context.instance, train_job)
        weeks = check_weeks(context.instance, settings, train_job, int(context.cursor or 0))
        attempts = {
            # a later tick checks a week under way again, when the splits of its run are stored
            week: next_attempt(context.instance, settings, week, storage_id)
            for week, storage_id in weeks.stale.items()
            if week not in under_way
        }
        requests = [_request(week, weeks.stale[week], attempt) for week, attempt in attempts.items() if attempt.number]
        given_up = {week for week, attempt in attempts.items() if attempt.is_last}
        return dg.SensorResult(
            run_requests=requests,
            cursor=context.cursor if weeks.stale.keys() - given_up else str(splits_id),
            skip_reason=None if requests else str(_explain_skip(weeks, list(attempts.values()), settings)),
        )

    return train_on_new_features


def _explain_skip(weeks: CheckedWeeks, attempts: Sequence[Attempt], settings: Settings) -> CodedText:
    """Return why no week is trained now."""
    reasons = [attempt.reason for attempt in attempts if attempt.reason]
    if weeks.uncounted:
        minimum = limit_as_percent(settings.data.minimum_completeness)
        reasons.append(messages.INCOMPLETE_DAYS(days=dict(sorted(weeks.uncounted.items())), minimum=minimum))
    if len(reasons) > 1:
        return messages.SEVERAL_WEEKS_WAIT(reasons=reasons)
    return reasons[0] if reasons else messages.NOTHING_TO_TRAIN()


def _request(week: str, storage_id: int, attempt: Attempt) -> dg.RunRequest:
    """Return the request of a training; each attempt has a run key of its own, because Dagster runs a key once."""
    key = f"{week}@{storage_id}"
    return dg.RunRequest(
        run_key=key if attempt.number == 1 else f"{key}#{attempt.number}",
        partition_key=week,
        # this sensor starts a lost run again; otherwise Dagster would retry it too
        tags={STORAGE_ID_TAG: str(storage_id), MAX_RETRIES_TAG: "0"},
    )


def stale_weeks(instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0) -> dict[str, int]:
    """Return the weeks whose training is out of date, with the newest storage id of their days.

    The arguments are those of `check_weeks`.
    """
    return check_weeks(instance, settings, train_job, checked).stale


def check_weeks(instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0) -> CheckedWeeks:
    """Return the weeks whose training is out of date, and the days that keep others from being trained.

    Such a week is over, and enough days of its window are complete. At least one of them is newer than the days in the
    last training of the week.

    Args:
        instance: Dagster instance with the materializations and runs.
        settings: Settings of the deployment.
        train_job: Name of the job that trains.
        checked: Storage id up to which all splits are known to include every day that was stored before them.
    """
    newest = latest_ids(instance, FEATURES)
    windows = {
        week: ids
        for week in candidate_weeks(newest, settings)
        if len(ids := {day: newest[day] for day in training_window(week, settings) if day in newest})
        >= settings.training.required_days
    }
    lost = list_lost_runs(instance, windows, train_job)
    included = _get_ids_in_splits(instance, windows, checked, lost)
    windows = _with_newer(windows, included)
    # on most ticks few weeks or none remain, so the following queries are cheap
    for week, storage_id in _list_ids_in_runs(instance, windows, train_job, lost):
        included[week] = max(included.get(week, 0), storage_id)
    windows = _with_newer(windows, included)
    ids_of_days = {storage_id for ids in windows.values() for storage_id in ids.values()}
    complete, incomplete = _select_complete(instance, ids_of_days, settings.data.minimum_completeness)
    counted = {week: {day: i for day, i in ids.items() if i in complete} for week, ids in windows.items()}
    stale = {
        week: max(ids.values())
        for week, ids in _with_newer(counted, included).items()
        if len(ids) >= settings.training.required_days
    }
    short = [week for week, ids in counted.items() if len(ids) < settings.training.required_days]
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
    instance: dg.DagsterInstance, storage_ids: Collection[int], minimum: float
) -> tuple[set[int], dict[int, str]]:
    """Return the ids of the feature materializations that count, and the completeness of those that do not.

    An empty or incomplete day counts as missing.
    """
    complete, incomplete = set[int](), dict[int, str]()
    for record in fetch_materializations(instance, FEATURES, storage_ids):
        share = _share(record)
        if _number(record, ROW_COUNT) == 0:
            incomplete[record.storage_id] = "empty"
        elif is_complete(share, minimum):
            complete.add(record.storage_id)
        elif share is not None:
            incomplete[record.storage_id] = as_percent(share)
    return complete, incomplete


def _get_ids_in_splits(
    instance: dg.DagsterInstance, weeks: Collection[str], checked: int, lost: Mapping[str, str]
) -> dict[str, int]:
    """Return the newest storage id of the features that the splits of each week include.

    Splits of a lost run include nothing: the run did not train on them. The cursor may have passed them while it ran.
    """
    latest = {week: storage_id for week, storage_id in latest_ids(instance, TRAIN_SPLIT).items() if week in weeks}
    weeks_of_lost = set(lost.values())
    unchecked = [i for week, i in latest.items() if i > checked or week in weeks_of_lost]
    records = {record.storage_id: record for record in fetch_materializations(instance, TRAIN_SPLIT, unchecked)}
    latest = {week: i for week, i in latest.items() if i not in records or records[i].run_id not in lost}
    recorded = {storage_id: _number(record, FEATURES_ID) for storage_id, record in records.items()}
    # splits of an earlier version record nothing; they count as including everything that was stored before them
    return {
        week: storage_id if (newest := recorded.get(storage_id)) is None else newest
        for week, storage_id in latest.items()
    }


def _list_ids_in_runs(
    instance: dg.DagsterInstance, weeks: Collection[str], job: str, lost: Collection[str]
) -> Iterator[tuple[str, int]]:
    """Yield each finished training of the weeks, with the newest storage id of the features that it was started for."""
    if not weeks:
        return
    tags = {PARTITION: sorted(weeks)}
    for record in instance.get_run_records(dg.RunsFilter(tags=tags, statuses=ENDED)):
        if record.dagster_run.run_id not in lost and _trains(record.dagster_run, job):
            yield record.dagster_run.tags[PARTITION], _get_id_in_run(instance, record)


def _weeks_under_way(instance: dg.DagsterInstance, job: str) -> set[str]:
    """Return the weeks with a training that is queued or running."""
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags and _trains(run, job)}


def _trains(run: dg.DagsterRun, job: str) -> bool:
    """Return True if a run splits the week again: the full job, or a selection that includes the splits."""
    return TRAIN_SPLIT in run.asset_selection if run.asset_selection else run.job_name == job


def _get_id_in_run(instance: dg.DagsterInstance, record: dg.RunRecord) -> int:
    """Return the storage id of the features that a run was started for; 0 if that is unknown.

    A run that this sensor started counts unless it is lost; otherwise the sensor would restart a run that always fails.
    A manual run counts if it succeeded, with everything that was stored at its start. If it failed or was cancelled,
    only its splits record its inputs.
    """
    run = record.dagster_run
    if STORAGE_ID_TAG in run.tags:
        return int(run.tags[STORAGE_ID_TAG])
    if run.status != dg.DagsterRunStatus.SUCCESS:
        return 0
    earlier = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=FEATURES, before_timestamp=record.create_timestamp.timestamp()), limit=1
    ).records
    return earlier[0].storage_id if earlier else 0


def _number(record: dg.EventLogRecord, name: str) -> int | None:
    """Return a number in the metadata of a materialization, or None without it."""
    materialization = record.asset_materialization
    value = materialization.metadata.get(name) if materialization else None
    return value.value if isinstance(value, dg.IntMetadataValue) else None


def _share(record: dg.EventLogRecord) -> float | None:
    """Return the completeness in the metadata of a materialization, or None without it."""
    materialization = record.asset_materialization
    value = materialization.metadata.get(COMPLETENESS) if materialization else None
    return value.value if isinstance(value, dg.FloatMetadataValue) else None


def _weeks_later(week: str, weeks: int) -> str:
    return (date.fromisoformat(week) + timedelta(weeks=weeks)).isoformat()
