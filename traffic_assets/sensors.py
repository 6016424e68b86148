"""The training sensor: level-triggered on what is stored, so that nothing is lost and nothing runs twice.

Every tick compares, for each week that is over, the newest materialisation of its days with what the last training
of the week knew. No cursor passes the features' events: one that came too early for its week has no successor to wake
up a sensor that has passed it. Which features a training knew is recorded by the splits (`assets/training.py`); the
cursor only saves reading splits again that were found to know all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, newest_id
from traffic_assets.partitions import PARTITION, training_window, week_of, weekly
from traffic_assets.settings import Settings

SENSOR = "train_on_new_features"
SECONDS_BETWEEN_TICKS = 15
STORAGE_ID_TAG = "traffic_assets/features_storage_id"
FEATURES = dg.AssetKey(FEATURE_TABLE)
TRAIN_SPLIT = dg.AssetKey(SPLIT_ASSETS["train"])
ROW_COUNT = "dagster/row_count"
EVENTS_PER_QUERY = 500  # Dagster's storage answers 1000 at most
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def build(settings: Settings, train_job: str) -> dg.SensorDefinition:
    """The sensor for a train job.

    Args:
        settings: of the deployment.
        train_job: name of the job to start.
    """

    @dg.sensor(
        name=SENSOR,
        job_name=train_job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Trains a week once its days are there, and again when late data changes them.",
    )
    def train_on_new_features(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        splits_id = newest_id(context.instance, TRAIN_SPLIT)
        # before the splits are read, so that a training that ends meanwhile has stored its own by then
        under_way = _weeks_under_way(context.instance, train_job)
        stale = stale_weeks(context.instance, settings, train_job, int(context.cursor or 0))
        requests = [
            dg.RunRequest(run_key=f"{week}@{storage_id}", partition_key=week, tags={STORAGE_ID_TAG: str(storage_id)})
            for week, storage_id in stale.items()
            if week not in under_way  # it is looked at again when it has ended, and what it read is known
        ]
        return dg.SensorResult(
            run_requests=requests,
            cursor=context.cursor if stale else str(splits_id),
            skip_reason=None if requests else "no week that is over and has its days changed since it was trained",
        )

    return train_on_new_features


def stale_weeks(instance: dg.DagsterInstance, settings: Settings, train_job: str, checked: int = 0) -> dict[str, int]:
    """The weeks whose training is out of date, with the newest storage id of their days.

    That is a week that is over, of whose window enough days hold rows, one of them newer than all that a training of
    the week knew.

    Args:
        instance: that knows what was materialised and run.
        settings: of the deployment.
        train_job: name of the job that trains.
        checked: splits up to this storage id knew every day that was stored before them.
    """
    newest = _latest_ids(instance, FEATURES)
    windows = {
        week: ids
        for week in candidate_weeks(newest, settings)
        if len(ids := {day: newest[day] for day in training_window(week, settings) if day in newest})
        >= settings.training.required_days
    }
    known = _known_to_splits(instance, windows, checked)
    windows = _with_newer(windows, known)
    # what follows reads runs and events of the weeks that are left, few or none on most ticks
    for week, storage_id in _known_to_runs(instance, windows, train_job):
        known[week] = max(known.get(week, 0), storage_id)
    windows = _with_newer(windows, known)
    filled = _filled(instance, {storage_id for ids in windows.values() for storage_id in ids.values()})
    windows = {week: {day: i for day, i in ids.items() if i in filled} for week, ids in windows.items()}
    return {
        week: max(ids.values())
        for week, ids in _with_newer(windows, known).items()
        if len(ids) >= settings.training.required_days
    }


def candidate_weeks(days: Iterable[str], settings: Settings) -> list[str]:
    """The weeks whose training window holds any of the days, and that are over."""
    mondays = {week_of(day) for day in days}
    found = {_weeks_later(monday, offset) for monday in mondays for offset in range(settings.training.window_weeks)}
    return sorted(found.intersection(weekly(settings).get_partition_keys()))


def _with_newer(windows: Mapping[str, dict[str, int]], known: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The weeks with a day that is newer than what was known."""
    return {week: ids for week, ids in windows.items() if max(ids.values(), default=0) > known.get(week, 0)}


def _latest_ids(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, int]:
    """Storage id of the latest materialisation by partition."""
    return dict(instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION))


def _filled(instance: dg.DagsterInstance, storage_ids: Collection[int]) -> set[int]:
    """Those of the features' materialisations that hold rows: an empty day counts as missing."""
    return {
        record.storage_id
        for record in _materializations(instance, FEATURES, storage_ids)
        if _number(record, ROW_COUNT) != 0
    }


def _known_to_splits(instance: dg.DagsterInstance, weeks: Collection[str], checked: int) -> dict[str, int]:
    """The newest features' storage id that the splits of each week knew."""
    latest = {week: storage_id for week, storage_id in _latest_ids(instance, TRAIN_SPLIT).items() if week in weeks}
    unchecked = [storage_id for storage_id in latest.values() if storage_id > checked]
    said = {r.storage_id: _number(r, FEATURES_ID) for r in _materializations(instance, TRAIN_SPLIT, unchecked)}
    # splits that say nothing, made by an earlier version, are taken to know what was stored before them
    return {
        week: storage_id if (known := said.get(storage_id)) is None else known for week, storage_id in latest.items()
    }


def _known_to_runs(instance: dg.DagsterInstance, weeks: Collection[str], job: str) -> Iterator[tuple[str, int]]:
    """The newest features' storage id that each ended training of the weeks was for."""
    if not weeks:
        return
    tags = {PARTITION: sorted(weeks)}
    for record in instance.get_run_records(dg.RunsFilter(tags=tags, statuses=ENDED)):
        if _trains(record.dagster_run, job):
            yield record.dagster_run.tags[PARTITION], _known_to(instance, record)


def _weeks_under_way(instance: dg.DagsterInstance, job: str) -> set[str]:
    """The weeks with a training that is queued or under way."""
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags and _trains(run, job)}


def _trains(run: dg.DagsterRun, job: str) -> bool:
    """Whether a run splits the week anew: the whole job, or a selection with the splits in it."""
    return TRAIN_SPLIT in run.asset_selection if run.asset_selection else run.job_name == job


def _known_to(instance: dg.DagsterInstance, record: dg.RunRecord) -> int:
    """The features' storage id that a run was started for; one of a person that ended well knew what was stored then.

    What a run of this sensor was for counts however it ended, or the sensor would start one that fails for ever. A
    person's run that failed or was canceled may have read nothing; what it did read, its splits say.
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


def _materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Iterable[int]
) -> Iterator[dg.EventLogRecord]:
    """The materialisations with these storage ids."""
    ids = sorted(storage_ids)
    for start in range(0, len(ids), EVENTS_PER_QUERY):
        some = ids[start : start + EVENTS_PER_QUERY]
        yield from instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=some), limit=len(some)
        ).records


def _number(record: dg.EventLogRecord, name: str) -> int | None:
    """A number in a materialisation's metadata, or None where it is not there."""
    materialization = record.asset_materialization
    value = materialization.metadata.get(name) if materialization else None
    return value.value if isinstance(value, dg.IntMetadataValue) else None


def _weeks_later(week: str, weeks: int) -> str:
    return (date.fromisoformat(week) + timedelta(weeks=weeks)).isoformat()
