"""Dead runs on a Dagster instance: which are marked as ended, and which never are."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from traffic_assets.liveness import sensor
from traffic_assets.liveness.dead_runs import CODE_TAG, LIVE, Observations, end_dead_runs
from traffic_assets.liveness.heartbeat import HEARTBEAT_TAG, PROCESS_TAG, PROMISE_TAG, heartbeat_tags, read_beat
from traffic_assets.liveness.process import Process, this_process
from traffic_assets.settings import load_settings

TIMEOUT = timedelta(minutes=10)
START = datetime(2026, 1, 12, 3, tzinfo=UTC)
HERE = this_process()
assert HERE.start is not None
ENDED = replace(HERE, start=HERE.start - 1)
"""A process of this host that does not exist: this one, as if it had started earlier."""
ELSEWHERE = {
    "host": replace(HERE, host="elsewhere"),
    "container": replace(HERE, namespace="pid:[1]"),
    "boot": replace(ENDED, boot="another-boot"),
}
STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def add(
    instance: dg.DagsterInstance,
    process: Process | None = None,
    at: datetime = START,
    status: dg.DagsterRunStatus = STARTED,
    tags: Mapping[str, str] | None = None,
    timeout_minutes: float | None = None,
) -> str:
    """Add a run with the heartbeat of a process, and return its id; one of an earlier version records no timeout."""
    run_id = str(uuid.uuid4())
    if process is not None:
        recorded = {} if timeout_minutes is None else {"timeout_minutes": timeout_minutes}
        written = {"run": run_id, **process.to_dict(), **recorded}
        tags = {**(tags or {}), PROCESS_TAG: json.dumps(written), HEARTBEAT_TAG: at.isoformat()}
    instance.add_run(dg.DagsterRun(job_name="features", run_id=run_id, status=status, tags=dict(tags or {})))
    return run_id


def state(instance: dg.DagsterInstance, run_id: str) -> tuple[dg.DagsterRunStatus, str | None]:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status, run.tags.get(CODE_TAG)


def look(instance: dg.DagsterInstance, observations: Observations, after: timedelta) -> None:
    end_dead_runs(instance, TIMEOUT, observations, START + after)


def look_every_minute(
    instance: dg.DagsterInstance, observations: Observations, minutes: range, timeout: timedelta = TIMEOUT
) -> None:
    for minute in minutes:
        end_dead_runs(instance, timeout, observations, START + timedelta(minutes=minute))


def test_a_run_whose_process_ended_is_failed_at_the_first_look(instance: dg.DagsterInstance) -> None:
    run = add(instance, ENDED)
    look(instance, {}, timedelta(0))
    assert state(instance, run) == (dg.DagsterRunStatus.FAILURE, "runs.process-ended")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING])
def test_a_run_that_ended_before_its_first_heartbeat_is_failed(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    run = add(instance, ENDED, status=status)
    look(instance, {}, timedelta(0))
    assert state(instance, run)[0] == dg.DagsterRunStatus.FAILURE


def test_a_dead_run_that_was_being_canceled_is_canceled(instance: dg.DagsterInstance) -> None:
    run = add(instance, ENDED, status=dg.DagsterRunStatus.CANCELING)
    look(instance, {}, timedelta(0))
    assert state(instance, run)[0] == dg.DagsterRunStatus.CANCELED


def test_a_live_run_of_this_host_is_never_marked_however_old_its_heartbeat_is(instance: dg.DagsterInstance) -> None:
    run = add(instance, HERE)
    observations: Observations = {}
    for minutes in (0, 5, 60, 600):
        look(instance, observations, timedelta(minutes=minutes))
    assert state(instance, run) == (STARTED, None)


@pytest.mark.parametrize("where", list(ELSEWHERE))
def test_a_run_elsewhere_is_dead_when_its_heartbeat_has_not_changed_for_the_timeout(
    instance: dg.DagsterInstance, where: str
) -> None:
    run = add(instance, ELSEWHERE[where])
    observations: Observations = {}
    look_every_minute(instance, observations, range(10))
    assert state(instance, run) == (STARTED, None)
    look(instance, observations, timedelta(minutes=10))
    assert state(instance, run) == (dg.DagsterRunStatus.FAILURE, "runs.heartbeat-lost")


def test_a_live_run_elsewhere_is_never_marked_whatever_its_clock_shows(instance: dg.DagsterInstance) -> None:
    clocks = [timedelta(hours=-5), timedelta(0), timedelta(hours=5)]
    runs = [add(instance, ELSEWHERE["host"], START + clock) for clock in clocks]
    observations: Observations = {}
    for minutes in range(60):
        now = timedelta(minutes=minutes / 2)
        for run, clock in zip(runs, clocks, strict=True):
            instance.add_run_tags(run, {HEARTBEAT_TAG: (START + clock + now).isoformat()})
        look(instance, observations, now)
    assert [state(instance, run) for run in runs] == [(STARTED, None)] * 3


@pytest.mark.parametrize("gap", [11, 600])
def test_time_in_which_nobody_looked_does_not_count(instance: dg.DagsterInstance, gap: int) -> None:
    """Check a machine that was suspended with observer and run, and a database that did not answer for some minutes."""
    run = add(instance, ELSEWHERE["container"])
    observations: Observations = {}
    for minute in (0, gap):
        look(instance, observations, timedelta(minutes=minute))
    assert state(instance, run) == (STARTED, None)
    look_every_minute(instance, observations, range(gap + 1, gap + 9))
    assert state(instance, run) == (STARTED, None), "9 minutes were observed"
    look_every_minute(instance, observations, range(gap + 9, gap + 10))
    assert state(instance, run)[0] == dg.DagsterRunStatus.FAILURE


def test_one_gap_never_is_the_whole_timeout(instance: dg.DagsterInstance) -> None:
    run = add(instance, ELSEWHERE["host"])
    observations: Observations = {}
    for minute in (0, 60):
        end_dead_runs(instance, timedelta(minutes=1), observations, START + timedelta(minutes=minute))
    assert state(instance, run) == (STARTED, None)


def test_the_timeout_of_the_run_counts_whatever_that_of_the_observer_is(instance: dg.DagsterInstance) -> None:
    """Check a location for trials beside production, on one Dagster."""
    runs = [add(instance, ELSEWHERE["host"], timeout_minutes=minutes) for minutes in (2, 30)]
    observations: Observations = {}
    look_every_minute(instance, observations, range(3), timedelta(minutes=1))
    assert [state(instance, run)[0] for run in runs] == [dg.DagsterRunStatus.FAILURE, STARTED]
    look_every_minute(instance, observations, range(3, 30), timedelta(minutes=1))
    assert state(instance, runs[1]) == (STARTED, None)
    look_every_minute(instance, observations, range(30, 31), timedelta(minutes=1))
    assert state(instance, runs[1])[0] == dg.DagsterRunStatus.FAILURE


def test_a_run_records_its_timeout() -> None:
    run = dg.DagsterRun(job_name="train", run_id="x", tags=heartbeat_tags("x", timedelta(minutes=30)))
    beat = read_beat(run)
    assert beat is not None
    assert (beat.process, beat.timeout) == (HERE, timedelta(minutes=30))


def test_a_clock_that_is_set_back_takes_nothing_back(instance: dg.DagsterInstance) -> None:
    run = add(instance, ELSEWHERE["host"])
    observations: Observations = {}
    look_every_minute(instance, observations, range(9))
    look_every_minute(instance, observations, range(-60, -57))
    assert state(instance, run)[0] == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("clock", [timedelta(minutes=-5.5), timedelta(hours=-5), timedelta(hours=5)])
def test_a_run_that_is_paused_for_five_minutes_is_never_marked_whatever_its_clock_shows(
    instance: dg.DagsterInstance, clock: timedelta
) -> None:
    run = add(instance, ELSEWHERE["host"], START + clock)
    observations: Observations = {}
    for pause in range(4):
        look_every_minute(instance, observations, range(pause * 5, pause * 5 + 6))
        assert state(instance, run) == (STARTED, None)
        beat = START + clock + timedelta(minutes=pause * 5 + 5)
        instance.add_run_tags(run, {HEARTBEAT_TAG: beat.isoformat()})


@pytest.mark.parametrize("clock", [timedelta(hours=-5), timedelta(hours=5)])
def test_a_dead_run_elsewhere_is_found_whatever_its_clock_showed(
    instance: dg.DagsterInstance, clock: timedelta
) -> None:
    run = add(instance, ELSEWHERE["host"], START + clock)
    observations: Observations = {}
    look(instance, observations, timedelta(0))
    assert state(instance, run) == (STARTED, None), "one look proves nothing"
    look_every_minute(instance, observations, range(1, 11))
    assert state(instance, run)[0] == dg.DagsterRunStatus.FAILURE


def test_a_run_without_a_heartbeat_is_never_marked(instance: dg.DagsterInstance) -> None:
    runs = [add(instance), add(instance, tags={PROCESS_TAG: "?", HEARTBEAT_TAG: "?"})]
    look(instance, {}, timedelta(days=365))
    assert [state(instance, run) for run in runs] == [(STARTED, None)] * 2


def test_a_queued_run_has_no_process_that_could_be_dead() -> None:
    assert dg.DagsterRunStatus.QUEUED not in LIVE


def test_a_run_that_promised_a_heartbeat_and_has_none_is_dead_after_the_timeout(instance: dg.DagsterInstance) -> None:
    run = add(instance, status=dg.DagsterRunStatus.NOT_STARTED, tags={PROMISE_TAG: "true"})
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "features"), run)
    (record,) = instance.get_run_records()
    assert record.start_time is not None
    started = datetime.fromtimestamp(record.start_time, UTC)
    for timeout in (timedelta(minutes=1), TIMEOUT):
        end_dead_runs(instance, timeout, {}, started + timedelta(minutes=9))
    assert state(instance, run) == (STARTED, None)
    end_dead_runs(instance, TIMEOUT, {}, started + timedelta(minutes=11))
    assert state(instance, run) == (dg.DagsterRunStatus.FAILURE, "runs.no-heartbeat")


@pytest.mark.parametrize(
    ("selected", "outcome"),
    [
        (["feature_table"], dg.DagsterRunStatus.FAILURE),
        (["feature_table", "of_other_code"], STARTED),
        (["of_other_code"], STARTED),
        ([], STARTED),
    ],
    ids=["ours", "both", "other", "none"],
)
def test_a_run_of_selected_assets_of_ours_is_found_without_a_tag(
    instance: dg.DagsterInstance, selected: list[str], outcome: dg.DagsterRunStatus
) -> None:
    """Check a run of the UI that was killed before its first heartbeat, which adds the tag."""
    assets = frozenset(dg.AssetKey(key) for key in selected) or None
    checks = frozenset(dg.AssetCheckKey(dg.AssetKey(key), "has_rows") for key in selected)
    for selection in ({"asset_selection": assets}, {"asset_check_selection": checks}):
        run = dg.DagsterRun(job_name="__ASSET_JOB", run_id=str(uuid.uuid4()), **selection)
        instance.add_run(run)
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
        later = datetime.now(UTC) + timedelta(minutes=11)
        end_dead_runs(instance, TIMEOUT, {}, later, frozenset({dg.AssetKey("feature_table")}))
        assert state(instance, run.run_id)[0] == outcome


def test_a_run_of_steps_without_a_heartbeat_is_not_marked(instance: dg.DagsterInstance) -> None:
    """Check a run of an earlier version, whose checks kept none."""
    run = add(instance, status=dg.DagsterRunStatus.NOT_STARTED, tags={PROMISE_TAG: "true"})
    for event in ("PIPELINE_START", "STEP_START"):
        instance.report_dagster_event(dg.DagsterEvent(event, "train"), run)
    end_dead_runs(instance, TIMEOUT, {}, datetime.now(UTC) + timedelta(days=1))
    assert state(instance, run) == (STARTED, None)


def test_a_run_with_the_tags_of_another_run_is_not_marked(instance: dg.DagsterInstance) -> None:
    """Check a run that a person executes again: Dagster copies the tags, with the process of the dead run."""
    dead = instance.get_run_by_id(add(instance, ENDED))
    assert dead is not None
    copied = add(instance, status=dg.DagsterRunStatus.STARTING, tags=dead.tags)
    look(instance, {}, timedelta(days=1))
    assert state(instance, copied) == (dg.DagsterRunStatus.STARTING, None)


def test_a_finished_run_stays_as_it_is(instance: dg.DagsterInstance) -> None:
    run = add(instance, ENDED, status=dg.DagsterRunStatus.SUCCESS)
    look(instance, {}, timedelta(days=1))
    assert state(instance, run) == (dg.DagsterRunStatus.SUCCESS, None)


def test_the_sensor_remembers_what_it_saw_and_forgets_finished_runs(instance: dg.DagsterInstance) -> None:
    build = sensor.build(load_settings("local", {}, environ={}))
    assert build.default_status == dg.DefaultSensorStatus.RUNNING
    run, dead = add(instance, ELSEWHERE["host"]), add(instance, ENDED)
    cursor = None
    for _ in range(2):
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        build(context)
        cursor = context.cursor
        assert cursor is not None
        (seen,) = json.loads(cursor).items()
        assert seen[0] == run
        assert seen[1][0] == START.isoformat()
    assert state(instance, dead)[0] == dg.DagsterRunStatus.FAILURE


def test_of_two_observers_only_one_writes_the_failure(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add(instance, ENDED)
    add_tags = instance.add_run_tags

    def add_after_another_observer(*given: Any) -> None:
        monkeypatch.setattr(instance, "add_run_tags", add_tags)
        look(instance, {}, timedelta(0))
        add_tags(*given)

    monkeypatch.setattr(instance, "add_run_tags", add_after_another_observer)
    assert end_dead_runs(instance, TIMEOUT, {}, START) == []
    assert state(instance, run) == (dg.DagsterRunStatus.FAILURE, "runs.process-ended")
    assert len(instance.all_logs(run, of_type=dg.DagsterEventType.RUN_FAILURE)) == 1


def test_a_heartbeat_of_this_process_is_alive(instance: dg.DagsterInstance) -> None:
    run_id = str(uuid.uuid4())
    run = dg.DagsterRun(job_name="features", run_id=run_id, status=STARTED, tags=heartbeat_tags(run_id, TIMEOUT))
    instance.add_run(run)
    look(instance, {}, timedelta(days=1))
    assert state(instance, run_id) == (STARTED, None)
