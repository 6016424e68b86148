"""Fixtures shared by all tests: one local Spark session, a real HDFS, a real Spark standalone cluster.

Each is started for the first test that requests it, and stopped after the last test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.dagster_hdfs.resources import DEFAULTS, THROUGHPUT
from traffic_assets.settings.plugins import METRIC_GROUP
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS, MiniHdfs
from traffic_assets_tests.cluster.minispark import MiniSpark, spark_env
from traffic_assets_tests.deployment import TRAINED, Deployment, copied, deploy
from traffic_assets_tests.packages import METRIC, Install, installing
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.refused import Refused, refuse
from traffic_assets_tests.runs import run_train
from traffic_assets_tests.tiny import ALL_DIAGNOSTICS, WEEK
from traffic_assets_tests.wheels import build_wheel

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session whose Hadoop client also reaches the test HDFS (by full URIs)."""
    from pyspark.sql import SparkSession

    os.environ.update(spark_env())
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("traffic_assets_tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        # With many short jobs, Java's C2 compiler costs more than it saves. Without C2 the code cache defaults to
        # 48 MB, which the tests fill, so that compiled code would be evicted repeatedly.
        .config("spark.driver.extraJavaOptions", f"{THROUGHPUT} -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .config("spark.log.level", "ERROR")  # the errors that tests cause would fill pages
    )
    for key, value in (DEFAULTS | {f"spark.hadoop.{key}": value for key, value in CLIENT_SETTINGS.items()}).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def hdfs() -> Iterator[MiniHdfs]:
    """A real HDFS that stays healthy; tests that break theirs start their own."""
    with MiniHdfs() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def spark_cluster() -> Iterator[MiniSpark]:
    """A real Spark standalone cluster of one worker."""
    with MiniSpark() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def processes() -> Processes:
    """Runner of programs, which every test that starts a process requests."""
    return Processes()


@pytest.fixture(scope="session")
def wheel(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this project."""
    return build_wheel(processes, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def hadoop_fs(spark: SparkSession) -> HadoopFileSystem:
    """Hadoop's client in the test session."""
    return HadoopFileSystem(lambda: spark)


@pytest.fixture(params=["local", "hdfs"])
def storage(request: pytest.FixtureRequest, tmp_path: os.PathLike[str]) -> tuple[FileSystem, str]:
    """Each file system in turn, with the URI of an empty folder on it."""
    if request.param == "local":
        return LocalFileSystem(), f"file://{tmp_path}"
    cluster, fs = request.getfixturevalue("hdfs"), request.getfixturevalue("hadoop_fs")
    base = f"{cluster.uri}{tmp_path}"
    fs.mkdirs(base)
    return fs, base


@pytest.fixture(scope="session")
def with_features(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Deployment]:
    """A deployment with features only; tests use its storage with their own settings."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield deploy(tmp_path_factory.mktemp("features"), instance)


@pytest.fixture(scope="session")
def trained(with_features: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A whole week, trained and registered; tests only read it."""
    base, instance = tmp_path_factory.mktemp("trained"), with_features.instance
    made = copied(with_features, base, instance, {"evaluation": {"diagnostics": ALL_DIAGNOSTICS}})
    train = run_train(build_defs(made.settings), instance, WEEK)
    return Deployment(made.base, made.settings, made.instance, made.features, train)


@pytest.fixture
def retrainable(trained: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A copy of the trained week, with the same splits, for a test that trains some of it again."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield copied(trained, tmp_path / "retrainable", instance, folders=TRAINED)


@pytest.fixture(scope="session")
def refused(with_features: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """A week of two targets, trained by the command line; one lane of each misses its gate."""
    return refuse(with_features, tmp_path_factory.mktemp("refused"))


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Function that installs third-party packages for one test."""
    folder = tmp_path / "site"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, installing(folder, patch) as made:
        yield made


@pytest.fixture
def far(install: Install) -> str:
    """An installed metric: the mean absolute error, declared as higher is better."""
    install("acme-metrics", METRIC, {METRIC_GROUP: {"far": "FAR"}})
    return "far"
