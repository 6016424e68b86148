"""`traffic-assets train` in processes of its own: stopped, killed, and started three times at once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.liveness.dead_runs import CODE_TAG
from traffic_assets.registry.reading import RegistryReader
from traffic_assets_tests.deployment import FEATURES, Deployment
from traffic_assets_tests.liveness.homes import ROOT, Home, wait_until
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.tiny import WEEK, only_lanes

LANE = "linear_regression"
BASE = "Straße ü 50%/data"
TRAIN = [sys.executable, "-m", "traffic_assets", "train", WEEK]
MakeHome = Callable[[str], Home]
Started = tuple["subprocess.Popen[Any]", Path]
"""A process and its output."""


@pytest.fixture
def make_home(with_features: Deployment, processes: Processes, tmp_path: Path) -> MakeHome:
    """Function that returns a Dagster home by name; all use one copy of the deployment."""
    for folder in FEATURES:
        shutil.copytree(with_features.base / folder, tmp_path / BASE / folder)
    return lambda name: Home(processes, tmp_path, name, BASE, only_lanes(LANE))


@contextmanager
def training(home: Home, log: str) -> Iterator[Started]:
    """Start the command; yield its process and its output."""
    path = home.folder / log
    with (
        path.open("wb") as output,
        home.processes.start(TRAIN, env=home.environ, cwd=ROOT, stdout=output, stderr=output) as process,
    ):
        yield process, path


def reach(step: str, process: "subprocess.Popen[Any]", log: Path) -> None:
    """Wait until a run is in a step."""

    def reached() -> bool:
        assert process.poll() is None, log.read_text()
        return step in log.read_text()

    wait_until(reached, log.read_text)


def wait_for_one_in_its_first_step(started: list[Started]) -> list[Started]:
    """Wait until one of several trainings has begun, and return it before the others."""

    def begun() -> list[Started]:
        return [one for one in started if "splits" in one[1].read_text()]

    wait_until(begun, lambda: "\n".join(log.read_text() for _, log in started))
    (first,) = begun()
    return [first, *(one for one in started if one is not first)]


def no_process_is_left(group: int) -> bool:
    """Return True if a session has no process, such as a JVM."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def only_run(home: Home) -> dg.DagsterRun:
    (run_id,) = home.run_ids()
    return home.run(run_id)


@pytest.mark.parametrize(
    ("by", "code", "step"),
    [(signal.SIGTERM, 143, "splits"), (signal.SIGHUP, 129, "fitted_preprocessor")],
    ids=["SIGTERM", "SIGHUP"],
)
def test_a_training_that_is_stopped_is_canceled_and_its_jvm_ends(
    make_home: MakeHome, by: signal.Signals, code: int, step: str
) -> None:
    home = make_home("home")
    with training(home, "stopped.log") as (process, log):
        reach(step, process, log)
        process.send_signal(by)
        assert process.wait(60) == code
        assert "[cli.stopped]" in log.read_text()
        wait_until(lambda: no_process_is_left(process.pid), log.read_text)
    assert only_run(home).status == dg.DagsterRunStatus.CANCELED


def test_after_a_kill_the_next_training_marks_the_run_and_takes_the_week_over(make_home: MakeHome) -> None:
    home = make_home("home")
    with training(home, "killed.log") as (process, log):
        reach("fitted_preprocessor", process, log)
        process.kill()
        process.wait()
        wait_until(lambda: no_process_is_left(process.pid), log.read_text)
        killed = only_run(home)
        assert killed.status == dg.DagsterRunStatus.STARTED
    with training(home, "next.log") as (process, log):
        assert process.wait(300) == 0, log.read_text()
    assert home.run(killed.run_id).status == dg.DagsterRunStatus.FAILURE
    assert home.run(killed.run_id).tags[CODE_TAG] == "runs.process-ended"


def test_of_three_trainings_at_once_one_works_and_the_others_name_it(make_home: MakeHome) -> None:
    homes = [make_home("home"), make_home("home"), make_home("another_home")]
    with ExitStack() as stack:
        started = [stack.enter_context(training(home, f"{number}.log")) for number, home in enumerate(homes)]
        ((first, log), *others) = wait_for_one_in_its_first_step(started)
        first.send_signal(signal.SIGSTOP)  # otherwise it could end before the others begin
        outputs = [(process.wait(300), log.read_text()) for process, log in others]
        first.send_signal(signal.SIGCONT)
        outputs.append((first.wait(300), log.read_text()))
    assert sorted(code for code, _ in outputs) == [0, 3, 3], outputs
    registry = RegistryReader(f"file://{homes[0].folder}/{BASE}/models", LocalFileSystem())
    (version,) = registry.versions(LANE)
    trained_by = registry.metadata(LANE, version).training.run_id
    for code, output in outputs:
        assert ("R²" in output) is (code == 0), "only the run that trained prints a leaderboard"
        if code == 3:
            assert "[runs.lease-held]" in output
            assert trained_by in output
    runs = [home.run(run_id) for home in (homes[0], homes[2]) for run_id in home.run_ids()]
    assert [run.run_id for run in runs if run.status == dg.DagsterRunStatus.SUCCESS] == [trained_by]
