"""Training runs that are killed at every step of publishing and registering, on a real HDFS with active readers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.registry import get_registry
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.resources import build_resources
from traffic_assets_tests.cluster import paused
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS, MiniHdfs
from traffic_assets_tests.cluster.minispark import spark_env
from traffic_assets_tests.cluster.paused import ENDED, GO, REACHED, Plan, write_plans
from traffic_assets_tests.cluster.uploads import upload
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import failures, run_train
from traffic_assets_tests.tiny import WEEK, only_lanes

pytestmark = pytest.mark.usefixtures("processes")

LANE = Lane("linear_regression")
SPLITS = list(SPLIT_ASSETS.values())
PUBLISH_STEPS = ["staging written", "renamed", "pointer written aside", "pointer swapped"]
REGISTRY_STEPS = ["claimed", "files written", "published"]
SLOW = "slow"
PATIENCE = 180.0
PAUSE = 0.1
"""Seconds between a reader's rounds. Without a pause it would slow down the runs that it observes."""
CHANGES = {
    **only_lanes(LANE.id),
    "spark": {"config": {f"spark.hadoop.{key}": value for key, value in CLIENT_SETTINGS.items()}},
}
SPLIT_FOLDERS = ("processed/ml-features", "training/splits")
LANE_FOLDERS = ("training/splits", f"training/{LANE.model}", f"training/{LANE.temporal_verdict}")


@dataclass(frozen=True)
class OnHdfs:
    """A copy of a trained tiny deployment on HDFS, and the plan of the run that is killed there."""

    plan: Plan

    @property
    def hdfs(self) -> HdfsResource:
        """Storage, through the test's own session."""
        resource = build_resources(self.plan.settings)["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource

    @property
    def splits(self) -> Dataset:
        """The dataset that the killed runs publish."""
        return self.hdfs.dataset(SPLITS[0])

    @property
    def registry(self) -> ModelRegistry:
        """The registry in which the killed runs register."""
        return get_registry(self.hdfs)

    def current(self) -> Generation:
        """Return the current generation of the splits."""
        current = self.splits.current(WEEK)
        assert current is not None
        return current

    def train(self, *only: str) -> None:
        """Materialize some assets in the test's own process."""
        with dg.DagsterInstance.ephemeral() as instance:
            result = run_train(build_defs(self.plan.settings), instance, WEEK, only=list(only))
        assert result.success, failures(result)


@dataclass
class Seen:
    """Complete states of one deployment that a reader saw, and its errors."""

    whole: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


class Reader(threading.Thread):
    """A thread that reads every deployment repeatedly."""

    def __init__(self, looks: Mapping[str, Callable[[], str]]) -> None:
        super().__init__(daemon=True)
        self._looks, self._ended = looks, threading.Event()
        self._rounds = 0
        self.seen = {name: Seen() for name in looks}

    def run(self) -> None:
        """Read until ended."""
        while not self._ended.wait(PAUSE):
            for name, look in self._looks.items():
                try:
                    self.seen[name].whole.add(look())
                except Exception as error:
                    self.seen[name].wrong.append(repr(error))
            self._rounds += 1

    def look_once_more(self) -> None:
        """Wait for a round that began after the call."""
        wanted = self._rounds + 2
        _wait_until(lambda: self._rounds >= wanted, lambda: "the reader does not finish its round")

    def end(self) -> None:
        """Stop after the current round."""
        self._ended.set()
        self.join(60)


def _read_splits(spark: SparkSession, deployed: OnHdfs) -> str:
    current = deployed.splits.current(WEEK)
    assert current is not None, "the pointer was missing"
    rows = spark.read.parquet(current.uri).count()
    assert rows == current.record["rows"], f"{rows} rows instead of {current.record['rows']}"
    return current.id


def _read_latest(deployed: OnHdfs) -> str:
    registry = deployed.registry
    latest = registry.latest(LANE.id)
    registry.verify(LANE.id, latest)
    assert registry.metadata(LANE.id, latest).version == latest
    assert _latest_pointer(registry) in registry.versions(LANE.id)
    return latest


def _latest_pointer(registry: ModelRegistry) -> str:
    pointer = json.loads(registry.filesystem.read_bytes(f"{registry.root}/{LANE.id}/latest.json"))
    return str(pointer["version"])


@dataclass
class Killed:
    """State after a process was killed, by step.

    Attributes:
        deployed: Storage of each run.
        reader: Reader of all of them.
        before: Current generation of the splits before the process was started.
        between: Generation that another run published while one run was stopped, which then continued.
    """

    deployed: Mapping[str, OnHdfs]
    reader: Reader
    before: Mapping[str, Generation]
    between: Generation


@pytest.fixture(scope="module")
def killed(
    spark: SparkSession, hdfs: MiniHdfs, trained: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Killed]:
    """One process with a run for every step, killed once each run has reached its step."""
    folder = tmp_path_factory.mktemp("killed")
    runs = {SLOW: "renamed", **{step: step for step in PUBLISH_STEPS + REGISTRY_STEPS}}
    signals = {name: folder / name.replace(" ", "_") for name in runs}
    for place in signals.values():
        place.mkdir()
    deployed = dict[str, OnHdfs]()
    for name, step in runs.items():
        if step not in REGISTRY_STEPS:
            base = f"{hdfs.uri}{signals[name]}"
            deployed[name] = OnHdfs(Plan(step, str(signals[name]), base, CHANGES, SPLITS))
            for part in SPLIT_FOLDERS:
                upload(spark, trained.base / part, f"{base}/{part}")
    # one lane whose model is evaluated, and a separate registry for each run that registers it
    base = f"{hdfs.uri}{folder}/lane"
    for part in LANE_FOLDERS:
        upload(spark, trained.base / part, f"{base}/{part}")
    for step in REGISTRY_STEPS:
        registry = f"models/{signals[step].name}"
        upload(spark, trained.base / "models" / LANE.id, f"{base}/{registry}/{LANE.id}")
        changes = {**CHANGES, "persistence": {"registry_folder": registry}}
        deployed[step] = OnHdfs(Plan(step, str(signals[step]), base, changes, [LANE.registry_entry]))
    deployed[REGISTRY_STEPS[0]].train(LANE.diagnostics, LANE.evaluation)
    looks: dict[str, Callable[[], str]] = {
        name: partial(_read_latest, one) if name in REGISTRY_STEPS else partial(_read_splits, spark, one)
        for name, one in deployed.items()
    }
    before = {name: one.current() for name, one in deployed.items()}
    reader = Reader(looks)
    reader.start()
    try:
        reader.look_once_more()
        with _stopped_at_their_steps(folder, [one.plan for one in deployed.values()]) as process:
            slow = deployed[SLOW]
            slow.train(*SPLITS)
            between = slow.current()
            reader.look_once_more()
            (signals[SLOW] / GO).touch()
            _wait_until((signals[SLOW] / ENDED).exists, lambda: f"{slow.plan} does not end")
            assert (signals[SLOW] / ENDED).read_text() == "{}"
            reader.look_once_more()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.look_once_more()
        yield Killed(deployed, reader, before, between)
    finally:
        reader.end()


@contextlib.contextmanager
def _stopped_at_their_steps(folder: Path, plans: list[Plan]) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a training process whose runs have reached their steps; it is dead after the block."""
    path, written = folder / "plans.json", folder / "log"
    write_plans(path, plans)
    environ = {k: v for k, v in spark_env().items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    with written.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", paused.__name__, str(path)],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for plan in plans:
            signals = Path(plan.folder)

            def reached(signals: Path = signals) -> bool:
                assert process.poll() is None, written.read_text(errors="replace")[-3000:]
                assert not (signals / ENDED).exists(), (signals / ENDED).read_text()
                return (signals / REACHED).exists()

            _wait_until(reached, lambda: written.read_text(errors="replace")[-3000:])
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.05)


@pytest.mark.parametrize("step", PUBLISH_STEPS)
def test_a_killed_publisher_leaves_a_complete_generation(spark: SparkSession, killed: Killed, step: str) -> None:
    """Check the generation after the kill, and that the next run can publish."""
    deployed, before, seen = killed.deployed[step], killed.before[step], killed.reader.seen[step]
    after = deployed.current()
    assert (after.id == before.id) == (step != "pointer swapped")
    assert spark.read.parquet(after.uri).count() == after.record["rows"]
    deployed.train(*SPLITS)
    again = deployed.current()
    assert again.id > after.id
    killed.reader.look_once_more()
    assert seen.wrong == []
    assert seen.whole == {before.id, after.id, again.id}


@pytest.mark.parametrize("step", REGISTRY_STEPS)
def test_a_killed_registration_loses_nothing_and_a_rerun_completes_it(
    spark: SparkSession, killed: Killed, step: str
) -> None:
    deployed, seen = killed.deployed[step], killed.reader.seen[step]
    registry = deployed.registry
    first, *published = registry.versions(LANE.id)
    for version in registry.versions(LANE.id):
        registry.verify(LANE.id, version)
    assert len(published) == (1 if step == "published" else 0)
    assert _latest_pointer(registry) == first
    deployed.train(LANE.registry_entry)
    assert registry.versions(LANE.id)[0] == first
    (second,) = registry.versions(LANE.id)[1:]
    assert not published or published == [second], "the version that was published before the kill, not a copy"
    assert _latest_pointer(registry) == second == registry.latest(LANE.id)
    killed.reader.look_once_more()
    assert seen.wrong == []
    assert seen.whole == {first, second}
    loaded = registry.load(LANE.id)
    assert loaded.metadata.version == second


def test_two_runs_that_publish_one_partition_leave_one_complete_generation(spark: SparkSession, killed: Killed) -> None:
    last, between = killed.deployed[SLOW].current(), killed.between
    assert last.run_id != between.run_id, "the run whose pointer came last is current"
    assert last.run_id != killed.before[SLOW].run_id
    assert spark.read.parquet(last.uri).count() == last.record["rows"]
    seen = killed.reader.seen[SLOW]
    assert seen.wrong == []
    assert seen.whole == {killed.before[SLOW].id, between.id, last.id}
