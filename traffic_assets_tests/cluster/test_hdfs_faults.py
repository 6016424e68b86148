"""Real faults of a real HDFS: each has its code, for Spark's reads and writes and for file operations."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.hadoop import FAIL_FAST, HadoopFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets_tests.cluster.minihdfs import MiniHdfs, free_port
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HANG = 60.0  # seconds; a timeout for hanging calls, not a performance limit
UNCHANGED = 2**63 - 1  # Hadoop's QUOTA_DONT_SET


@pytest.fixture(scope="module")
def breakable(spark: SparkSession) -> Iterator[MiniHdfs]:
    settings, key = spark.sparkContext._jsc.hadoopConfiguration(), "ipc.client.rpc-timeout.ms"
    settings.set(key, "3000")  # a frozen NameNode delays tests by 3 s, not by 10 s as for users
    with MiniHdfs() as cluster:
        yield cluster
    settings.set(key, FAIL_FAST[key])


@pytest.fixture
def cluster(breakable: MiniHdfs, hadoop_fs: HadoopFileSystem) -> Iterator[MiniHdfs]:
    """HDFS that is healthy before and after each test."""
    yield breakable
    breakable.heal()
    _await_answer(hadoop_fs, breakable)


@pytest.fixture
def table(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem) -> str:
    """A folder with a Parquet table and a file."""
    uri = f"{cluster.uri}/table"
    hadoop_fs.delete(uri)
    spark.range(10).coalesce(1).write.parquet(f"{uri}/rows")
    hadoop_fs.write_bytes(f"{uri}/file", b"data")
    return uri


def _await_answer(fs: HadoopFileSystem, cluster: MiniHdfs) -> None:
    """Retry until HDFS answers. A client's connection may still lead to a NameNode that was killed."""
    for _ in range(10):
        try:
            fs.write_bytes(f"{cluster.uri}/alive", b"")
            return
        except StorageError as error:
            assert error.retryable, error
    raise AssertionError("HDFS does not recover")


def _assert_fault(kind: str, cause: str, uri: str, *actions: Callable[[], Any]) -> None:
    """Assert that each action fails with a kind, its code, and a cause that matches a pattern."""
    for action in actions:
        started = time.monotonic()
        with pytest.raises(StorageError) as caught, storage_errors(uri):
            action()
        assert caught.value.kind == kind, caught.value
        assert get_code(caught.value) == f"storage.{kind.replace('_', '-')}"
        assert re.search(cause, get_values(caught.value)["cause"]), caught.value
        assert caught.value.retryable == (kind in {"unreachable", "frozen", "safe_mode"})
        assert uri in str(caught.value)
        assert caught.value.__cause__ is not None
        assert time.monotonic() - started < HANG


def _file_changes(fs: HadoopFileSystem, uri: str) -> list[Callable[[], Any]]:
    return [
        lambda: fs.mkdirs(f"{uri}/new"),
        lambda: fs.write_bytes(f"{uri}/file", b"new"),
        lambda: fs.create_exclusive(f"{uri}/claim", b"new"),
        lambda: fs.rename(f"{uri}/file", f"{uri}/moved"),
        lambda: fs.replace(f"{uri}/file", f"{uri}/moved"),
        lambda: fs.delete(f"{uri}/file"),
        lambda: fs.copy(f"{uri}/file", f"{uri}/copy"),
    ]


def _file_looks(fs: HadoopFileSystem, uri: str) -> list[Callable[[], Any]]:
    return [
        lambda: fs.exists(f"{uri}/file"),
        lambda: fs.list(uri),
        lambda: fs.size(uri),
        lambda: fs.read_bytes(f"{uri}/file"),
    ]


def _admin(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """Return Hadoop's DistributedFileSystem and the path, for operations of an administrator."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path


@contextmanager
def _user(spark: SparkSession, name: str) -> Iterator[None]:
    """Run all clients in the session's JVM as another user, which HDFS accepts with simple authentication."""
    jvm: Any = spark._jvm
    users = jvm.org.apache.hadoop.security.UserGroupInformation
    login = users.getLoginUser()
    users.setLoginUser(users.createRemoteUser(name))
    try:
        yield
    finally:
        users.setLoginUser(login)


def test_wrong_port(spark: SparkSession, hadoop_fs: HadoopFileSystem) -> None:
    uri = f"hdfs://127.0.0.1:{free_port()}/table"
    _assert_fault(
        "unreachable",
        "Connection refused|ConnectionRefused",
        uri,
        *_file_looks(hadoop_fs, uri),
        *_file_changes(hadoop_fs, uri),
        lambda: spark.range(3).write.parquet(uri),
        lambda: spark.read.parquet(uri),
        lambda: read_current(spark, uri),
    )


def test_the_port_of_the_web_page(cluster: MiniHdfs, hadoop_fs: HadoopFileSystem) -> None:
    uri = f"hdfs://127.0.0.1:{cluster.http_port}/table"
    _assert_fault("wrong_port", "", uri, lambda: hadoop_fs.exists(uri))


def test_dead_namenode(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    frame = spark.read.parquet(f"{table}/rows")
    cluster.kill_namenode()
    _assert_fault(
        "unreachable",
        "",
        table,
        *_file_looks(hadoop_fs, table),
        *_file_changes(hadoop_fs, table),
        lambda: spark.range(3).write.parquet(f"{table}/new"),
        lambda: spark.read.parquet(f"{table}/rows"),
        frame.collect,
    )
    cluster.heal()
    _await_answer(hadoop_fs, cluster)
    assert hadoop_fs.read_bytes(f"{table}/file") == b"data"
    assert frame.count() == 10


def test_frozen_namenode(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    cluster.freeze_namenode()
    _assert_fault(
        "frozen",
        "",
        table,
        lambda: hadoop_fs.exists(f"{table}/file"),
        lambda: spark.range(3).write.parquet(f"{table}/new"),
        lambda: spark.read.parquet(f"{table}/rows").collect(),
    )
    cluster.thaw_namenode()
    _await_answer(hadoop_fs, cluster)
    assert spark.read.parquet(f"{table}/rows").count() == 10


def test_safe_mode(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    admin, _ = _admin(spark, table)
    jvm: Any = spark._jvm
    action = jvm.org.apache.hadoop.fs.SafeModeAction
    dataset = Dataset(f"{table}/features", hadoop_fs, "date")
    old, new = dataset.stage("old"), dataset.stage("new")
    published = dataset.publish("2026-01-05", old, "old", {})
    admin.setSafeMode(action.ENTER)
    try:
        _assert_fault(
            "safe_mode",
            "SafeModeException",
            table,
            *_file_changes(hadoop_fs, table),
            lambda: spark.range(3).write.parquet(f"{table}/new"),
            lambda: dataset.publish("2026-01-05", new, "new", {}),
        )
        assert hadoop_fs.read_bytes(f"{table}/file") == b"data"
        assert spark.read.parquet(f"{table}/rows").count() == 10
        assert dataset.current("2026-01-05") == published
    finally:
        admin.setSafeMode(action.LEAVE)
    assert dataset.publish("2026-01-05", new, "new", {}) == dataset.current("2026-01-05")


def test_no_permission(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    admin, path = _admin(spark, table)
    with _user(spark, "stranger"):
        assert hadoop_fs.read_bytes(f"{table}/file") == b"data"
        _assert_fault(
            "permission",
            "user=stranger, access=WRITE",
            table,
            *_file_changes(hadoop_fs, table),
            lambda: spark.range(3).write.parquet(f"{table}/new"),
        )
        assert hadoop_fs.list(table), "a readable folder can be listed"
    jvm: Any = spark._jvm
    admin.setPermission(path, jvm.org.apache.hadoop.fs.permission.FsPermission("700"))
    with _user(spark, "stranger"):
        _assert_fault(
            "permission",
            "user=stranger, access=",
            table,
            *_file_looks(hadoop_fs, table),
            lambda: spark.read.parquet(f"{table}/rows"),
        )
    assert hadoop_fs.exists(f"{table}/file")


def test_namespace_quota(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    admin, path = _admin(spark, table)
    admin.setQuota(path, admin.getContentSummary(path).getDirectoryCount() + 3, UNCHANGED)
    _assert_fault(
        "name_quota",
        "NSQuotaExceededException",
        table,
        lambda: hadoop_fs.mkdirs(f"{table}/new"),
        lambda: hadoop_fs.write_bytes(f"{table}/other", b"new"),
        lambda: spark.range(3).write.parquet(f"{table}/new"),
    )


def test_space_quota(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    admin, path = _admin(spark, table)
    admin.setQuota(path, UNCHANGED, 64 * 1024 * 1024)  # less than one block
    _assert_fault(
        "space_quota",
        "DSQuotaExceededException",
        table,
        lambda: hadoop_fs.write_bytes(f"{table}/file", b"new"),
        lambda: hadoop_fs.create_exclusive(f"{table}/claim", b"new"),
        lambda: spark.range(3).write.parquet(f"{table}/new"),
    )
    assert hadoop_fs.read_bytes(f"{table}/file") == b"data", "only a temporary file was written"
    assert not hadoop_fs.exists(f"{table}/claim")


def test_dead_datanode(cluster: MiniHdfs, spark: SparkSession, hadoop_fs: HadoopFileSystem, table: str) -> None:
    cluster.kill_datanode()
    _assert_fault(
        "no_datanode",
        "",
        table,
        lambda: hadoop_fs.write_bytes(f"{table}/file", b"new"),
        lambda: hadoop_fs.create_exclusive(f"{table}/claim", b"new"),
        lambda: spark.range(3).write.parquet(f"{table}/new"),
    )
    _assert_fault(
        "missing_block",
        "",
        table,
        lambda: hadoop_fs.read_bytes(f"{table}/file"),
        lambda: spark.read.parquet(f"{table}/rows").collect(),
        lambda: spark.read.schema("id long").parquet(f"{table}/rows").collect(),
    )
    cluster.heal()
    assert hadoop_fs.read_bytes(f"{table}/file") == b"data"
    assert spark.read.parquet(f"{table}/rows").count() == 10
