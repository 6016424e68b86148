"""The training sensor: it compares stored states, so that no event is lost and nothing runs twice.

For each completed week, every tick compares the newest materialization of its days with those that the last training
of the week included. The cursor does not skip feature events. Otherwise an event that came before its week was complete
would never start a training, because no later event would follow it. The splits record which features a
training included (`assets/training.py`). The cursor only avoids reading up-to-date splits again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from datetime import date, timedelta

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import FEATURES as FEATURES_JOB
from traffic_assets.assets.group import TRAIN as TRAIN_JOB
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, newest_id
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import is_local, redact
from traffic_assets.history import (
    compare_with_storage,
    fetch_by_id,
    is_stored_below,
    is_under_way,
    latest_ids,
    read_number,
    read_sync,
)
from traffic_assets.messages import history as history_messages
from traffic_assets.messages import location as messages
from traffic_assets.naming import add_key_prefix, add_name_prefix, add_tag_prefix
from traffic_assets.partitions import (
    PARTITION,
    build_daily_partitions,
    build_weekly_partitions,
    get_week,
    training_window,
)
from traffic_assets.settings import Settings

SENSOR = "train_on_new_features"
SECONDS_BETWEEN_TICKS = 15
STORAGE_ID_TAG = "traffic_assets/features_storage_id"
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


def build(settings: Settings, train_job: str, hdfs: HdfsResource | None = None) -> dg.SensorDefinition:
    """Return the sensor that starts the `train` job.

    Args:
        settings: Settings of the deployment.
        train_job: Name of the job to start.
        hdfs: Storage of the deployment; without it the sensor does not compare storage with Dagster's history.
    """
    deployment = settings.deployment
    train_split, tag = add_key_prefix(TRAIN_SPLIT, deployment), add_tag_prefix(STORAGE_ID_TAG, deployment)

    @dg.sensor(
        name=add_name_prefix(SENSOR, deployment),
        job_name=train_job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the `train` job for a week when enough of its days have features, and again when late data "
        "changes them.",
    )
    def train_on_new_features(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        sync = read_sync(context.instance, deployment)
        splits_id = newest_id(context.instance, train_split)
        # read before the splits: a training that ends in between has stored its splits by then
        under_way = _weeks_under_way(context.instance, train_job, train_split)
        root = hdfs.dataset(FEATURE_TABLE).root if hdfs else None
        stale = stale_weeks(context.instance, settings, train_job, int(context.cursor or 0), root)
        if is_under_way(sync) or read_sync(context.instance, deployment) != sync:
            return dg.SkipReason(str(history_messages.SYNC_UNDER_WAY()))  # it reports features before their splits
        requests = [
            dg.RunRequest(
                run_key=add_name_prefix(f"{week}@{storage_id}", deployment),
                partition_key=week,
                tags={tag: str(storage_id)},
            )
            for week, storage_id in stale.items()
            if week not in under_way  # a later tick checks the week again, when the splits of the run are stored
        ]
        differences = list_differences(context.instance, settings, hdfs, is_local(hdfs.base_uri)) if hdfs else []
        if requests and differences:
            context.log.warning(history_messages.DIFFERENT(differences=differences))
        reason = history_messages.DIFFERENT(differences=differences) if differences else messages.NOTHING_TO_TRAIN()
        return dg.SensorResult(
            run_requests=requests,
            cursor=context.cursor if stale else str(splits_id),
            skip_reason=None if requests else str(reason),
        )

    return train_on_new_features


def list_differences(
    instance: dg.DagsterInstance, settings: Settings, hdfs: HdfsResource, lists: bool = True
) -> list[CodedText]:
    """Return what Dagster and storage do not both know of the features and the splits.

    While a run writes them, only the place of the newest materialization is compared: a run publishes partitions before
    it reports them.

    Args:
        instance: Dagster instance with the materializations.
        settings: Settings of the deployment.
        hdfs: Storage of the deployment.
        lists: False to list no folder, because the first listing of a Hadoop URI starts Java.
    """
    features, train_split = (add_key_prefix(key, settings.deployment) for key in (FEATURES, TRAIN_SPLIT))
    if not lists and not newest_id(instance, features):
        return [history_messages.NOTHING_KNOWN(asset=features.to_user_string(), base=redact(hdfs.base_uri))]
    lists = lists and not _is_writing(instance, {features, train_split}, settings.deployment)
    compared = (
        compare_with_storage(instance, hdfs, features, build_daily_partitions(settings), lists),
        compare_with_storage(instance, hdfs, train_split, build_weekly_partitions(settings), lists),
    )
    return [text for difference in compared for text in difference.describe()]


def stale_weeks(
    instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0, root: str | None = None
) -> dict[str, int]:
    """Return the weeks whose training is out of date, with the newest storage id of their days.

    Such a week is complete, and enough days of its window have rows. At least one of them is newer than the days in the
    last training of the week.

    Args:
        instance: Dagster instance with the materializations and runs.
        settings: Settings of the deployment.
        train_job: Name of the job that trains.
        checked: Storage id up to which all splits are known to include every day that was stored before them.
        root: URI of the folder of the features. Days that are stored elsewhere do not count; None counts all.
    """
    features = add_key_prefix(FEATURES, settings.deployment)
    newest = latest_ids(instance, features)
    windows = {
        week: ids
        for week in candidate_weeks(newest, settings)
        if len(ids := {day: newest[day] for day in training_window(week, settings) if day in newest})
        >= settings.training.required_days
    }
    included = _get_ids_in_splits(instance, add_key_prefix(TRAIN_SPLIT, settings.deployment), windows, checked)
    windows = _with_newer(windows, included)
    # on most ticks few weeks or none remain, so the following queries are cheap
    for week, storage_id in _list_ids_in_runs(instance, windows, train_job, settings.deployment):
        included[week] = max(included.get(week, 0), storage_id)
    windows = _with_newer(windows, included)
    storage_ids = {storage_id for ids in windows.values() for storage_id in ids.values()}
    filled = _select_filled(instance, features, storage_ids, root)
    windows = {week: {day: i for day, i in ids.items() if i in filled} for week, ids in windows.items()}
    return {
        week: max(ids.values())
        for week, ids in _with_newer(windows, included).items()
        if len(ids) >= settings.training.required_days
    }


def candidate_weeks(days: Iterable[str], settings: Settings) -> list[str]:
    """Return the completed weeks whose training window includes any of the days."""
    mondays = {get_week(day) for day in days}
    weeks = {_weeks_later(monday, offset) for monday in mondays for offset in range(settings.training.window_weeks)}
    return sorted(weeks.intersection(build_weekly_partitions(settings).get_partition_keys()))


def _with_newer(windows: Mapping[str, dict[str, int]], included: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the weeks with a day that is newer than those that their training included."""
    return {week: ids for week, ids in windows.items() if max(ids.values(), default=0) > included.get(week, 0)}


def _select_filled(
    instance: dg.DagsterInstance, features: dg.AssetKey, storage_ids: Collection[int], root: str | None
) -> set[int]:
    """Return the ids of the feature materializations that have rows here; an empty day counts as missing."""
    return {
        record.storage_id
        for record in fetch_by_id(instance, features, storage_ids)
        if read_number(record, ROW_COUNT) != 0 and (root is None or is_stored_below(record, root))
    }


def _get_ids_in_splits(
    instance: dg.DagsterInstance, train_split: dg.AssetKey, weeks: Collection[str], checked: int
) -> dict[str, int]:
    """Return the newest storage id of the features that the splits of each week include."""
    latest = {week: storage_id for week, storage_id in latest_ids(instance, train_split).items() if week in weeks}
    unchecked = [storage_id for storage_id in latest.values() if storage_id > checked]
    recorded = {r.storage_id: read_number(r, FEATURES_ID) for r in fetch_by_id(instance, train_split, unchecked)}
    # splits of an earlier version record nothing; they count as including everything that was stored before them
    return {
        week: storage_id if (newest := recorded.get(storage_id)) is None else newest
        for week, storage_id in latest.items()
    }


def _list_ids_in_runs(
    instance: dg.DagsterInstance, weeks: Collection[str], job: str, deployment: str
) -> Iterator[tuple[str, int]]:
    """Yield each finished training of the weeks, with the newest storage id of the features that it was started for."""
    if not weeks:
        return
    tags = {PARTITION: sorted(weeks)}
    for record in instance.get_run_records(dg.RunsFilter(tags=tags, statuses=ENDED)):
        if _trains(record.dagster_run, job, add_key_prefix(TRAIN_SPLIT, deployment)):
            yield record.dagster_run.tags[PARTITION], _get_id_in_run(instance, record, deployment)


def _weeks_under_way(instance: dg.DagsterInstance, job: str, train_split: dg.AssetKey) -> set[str]:
    """Return the weeks with a training that is queued or running."""
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags and _trains(run, job, train_split)}


def _is_writing(instance: dg.DagsterInstance, keys: Set[dg.AssetKey], deployment: str) -> bool:
    """Return whether a run that materializes any of the assets is queued or running."""
    names = {add_name_prefix(job, deployment) for job in (FEATURES_JOB, TRAIN_JOB)}
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return any(bool(run.asset_selection & keys) if run.asset_selection else run.job_name in names for run in runs)


def _trains(run: dg.DagsterRun, job: str, train_split: dg.AssetKey) -> bool:
    """Return True if a run splits the week again: the full job, or a selection that includes the splits."""
    return train_split in run.asset_selection if run.asset_selection else run.job_name == job


def _get_id_in_run(instance: dg.DagsterInstance, record: dg.RunRecord, deployment: str) -> int:
    """Return the storage id of the features that a run was started for; 0 if that is unknown.

    A run that this sensor started always counts; otherwise the sensor would restart a run that always fails. A manual
    run counts if it succeeded, with everything that was stored at its start. If it failed or was cancelled, only its
    splits record its inputs.
    """
    run = record.dagster_run
    if (tag := add_tag_prefix(STORAGE_ID_TAG, deployment)) in run.tags:
        return int(run.tags[tag])
    if run.status != dg.DagsterRunStatus.SUCCESS:
        return 0
    earlier = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=add_key_prefix(FEATURES, deployment), before_timestamp=record.create_timestamp.timestamp()
        ),
        limit=1,
    ).records
    return earlier[0].storage_id if earlier else 0


def _weeks_later(week: str, weeks: int) -> str:
    return (date.fromisoformat(week) + timedelta(weeks=weeks)).isoformat()
