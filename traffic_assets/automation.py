"""The training sensor: level-triggered on what is stored, so that nothing is lost and nothing runs twice.

Its cursor only finds the weeks that may have changed; the newest materialisation of their days decides, and is the
run key. A purely event-driven sensor would train a week again on a fresh instance, and `asset_sensor` sees only the
latest event of a tick.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.partitions import training_window, week_of, weekly
from traffic_assets.settings import Settings

SENSOR = "train_on_new_features"
SECONDS_BETWEEN_TICKS = 15
EVENTS_PER_TICK = 1000
STORAGE_ID_TAG = "traffic_assets/features_storage_id"
TRAIN_SPLIT = dg.AssetKey(SPLIT_ASSETS["train"])
RUNS_LOOKED_AT = 20
RUNS_THAT_COUNT = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


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
        after = int(context.cursor) if context.cursor else None
        events = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(FEATURE_TABLE), after_storage_id=after),
            limit=EVENTS_PER_TICK,
            ascending=True,
        ).records
        if not events:
            return dg.SkipReason("no new feature days")
        changed = {event.partition_key for event in events if event.partition_key}
        newest = _newest_by_day(context.instance)
        requests = [
            dg.RunRequest(
                run_key=f"{week}@{storage_id}",
                partition_key=week,
                tags={STORAGE_ID_TAG: str(storage_id)},
            )
            for week in candidate_weeks(changed, settings)
            if (storage_id := _complete_at(week, newest, settings)) is not None
            and storage_id > _trained_at(context.instance, week, train_job)
        ]
        return dg.SensorResult(
            run_requests=requests,
            cursor=str(events[-1].storage_id),
            skip_reason=None if requests else "no week is complete and changed since it was trained",
        )

    return train_on_new_features


def candidate_weeks(days: Iterable[str], settings: Settings) -> list[str]:
    """The weeks whose training window holds any of the days, and that are over."""
    partitions = weekly(settings)
    found = set()
    for day in days:
        first = week_of(day)
        for offset in range(settings.training.window_weeks):
            found.add(_weeks_later(first, offset))
    return sorted(week for week in found if partitions.has_partition_key(week))


def _complete_at(week: str, newest: dict[str, int], settings: Settings) -> int | None:
    """The newest storage id of the window's days, or None where too few are materialised."""
    ids = [newest[day] for day in training_window(week, settings) if day in newest]
    return max(ids) if len(ids) >= settings.training.required_days else None


def _newest_by_day(instance: dg.DagsterInstance) -> dict[str, int]:
    return dict(
        instance.get_latest_storage_id_by_partition(
            dg.AssetKey(FEATURE_TABLE), dg.DagsterEventType.ASSET_MATERIALIZATION
        )
    )


def _trained_at(instance: dg.DagsterInstance, week: str, job: str) -> int:
    """The newest features' storage id that a training of the week knew or will know, 0 if there was none."""
    splits = instance.get_latest_storage_id_by_partition(TRAIN_SPLIT, dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = instance.get_run_records(
        dg.RunsFilter(tags={"dagster/partition": week}, statuses=RUNS_THAT_COUNT), limit=RUNS_LOOKED_AT
    )
    return max([splits.get(week, 0), *(_known_to(instance, r) for r in records if _trains(r.dagster_run, job))])


def _trains(run: dg.DagsterRun, job: str) -> bool:
    """Whether a run splits the week anew: the whole job, or a selection with the splits in it."""
    return TRAIN_SPLIT in run.asset_selection if run.asset_selection else run.job_name == job


def _known_to(instance: dg.DagsterInstance, record: dg.RunRecord) -> int:
    """The features' storage id that a run was started for; one that a person started knew what was stored then."""
    tag = record.dagster_run.tags.get(STORAGE_ID_TAG)
    if tag is not None:
        return int(tag)
    earlier = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(FEATURE_TABLE), before_timestamp=record.create_timestamp.timestamp()
        ),
        limit=1,
    ).records
    return earlier[0].storage_id if earlier else 0


def _weeks_later(week: str, weeks: int) -> str:
    return (date.fromisoformat(week) + timedelta(weeks=weeks)).isoformat()
