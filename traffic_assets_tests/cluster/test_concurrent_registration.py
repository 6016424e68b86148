"""Concurrent registration by twenty processes on a real HDFS: twenty versions, each complete."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.registry.store import ModelRegistry
from traffic_assets_tests.cluster import registering
from traffic_assets_tests.cluster.minihdfs import MiniHdfs

PROCESSES = 20
TIMEOUT = 300.0  # seconds; a timeout for hanging processes, not a performance limit
LANE = "h15/random_forest"


@pytest.fixture
def processes() -> Iterator[list[BaseProcess]]:
    """The processes that the test starts; all end with the test."""
    started: list[BaseProcess] = []
    yield started
    for process in started:
        process.kill()
    for process in started:
        process.join()


def test_twenty_concurrent_registrations_get_twenty_versions(
    spark: SparkSession, hdfs: MiniHdfs, hadoop_fs: HadoopFileSystem, tmp_path: Path, processes: list[BaseProcess]
) -> None:
    base = f"{hdfs.uri}{tmp_path}"
    names = [f"model-{number:02d}" for number in range(PROCESSES)]
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    address = (gateway.gateway_parameters.port, gateway.gateway_parameters.auth_token)
    context = multiprocessing.get_context("forkserver")  # its processes import everything once
    context.set_forkserver_preload([registering.__name__, pytest.__name__])
    start = context.Barrier(PROCESSES, timeout=TIMEOUT)
    for name in names:
        process = context.Process(target=registering.main, args=(address, start, base, LANE, name, str(tmp_path)))
        process.start()
        processes.append(process)
    for name, started in zip(names, processes, strict=True):
        started.join(TIMEOUT)
        assert started.exitcode == 0, name
    registered = {name: json.loads((tmp_path / f"{name}.json").read_text())["version"] for name in names}

    registry = ModelRegistry(f"{base}/models", hadoop_fs)
    assert registry.versions(LANE) == [f"v1.{minor}.0" for minor in range(PROCESSES)]
    assert sorted(registered.values()) == sorted(registry.versions(LANE)), "each process got its own version"
    lane = f"{registry.root}/{LANE}"
    for name, version in registered.items():
        registry.verify(LANE, version)
        assert registry.metadata(LANE, version).version == version
        assert registry.metadata(LANE, version).training.model == f"{base}/generations/{name}"
        assert hadoop_fs.read_bytes(f"{lane}/{version}/model/data/part-0") == f"model of {name}".encode()
    newest = f"v1.{PROCESSES - 1}.0"
    assert registry.latest(LANE) == newest
    assert newest in hadoop_fs.read_bytes(f"{lane}/latest.json").decode()
    assert hadoop_fs.list(f"{lane}/_staging") == []
    assert len(hadoop_fs.list(f"{lane}/_claims")) == PROCESSES
