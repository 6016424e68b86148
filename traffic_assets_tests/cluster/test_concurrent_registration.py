"""Twenty processes register at once on a real HDFS: twenty versions, each whole."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.registry.store import ModelRegistry
from traffic_assets_tests.cluster import registering
from traffic_assets_tests.cluster.minihdfs import MiniHdfs
from traffic_assets_tests.cluster.minispark import spark_env

PROCESSES, STARTING_AT_ONCE = 20, 4  # more JVMs that start at once only delay each other
TIMEOUT = 300.0  # a guard against hanging, not a promise of speed
LANE = "h15/random_forest"


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Those that the test starts; all are ended with it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
    for process in started:
        process.wait()


def _log(folder: Path, name: str, kind: str) -> Path:
    return folder / f"{name}.{kind}"


def _await_ready(processes: list[subprocess.Popen[str]], folder: Path, names: list[str], starting: int) -> None:
    """Wait until at most `starting` of the processes are not ready yet."""
    end = time.monotonic() + TIMEOUT
    while True:
        waiting = [i for i in range(len(processes)) if not _log(folder, names[i], "ready").exists()]
        if len(waiting) <= starting:
            return
        for i in waiting:
            assert processes[i].poll() is None, _log(folder, names[i], "err").read_text()[-3000:]
        assert time.monotonic() < end, f"{[names[i] for i in waiting]} did not get ready"
        time.sleep(registering.POLL)


def test_twenty_processes_registering_at_once_get_twenty_versions(
    hdfs: MiniHdfs, hadoop_fs: HadoopFileSystem, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    base = f"{hdfs.uri}{tmp_path}"
    names = [f"model-{number:02d}" for number in range(PROCESSES)]
    with ExitStack() as files:
        for name in names:
            _await_ready(processes, tmp_path, names, STARTING_AT_ONCE - 1)
            out, err = (files.enter_context(_log(tmp_path, name, kind).open("w")) for kind in ("out", "err"))
            command = [sys.executable, "-m", registering.__name__, base, LANE, name, str(tmp_path)]
            processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True, env=spark_env())
            )
        _await_ready(processes, tmp_path, names, 0)
    (tmp_path / "go").touch()
    for name, process in zip(names, processes, strict=True):
        assert process.wait(TIMEOUT) == 0, _log(tmp_path, name, "err").read_text()[-3000:]
    told = {name: _log(tmp_path, name, "out").read_text().split()[-1] for name in names}

    registry = ModelRegistry(f"{base}/models", hadoop_fs)
    assert registry.versions(LANE) == [f"v1.{minor}.0" for minor in range(PROCESSES)]
    assert sorted(told.values()) == sorted(registry.versions(LANE)), "each was told another one"
    lane = f"{registry.root}/{LANE}"
    for name, version in told.items():
        registry.verify(LANE, version)
        assert registry.metadata(LANE, version).version == version
        assert registry.metadata(LANE, version).training.model == f"{base}/generations/{name}"
        assert hadoop_fs.read_bytes(f"{lane}/{version}/model/data/part-0") == f"model of {name}".encode()
    newest = f"v1.{PROCESSES - 1}.0"
    assert registry.latest(LANE) == newest
    assert newest in hadoop_fs.read_bytes(f"{lane}/latest.json").decode()
    assert hadoop_fs.list(f"{lane}/_staging") == []
    assert len(hadoop_fs.list(f"{lane}/_claims")) == PROCESSES
