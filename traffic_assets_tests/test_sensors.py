"""The training sensor on a Dagster instance: the weeks that it requests, each once for the same data."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from traffic_assets import lost_trainings, sensors
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, newest_id
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.dead_runs import CODE_TAG
from traffic_assets.liveness.heartbeat import PROMISE_TAG, heartbeat_tags
from traffic_assets.lost_trainings import FAILURE_REASON_TAG, MAX_RETRIES_TAG, STORAGE_ID_TAG
from traffic_assets.messages.runs import BAD_HYPERPARAMETERS, LEASE_HELD, PROCESS_ENDED
from traffic_assets.partitions import PARTITION
from traffic_assets.readings.completeness import COMPLETENESS
from traffic_assets.resources import build_resources
from traffic_assets.sensors import FEATURES, ROW_COUNT, candidate_weeks
from traffic_assets.settings import Settings
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings

WITHIN_THE_WEEK = datetime(2026, 1, 8, 12, tzinfo=UTC)
AFTER_THE_WEEK = datetime(2026, 1, 12, 12, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return tiny_settings(tmp_path)


def materialize(instance: dg.DagsterInstance, *days: str, rows: int = 10, completeness: float | None = None) -> None:
    """Report features as their step does; those of an earlier version have no completeness."""
    measured = {} if completeness is None else {COMPLETENESS: completeness}
    for day in days:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(FEATURE_TABLE, partition=day, metadata={ROW_COUNT: rows, **measured})
        )


def split(instance: dg.DagsterInstance, week: str, knew: int | None = None, of: dg.DagsterRun | None = None) -> None:
    """Report splits as their step does; those of an earlier version have no `knew`."""
    metadata = {} if knew is None else {FEATURES_ID: knew}
    splits = dg.AssetMaterialization(SPLIT_ASSETS["train"], partition=week, metadata=metadata)
    if of is None:
        instance.report_runless_asset_event(splits)
    else:
        data = StepMaterializationData(splits)
        event = dg.DagsterEvent("ASSET_MATERIALIZATION", of.job_name, event_specific_data=data)
        instance.report_dagster_event(event, of.run_id)


def tick(instance: dg.DagsterInstance, settings: Settings, cursor: str | None) -> Any:
    sensor = sensors.build(settings, "train")
    return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))


def requested_weeks(result: Any) -> list[str]:
    return [request.partition_key for request in getattr(result, "run_requests", None) or []]


def start(
    instance: dg.DagsterInstance,
    result: Any,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS,
    **tags: str,
) -> list[dg.DagsterRun]:
    """Add the runs that the sensor requests, as the daemon does."""
    return [run(instance, request.partition_key, status, **request.tags, **tags) for request in result.run_requests]


def run(
    instance: dg.DagsterInstance,
    week: str,
    status: dg.DagsterRunStatus,
    only: str = "",
    job: str = "train",
    **tags: str,
) -> dg.DagsterRun:
    added = dg.DagsterRun(
        job_name=job,
        run_id=str(uuid.uuid4()),
        status=status,
        tags={PARTITION: week, **tags},
        asset_selection=frozenset({dg.AssetKey(only)}) if only else None,
    )
    instance.add_run(added)
    return added


def finish(instance: dg.DagsterInstance, started: dg.DagsterRun, status: dg.DagsterRunStatus) -> None:
    ends = {
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
    }
    instance.report_dagster_event(dg.DagsterEvent(ends[status].value, started.job_name), started.run_id)


def test_nothing_happens_without_features(instance: dg.DagsterInstance, settings: Settings) -> None:
    result = tick(instance, settings, None)
    assert requested_weeks(result) == []
    assert result.skip_reason is not None
    assert str(result.skip_reason.skip_message).startswith("[location.nothing-to-train] ")


def test_a_week_is_requested_when_its_days_have_features(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS[:2])
    first = tick(instance, settings, None)
    assert requested_weeks(first) == []
    materialize(instance, DAYS[2])
    second = tick(instance, settings, first.cursor)
    assert requested_weeks(second) == [WEEK]
    start(instance, second)
    assert requested_weeks(tick(instance, settings, second.cursor)) == []


def test_a_week_is_requested_at_its_end_even_if_its_days_came_before(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    materialize(instance, *DAYS)
    with dg.partition_loading_context(effective_dt=WITHIN_THE_WEEK):
        early = tick(instance, settings, None)
    assert requested_weeks(early) == []
    with dg.partition_loading_context(effective_dt=AFTER_THE_WEEK):
        assert requested_weeks(tick(instance, settings, early.cursor)) == [WEEK], "no event comes at the end of a week"


def test_fewer_required_days_request_a_week_that_had_too_few(
    instance: dg.DagsterInstance, settings: Settings, tmp_path: Path
) -> None:
    materialize(instance, *DAYS[:2])
    before = tick(instance, settings, None)
    assert requested_weeks(before) == []
    fewer = tiny_settings(tmp_path, {"training": {"minimum_days": 2}})
    assert requested_weeks(tick(instance, fewer, before.cursor)) == [WEEK]


def test_days_from_before_the_first_tick_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    assert requested_weeks(tick(instance, settings, None)) == [WEEK]


def test_only_new_data_requests_a_week_again(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    first = tick(instance, settings, None)
    start(instance, first)
    assert requested_weeks(tick(instance, settings, None)) == [], "a lost cursor does not train the same data again"
    materialize(instance, DAYS[0])
    late = tick(instance, settings, first.cursor)
    assert requested_weeks(late) == [WEEK]
    assert late.run_requests[0].run_key != first.run_requests[0].run_key


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.STARTING,
    ],
)
def test_a_run_that_failed_or_is_in_progress_counts(
    instance: dg.DagsterInstance, settings: Settings, status: dg.DagsterRunStatus
) -> None:
    materialize(instance, *DAYS)
    start(instance, tick(instance, settings, None), status)
    assert requested_weeks(tick(instance, settings, None)) == []


def test_a_run_that_a_person_started_counts(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, dg.DagsterRunStatus.SUCCESS)
    assert requested_weeks(tick(instance, settings, None)) == []
    materialize(instance, DAYS[1])
    assert requested_weeks(tick(instance, settings, None)) == [WEEK]


def test_splits_that_a_person_materialized_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    split(instance, WEEK)
    assert requested_weeks(tick(instance, settings, None)) == []


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_persons_run_that_failed_before_its_splits_does_not_count(
    instance: dg.DagsterInstance, settings: Settings, status: dg.DagsterRunStatus
) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, status)
    first = tick(instance, settings, None)
    assert requested_weeks(first) == [WEEK]
    start(instance, first, dg.DagsterRunStatus.FAILURE)
    assert requested_weeks(tick(instance, settings, first.cursor)) == [], "a failed run of the sensor is not restarted"
    assert requested_weeks(tick(instance, settings, None)) == []


def test_a_persons_run_that_failed_after_its_splits_counts(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, dg.DagsterRunStatus.FAILURE)
    split(instance, WEEK, newest_id(instance, FEATURES))
    assert requested_weeks(tick(instance, settings, None)) == [], "a gate that refused a model would refuse it again"


def test_a_day_that_came_while_the_splits_were_written_is_not_lost(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    materialize(instance, *DAYS)
    first = tick(instance, settings, None)
    start(instance, first)
    knew = newest_id(instance, FEATURES)
    materialize(instance, DAYS[0])
    split(instance, WEEK, knew)
    late = tick(instance, settings, first.cursor)
    assert requested_weeks(late) == [WEEK]
    start(instance, late)
    split(instance, WEEK, newest_id(instance, FEATURES))
    assert requested_weeks(tick(instance, settings, late.cursor)) == []


def test_a_day_that_the_splits_read_though_their_run_was_for_an_older_one_is_not_trained_again(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    materialize(instance, *DAYS)
    first = tick(instance, settings, None)
    materialize(instance, DAYS[0])
    start(instance, first)
    split(instance, WEEK, newest_id(instance, FEATURES))
    assert requested_weeks(tick(instance, settings, first.cursor)) == []


@pytest.mark.parametrize("ended", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
def test_late_data_waits_for_the_training_in_progress(
    instance: dg.DagsterInstance, settings: Settings, ended: dg.DagsterRunStatus
) -> None:
    materialize(instance, *DAYS)
    knew = newest_id(instance, FEATURES)
    started = run(instance, WEEK, dg.DagsterRunStatus.STARTED, **{STORAGE_ID_TAG: str(knew)})
    materialize(instance, DAYS[0])
    waiting = tick(instance, settings, None)
    assert requested_weeks(waiting) == []
    finish(instance, started, ended)
    assert requested_weeks(tick(instance, settings, waiting.cursor)) == [WEEK]


def test_splits_that_knew_all_are_read_once(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialize(instance, *DAYS)
    split(instance, WEEK, newest_id(instance, FEATURES))
    first = tick(instance, settings, None)
    assert requested_weeks(first) == []
    read: list[Any] = []
    fetch = instance.fetch_materializations

    def fetched(wanted: Any, **more: Any) -> Any:
        read.append(wanted)
        return fetch(wanted, **more)

    monkeypatch.setattr(instance, "fetch_materializations", fetched)
    assert requested_weeks(tick(instance, settings, first.cursor)) == []
    assert not [wanted for wanted in read if isinstance(wanted, dg.AssetRecordsFilter)]
    materialize(instance, DAYS[1])
    assert requested_weeks(tick(instance, settings, first.cursor)) == [WEEK]


def test_an_empty_day_counts_as_missing(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS[:2])
    materialize(instance, DAYS[2], rows=0)
    first = tick(instance, settings, None)
    assert requested_weeks(first) == []
    materialize(instance, DAYS[2])
    assert requested_weeks(tick(instance, settings, first.cursor)) == [WEEK]


def test_an_incomplete_day_counts_as_missing_and_is_named(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, DAYS[0], completeness=0.5)
    materialize(instance, DAYS[1], rows=1, completeness=1 / 288)
    materialize(instance, DAYS[2], rows=0, completeness=0.0)
    first = tick(instance, settings, None)
    assert requested_weeks(first) == []
    skipped = str(first.skip_reason.skip_message)
    assert skipped.startswith("[location.incomplete-days] ")
    assert f"{DAYS[1]} 0.3472%, {DAYS[2]} empty" in skipped
    assert f"run traffic-assets features {DAYS[1]} {DAYS[2]}" in skipped
    assert DAYS[0] not in skipped
    materialize(instance, *DAYS[1:], completeness=0.9)
    assert requested_weeks(tick(instance, settings, first.cursor)) == [WEEK]


def test_several_reasons_say_nothing_about_weeks_that_were_not_started(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    """Use an incomplete day, and features that storage lacks."""
    materialize(instance, *DAYS, completeness=0.1)
    sensor = sensors.build(settings, "train", build_resources(settings)["hdfs"])
    result: Any = sensor(dg.build_sensor_context(instance=instance))
    assert requested_weeks(result) == []
    heading, *reasons = str(result.skip_reason.skip_message).splitlines()
    assert heading == "[location.several-reasons] No training is started now, for several reasons:"
    skipped = "\n".join(reasons)
    assert "[location.incomplete-days] " in skipped
    assert "[history.not-stored] " in skipped


def test_a_lower_minimum_counts_the_days_that_were_too_incomplete(
    instance: dg.DagsterInstance, settings: Settings, tmp_path: Path
) -> None:
    materialize(instance, *DAYS, rows=1, completeness=1 / 288)
    before = tick(instance, settings, None)
    assert requested_weeks(before) == []
    every = tiny_settings(tmp_path, {"data": {"minimum_completeness": 0}})
    assert requested_weeks(tick(instance, every, before.cursor)) == [WEEK]


def test_a_new_incomplete_day_is_no_reason_to_train_again(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS, completeness=1.0)
    first = tick(instance, settings, None)
    start(instance, first)
    materialize(instance, "2026-01-08", rows=1, completeness=1 / 288)
    second = tick(instance, settings, first.cursor)
    assert requested_weeks(second) == []
    assert str(second.skip_reason.skip_message).startswith("[location.nothing-to-train] ")


def test_an_empty_day_that_is_not_required_is_not_new_data(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    first = tick(instance, settings, None)
    start(instance, first)
    materialize(instance, "2026-01-08", rows=0)
    assert requested_weeks(tick(instance, settings, first.cursor)) == []


def test_a_run_of_other_assets_does_not_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, dg.DagsterRunStatus.SUCCESS, only="linear_regression_registry_entry")
    assert requested_weeks(tick(instance, settings, None)) == [WEEK]


def test_many_new_days_are_one_request(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS, "2026-01-08", "2026-01-09")
    result = tick(instance, settings, None)
    assert requested_weeks(result) == [WEEK]
    assert result.run_requests[0].tags[STORAGE_ID_TAG] == str(newest_id(instance, FEATURES))


LOST = {
    "died": (dg.DagsterRunStatus.FAILURE, {PROMISE_TAG: "true", CODE_TAG: PROCESS_ENDED.code}),
    "died, as the code server noticed": (dg.DagsterRunStatus.FAILURE, {PROMISE_TAG: "true"}),
    "died, as Dagster's monitor noticed": (
        dg.DagsterRunStatus.FAILURE,
        {PROMISE_TAG: "true", FAILURE_REASON_TAG: "START_TIMEOUT"},
    ),
    "failed outside of its steps": (
        dg.DagsterRunStatus.FAILURE,
        {PROMISE_TAG: "true", FAILURE_REASON_TAG: "RUN_EXCEPTION"},
    ),
    "failed outside of its steps, at its initialization": (
        dg.DagsterRunStatus.FAILURE,
        {PROMISE_TAG: "true", FAILURE_REASON_TAG: "JOB_INITIALIZATION_FAILURE"},
    ),
    "stopped": (dg.DagsterRunStatus.CANCELED, {}),
    "gave way": (dg.DagsterRunStatus.FAILURE, {CODE_TAG: LEASE_HELD.code, FAILURE_REASON_TAG: "RUN_EXCEPTION"}),
}
"""Status and tags of each kind of lost run."""


@pytest.mark.parametrize("kind", list(LOST))
def test_a_lost_run_is_started_again_at_most_twice(instance: dg.DagsterInstance, settings: Settings, kind: str) -> None:
    status, tags = LOST[kind]
    materialize(instance, *DAYS)
    keys, cursor = [], None
    for _ in range(3):
        result = tick(instance, settings, cursor)
        assert requested_weeks(result) == [WEEK]
        assert result.run_requests[0].tags[MAX_RETRIES_TAG] == "0", "Dagster would start the run a second time"
        keys.append(result.run_requests[0].run_key)
        cursor = result.cursor
        start(instance, result, status, **tags)
    assert len(set(keys)) == 3, "Dagster starts a run key only once"
    last = tick(instance, settings, cursor)
    assert requested_weeks(last) == []
    assert str(last.skip_reason.skip_message).startswith("[location.training-lost] ")
    assert WEEK in last.skip_reason.skip_message
    assert f"({kind.partition(',')[0]}" in last.skip_reason.skip_message
    materialize(instance, DAYS[0])
    assert requested_weeks(tick(instance, settings, last.cursor)) == [WEEK], "new features count from the beginning"


@pytest.mark.parametrize(
    "outcome",
    [
        {FAILURE_REASON_TAG: "STEP_FAILURE"},
        {FAILURE_REASON_TAG: "RUN_EXCEPTION", CODE_TAG: BAD_HYPERPARAMETERS.code},
    ],
    ids=["step", "refused"],
)
def test_a_run_that_failed_by_itself_is_not_started_again(
    instance: dg.DagsterInstance, settings: Settings, outcome: dict[str, str]
) -> None:
    materialize(instance, *DAYS)
    tags = {PROMISE_TAG: "true", **outcome}
    start(instance, tick(instance, settings, None), dg.DagsterRunStatus.FAILURE, **tags)
    assert requested_weeks(tick(instance, settings, None)) == []


def test_the_splits_of_a_lost_run_do_not_count_even_if_the_cursor_passed_them(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    materialize(instance, *DAYS)
    (started,) = start(instance, tick(instance, settings, None), dg.DagsterRunStatus.STARTED, **{PROMISE_TAG: "true"})
    split(instance, WEEK, newest_id(instance, FEATURES), of=started)
    during = tick(instance, settings, None)
    assert requested_weeks(during) == []
    assert during.cursor == str(newest_id(instance, sensors.TRAIN_SPLIT))
    finish(instance, started, dg.DagsterRunStatus.FAILURE)
    again = tick(instance, settings, during.cursor)
    assert requested_weeks(again) == [WEEK]
    (second,) = start(instance, again, dg.DagsterRunStatus.STARTED, **{PROMISE_TAG: "true"})
    split(instance, WEEK, newest_id(instance, FEATURES), of=second)
    finish(instance, second, dg.DagsterRunStatus.SUCCESS)
    assert requested_weeks(tick(instance, settings, again.cursor)) == []


def test_the_splits_of_a_persons_run_that_died_do_not_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    killed = run(instance, WEEK, dg.DagsterRunStatus.STARTED, **{PROMISE_TAG: "true"})
    split(instance, WEEK, newest_id(instance, FEATURES), of=killed)
    during = tick(instance, settings, None)
    assert requested_weeks(during) == []
    finish(instance, killed, dg.DagsterRunStatus.FAILURE)
    assert requested_weeks(tick(instance, settings, during.cursor)) == [WEEK]


def test_the_splits_of_selected_assets_whose_run_died_do_not_count(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    """Check a run of the UI, which is of no job of ours; its first heartbeat adds the tags."""
    materialize(instance, *DAYS)
    splits = SPLIT_ASSETS["train"]
    killed = run(instance, WEEK, dg.DagsterRunStatus.STARTED, only=splits, job="__ASSET_JOB")
    instance.add_run_tags(killed.run_id, heartbeat_tags(killed.run_id, timedelta(minutes=10)))
    split(instance, WEEK, newest_id(instance, FEATURES), of=killed)
    during = tick(instance, settings, None)
    assert requested_weeks(during) == []
    finish(instance, killed, dg.DagsterRunStatus.FAILURE)
    assert requested_weeks(tick(instance, settings, during.cursor)) == [WEEK]


def test_a_run_that_gave_way_waits_for_the_other_training(instance: dg.DagsterInstance, settings: Settings) -> None:
    status, tags = LOST["gave way"]
    materialize(instance, *DAYS)
    base = settings.persistence.base_uri
    other = leases.take(LocalFileSystem(), base, leases.train_task(WEEK), "other", timedelta(minutes=10))
    start(instance, tick(instance, settings, None), status, **tags)
    waiting = tick(instance, settings, None)
    assert requested_weeks(waiting) == []
    assert str(waiting.skip_reason.skip_message).startswith("[location.week-trained-elsewhere] ")
    other.release()
    assert requested_weeks(tick(instance, settings, waiting.cursor)) == [WEEK]


def test_on_hdfs_a_run_that_gave_way_waits_for_some_time(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Check that no lease is read, because a sensor starts no JVM."""
    settings = tiny_settings(tmp_path, {"persistence": {"base_uri": "hdfs://namenode:9000/data"}})
    status, tags = LOST["gave way"]
    materialize(instance, *DAYS)
    (first,) = start(instance, tick(instance, settings, None), dg.DagsterRunStatus.STARTED, **tags)
    finish(instance, first, status)
    waiting = tick(instance, settings, None)
    assert requested_weeks(waiting) == []
    assert str(waiting.skip_reason.skip_message).startswith("[location.week-gave-way] ")
    (record,) = instance.get_run_records()
    assert record.end_time is not None
    due = record.end_time + lost_trainings.SECONDS_AFTER_GIVING_WAY[0]
    later = datetime.fromtimestamp(due, UTC)
    attempt = lost_trainings.next_attempt(instance, settings, WEEK, int(first.tags[STORAGE_ID_TAG]), later)
    assert attempt.number == 2


def test_the_sensor_is_on_by_default(settings: Settings) -> None:
    assert sensors.build(settings, "train").default_status == dg.DefaultSensorStatus.RUNNING


def test_a_day_concerns_every_window_that_contains_it(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"window_weeks": 2, "minimum_days": 3}})
    assert candidate_weeks(["2026-01-07"], settings) == ["2026-01-05", "2026-01-12"]


def test_a_week_that_is_not_over_is_not_a_candidate(settings: Settings) -> None:
    assert candidate_weeks(["2999-01-07"], settings) == []
