"""A training process is killed at every step of a publish, on a real HDFS, while a reader looks on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.registry import registry_of
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.resources import build_resources
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS, MiniHdfs
from traffic_assets_tests.cluster.paused import GO, REACHED
from traffic_assets_tests.runs import failures, run_features, run_train
from traffic_assets_tests.tiny import DAYS, WEEK, only_lanes, tiny_profile, tiny_settings, write_tiny_readings

pytestmark = pytest.mark.usefixtures("processes")

LANE = "linear_regression"
SPLITS = list(SPLIT_ASSETS.values())
PUBLISH_STEPS = ["staging written", "renamed", "pointer written aside", "pointer swapped"]
REGISTRY_STEPS = ["claimed", "files written", "published"]
PATIENCE = 180.0


@dataclass(frozen=True)
class OnHdfs:
    """A tiny deployment on HDFS that has been trained and registered once."""

    folder: Path
    changes: dict[str, object]
    uri: str

    def environ(self) -> dict[str, str]:
        """For a process of its own."""
        profile = self.folder / "profile.json"
        profile.write_text(json.dumps(tiny_profile(self.uri, self.changes)))
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
        return {**mine, "TRAFFIC_PROFILE": str(profile)}

    @property
    def hdfs(self) -> HdfsResource:
        """Its storage, through the test's own session."""
        resource = build_resources(tiny_settings(self.uri, self.changes))["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource

    @property
    def splits(self) -> Dataset:
        """The dataset that the kills hit."""
        return self.hdfs.dataset(SPLITS[0])

    @property
    def registry(self) -> ModelRegistry:
        """Its registry."""
        return registry_of(self.hdfs)

    def train(self, *only: str, impossible: bool = False) -> dg.ExecuteInProcessResult:
        """Train in the test's own process."""
        changes = dict(self.changes)
        if impossible:
            changes["evaluation"] = {"thresholds": {LANE: {"r2_min": 1.1}}}
        with dg.DagsterInstance.ephemeral() as instance:
            return run_train(build_defs(tiny_settings(self.uri, changes)), instance, WEEK, only=list(only))


@pytest.fixture(scope="module")
def deployed(spark: SparkSession, hdfs: MiniHdfs, tmp_path_factory: pytest.TempPathFactory) -> OnHdfs:
    folder = tmp_path_factory.mktemp("killed")
    fs = HadoopFileSystem(lambda: spark)
    uri = f"{hdfs.uri}{folder}/data"
    for path in sorted(write_tiny_readings(folder).rglob("*.parquet")):
        fs.write_bytes(f"{uri}/{path.relative_to(folder)}", path.read_bytes())
    client = {f"spark.hadoop.{key}": value for key, value in CLIENT_SETTINGS.items()}
    made = OnHdfs(folder, {**only_lanes(LANE), "spark": {"config": client}}, uri)
    with dg.DagsterInstance.ephemeral() as instance:
        features = run_features(build_defs(tiny_settings(uri, made.changes)), instance, DAYS)
        assert features.success, failures(features)
    first = made.train()
    assert first.success, failures(first)
    return made


@contextlib.contextmanager
def training_stopped_at(step: str, deployed: OnHdfs, folder: Path, *only: str) -> Iterator[subprocess.Popen[bytes]]:
    """A training process that stands at the step inside the block, and is dead after it."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "traffic_assets_tests.cluster.paused", step, str(folder), WEEK, *only],
            env=deployed.environ(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE
        while not (folder / REACHED).exists():
            said = (folder / "log").read_text(errors="replace")[-3000:]
            assert process.poll() is None, f"it ended before {step!r}:\n{said}"
            assert time.monotonic() < end, f"it never came to {step!r}:\n{said}"
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Reader(threading.Thread):
    """Reads the splits again and again, and notes every generation that it saw and every one that was not whole."""

    def __init__(self, spark: SparkSession, dataset: Dataset) -> None:
        super().__init__(daemon=True)
        self._spark, self._dataset, self._ended = spark, dataset, threading.Event()
        self.seen: set[str] = set()
        self.wrong: list[str] = []
        self.reads = 0

    def run(self) -> None:
        """Read until ended."""
        while not self._ended.is_set():
            try:
                current = self._dataset.current(WEEK)
                assert current is not None, "the pointer was missing"
                rows = self._spark.read.parquet(current.uri).count()
                assert rows == current.record["rows"], f"{rows} rows instead of {current.record['rows']}"
                self.seen.add(current.id)
            except Exception as error:
                self.wrong.append(repr(error))
            self.reads += 1

    def end(self) -> None:
        """Stop after the read under way."""
        self._ended.set()
        self.join(60)


class RegistryReader(threading.Thread):
    """Takes the latest version again and again, whole, and notes what was wrong."""

    def __init__(self, registry: ModelRegistry) -> None:
        super().__init__(daemon=True)
        self._registry, self._ended = registry, threading.Event()
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Read until ended."""
        while not self._ended.is_set():
            try:
                latest = self._registry.latest(LANE)
                self._registry.verify(LANE, latest)
                assert self._registry.metadata(LANE, latest).version == latest
                assert _latest_pointer(self._registry) in self._registry.versions(LANE)
                self.seen.add(latest)
            except Exception as error:
                self.wrong.append(repr(error))

    def end(self) -> None:
        """Stop after the read under way."""
        self._ended.set()
        self.join(60)


@pytest.mark.parametrize("step", PUBLISH_STEPS)
def test_a_publish_that_is_killed_leaves_the_old_or_the_new(
    spark: SparkSession, deployed: OnHdfs, tmp_path: Path, step: str
) -> None:
    before = deployed.splits.current(WEEK)
    assert before is not None
    reader = Reader(spark, deployed.splits)
    reader.start()
    with training_stopped_at(step, deployed, tmp_path, *SPLITS) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    after = deployed.splits.current(WEEK)
    reader.end()
    assert after is not None
    assert (after.id == before.id) == (step != "pointer swapped")
    assert reader.wrong == []
    assert reader.reads > 0
    assert reader.seen <= {before.id, after.id}
    assert spark.read.parquet(after.uri).count() == after.record["rows"]


def test_a_rerun_after_the_kills_succeeds(deployed: OnHdfs) -> None:
    before = deployed.splits.current(WEEK)
    again = deployed.train(*SPLITS)
    assert again.success, failures(again)
    after = deployed.splits.current(WEEK)
    assert before is not None
    assert after is not None
    assert after.id > before.id


def test_a_registration_that_is_killed_loses_nothing_and_a_rerun_heals(
    spark: SparkSession, deployed: OnHdfs, tmp_path: Path
) -> None:
    registry = deployed.registry
    (first,) = registry.versions(LANE)
    unregistered = deployed.train(impossible=True)  # a new model, evaluated, and stopped by its gate
    assert not unregistered.success
    entry = f"{LANE}_registry_entry"
    reader = RegistryReader(registry)
    reader.start()
    for step in REGISTRY_STEPS:
        folder = tmp_path / step.replace(" ", "_")
        folder.mkdir()
        with training_stopped_at(step, deployed, folder, entry) as process:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert registry.versions(LANE)[0] == first
        for version in registry.versions(LANE):
            registry.verify(LANE, version)
        assert len(registry.versions(LANE)) == (2 if step == "published" else 1)
        assert _latest_pointer(registry) == first
    again = deployed.train(entry)
    assert again.success, failures(again)
    second = registry.versions(LANE)[1:]
    assert len(second) == 1, "the version that was published before the kill is the one, not a second copy"
    assert _latest_pointer(registry) == second[0] == registry.latest(LANE)
    reader.end()
    assert reader.wrong == []
    assert reader.seen >= {first, second[0]}
    loaded = registry.load(LANE)
    assert loaded.metadata.version == second[0]


def test_two_runs_that_publish_one_partition_leave_one_whole_generation(
    spark: SparkSession, deployed: OnHdfs, tmp_path: Path
) -> None:
    with training_stopped_at("renamed", deployed, tmp_path, *SPLITS) as slow:
        quick = deployed.train(*SPLITS)
        assert quick.success, failures(quick)
        between = deployed.splits.current(WEEK)
        (tmp_path / GO).touch()
        assert slow.wait(PATIENCE) == 0, (tmp_path / "log").read_text(errors="replace")[-3000:]
    last = deployed.splits.current(WEEK)
    assert between is not None
    assert last is not None
    assert last.run_id != between.run_id, "the run whose pointer came last is current"
    assert spark.read.parquet(last.uri).count() == last.record["rows"]


def _latest_pointer(registry: ModelRegistry) -> str:
    pointer = json.loads(registry.filesystem.read_bytes(f"{registry.root}/{LANE}/latest.json"))
    return str(pointer["version"])
