"""Runs in processes of their own that are killed, stopped and paused: `dagster job execute` and `dagster dev`."""

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.dead_runs import CODE_TAG, end_dead_runs
from traffic_assets.liveness.heartbeat import HEARTBEAT_TAG, PROCESS_TAG, PROMISE_TAG, read_beat
from traffic_assets.liveness.lease import Holder
from traffic_assets.liveness.process import Process
from traffic_assets_tests.cluster.minihdfs import free_port
from traffic_assets_tests.liveness.homes import LOCATION, ROOT, Home, wait_until
from traffic_assets_tests.liveness.waiting_names import GO, REACHED, REQUESTED
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.tiny import WEEK

TIMEOUT = timedelta(minutes=10)
LIMIT = 120.0
"""Seconds within which a run that was killed is marked as ended."""


@pytest.fixture
def home(processes: Processes, tmp_path: Path) -> Home:
    return Home(processes, tmp_path)


def look(home: Home) -> None:
    with home.instance() as instance:
        end_dead_runs(instance, TIMEOUT, {})


@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["SIGTERM", "SIGHUP"])
def test_a_run_that_is_stopped_is_canceled_and_the_next_one_starts(home: Home, by: signal.Signals, code: int) -> None:
    with home.executing() as stopped:
        assert stopped.end(by) == code
        assert stopped.run.status == dg.DagsterRunStatus.CANCELED
    with home.executing() as following:
        (home.folder / GO).touch()
        assert following.process.wait(60) == 0
        assert following.run.status == dg.DagsterRunStatus.SUCCESS


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored(home: Home) -> None:
    with home.executing("nohup") as run:
        before = run.run.tags[HEARTBEAT_TAG]
        run.process.send_signal(signal.SIGHUP)
        wait_until(lambda: run.run.tags[HEARTBEAT_TAG] != before, run.log.read_text)
        (home.folder / GO).touch()
        assert run.process.wait(60) == 0
        assert run.run.status == dg.DagsterRunStatus.SUCCESS


def test_a_killed_run_is_failed_by_the_start_of_the_next_one_and_a_paused_one_is_not(home: Home) -> None:
    with home.executing() as run:
        run.process.send_signal(signal.SIGSTOP)
        look(home)
        assert run.run.status == dg.DagsterRunStatus.STARTED, "it is only paused"
        refused = home.processes.run(home.command(), env=home.environ, cwd=ROOT)
        assert refused.returncode != 0
        assert "[runs.lease-held]" in refused.stderr
        assert run.run_id in refused.stderr
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        assert run.run.status == dg.DagsterRunStatus.STARTED, "nobody knows yet"
        with home.executing() as following:
            assert run.run.status == dg.DagsterRunStatus.FAILURE
            assert run.run.tags[CODE_TAG] == "runs.process-ended"
            assert following.run.status == dg.DagsterRunStatus.STARTED


def test_a_run_of_another_dagster_home_is_refused_or_waits(processes: Processes, tmp_path: Path) -> None:
    first, second = Home(processes, tmp_path, "first"), Home(processes, tmp_path, "second")
    with first.executing() as holder:
        refused = processes.run(second.command(), env=second.environ, cwd=ROOT)
        assert refused.returncode != 0
        beat = read_beat(holder.run)
        assert beat is not None
        for known in (holder.run_id, beat.process.host, str(holder.process.pid)):
            assert known in refused.stderr
        (run_id,) = second.run_ids()
        assert second.run(run_id).tags[CODE_TAG] == "runs.lease-held"
        waiting = [*second.command(**{"traffic_assets/wait": "true"})]
        log = tmp_path / "waiting.log"
        with (
            log.open("wb") as output,
            processes.start(waiting, env=second.environ, cwd=ROOT, stdout=output, stderr=output) as waits,
        ):
            wait_until(lambda: "Waiting for the run" in log.read_text(), log.read_text)
            assert not [run for run in second.run_ids() if (tmp_path / f"{run}{REACHED}").exists()]
            (tmp_path / GO).touch()
            assert holder.process.wait(60) == 0
            assert waits.wait(60) == 0


def test_a_run_that_was_marked_as_failed_while_it_was_paused_stops(home: Home) -> None:
    with home.executing() as run:
        run.process.send_signal(signal.SIGSTOP)
        with home.instance() as instance:
            instance.report_run_failed(run.run)
        run.process.send_signal(signal.SIGCONT)
        assert run.process.wait(60) != 0
        assert "[runs.ended-elsewhere]" in run.log.read_text()
        assert run.run.status == dg.DagsterRunStatus.FAILURE


def test_a_run_whose_lease_was_taken_over_stops(home: Home) -> None:
    with home.executing() as run:
        folder = f"file://{home.folder}/data/{leases.FOLDER}/{leases.train_task(WEEK)}"
        other = Holder("other", Process("elsewhere", 1), datetime.now(UTC))
        assert LocalFileSystem().create_exclusive(f"{folder}/2.json", other.to_json())
        assert run.process.wait(60) != 0
        assert "[runs.lease-lost]" in run.log.read_text()
        assert run.run.status == dg.DagsterRunStatus.FAILURE


@pytest.fixture
def dagster_dev(home: Home) -> Iterator[tuple[Path, int]]:
    """The log and the port of `dagster dev` on the code location that waits."""
    port, log = free_port(), home.folder / "dev.log"
    command = [sys.executable, "-m", "dagster", "dev", "-m", LOCATION, "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        home.processes.start(command, env=home.environ, cwd=ROOT, stdout=output, stderr=output) as process,
    ):
        yield log, port
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_under_dagster_dev_the_next_run_starts_by_itself(home: Home, dagster_dev: tuple[Path, int]) -> None:
    """Kill the process of a run of the command line, then stop three runs of the daemon: by signals and in the UI."""
    log, port = dagster_dev

    def started(week: str) -> str:
        """Request a run of a week, and return its id when its step waits."""
        before = home.run_ids()
        (home.folder / f"{week}{REQUESTED}").touch()
        ids: list[str] = []

        def reached() -> bool:
            ids[:] = [run for run in home.run_ids() - before if (home.folder / f"{run}{REACHED}").exists()]
            return bool(ids)

        wait_until(reached, log.read_text)
        return ids[0]

    with home.executing() as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        # max_concurrent_runs is 1, so the first run starts when the killed one is marked
        wait_until(lambda: killed.run.status == dg.DagsterRunStatus.FAILURE, log.read_text, LIMIT)
        assert killed.run.tags[CODE_TAG] == "runs.process-ended"
    weeks = iter([WEEK, "2026-01-12", "2026-01-19", "2026-01-26"])
    run_id = started(next(weeks))
    assert PROMISE_TAG in home.run(run_id).tags, "Dagster's daemon adds the tags of the job"
    for by in (signal.SIGTERM, signal.SIGHUP):
        os.kill(json.loads(home.run(run_id).tags[PROCESS_TAG])["pid"], by)
        wait_until(lambda run_id=run_id: home.run(run_id).is_finished, log.read_text, LIMIT)  # type: ignore[misc]
        assert home.run(run_id).status == dg.DagsterRunStatus.CANCELED
        run_id = started(next(weeks))
    query = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
    body = json.dumps({"query": query, "variables": {"id": run_id}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        assert b"TerminateRunSuccess" in response.read()
    wait_until(lambda: home.run(run_id).is_finished, log.read_text, LIMIT)
    assert home.run(run_id).status == dg.DagsterRunStatus.CANCELED
    last = started(next(weeks))
    (home.folder / GO).touch()
    wait_until(lambda: home.run(last).is_finished, log.read_text)
    assert home.run(last).status == dg.DagsterRunStatus.SUCCESS
