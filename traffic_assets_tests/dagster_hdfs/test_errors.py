"""Storage errors from errors of Spark and the operating system; for HDFS see `cluster/test_hdfs_faults.py`."""

from __future__ import annotations

import errno
import os
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from traffic_assets.dagster_hdfs import errors
from traffic_assets.dagster_hdfs.errors import StorageError, explain, storage_errors
from traffic_assets.messages.catalogue import catalogue
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.processes import Processes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOST_SESSIONS = """
import os, signal, subprocess, sys
from pyspark.sql import SparkSession
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
fs = HadoopFileSystem(lambda: spark)
fs.exists(sys.argv[1])
spark.stop()
kinds = []
for attempt in range(3):  # stopped; killed: one call finds its connection closed, the next finds no server
    if attempt == 1:
        os.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), signal.SIGKILL)
    try:
        fs.exists(sys.argv[1])
    except StorageError as error:
        kinds.append((error.kind, error.retryable))
print(kinds)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.EACCES, "local_permission", "storage.local-permission"),
        (errno.EROFS, "read_only", "storage.read-only"),
        (errno.ENOSPC, "no_space", "storage.no-space"),
        (errno.EDQUOT, "space_quota", "storage.space-quota"),
        (errno.ETIMEDOUT, "frozen", "storage.frozen"),
    ],
)
def test_errors_of_the_operating_system(number: int, kind: str, code: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("file:///data/x"):
        raise OSError(number, os.strerror(number), "/data/x")
    assert (caught.value.kind, get_code(caught.value)) == (kind, code)
    assert caught.value.retryable == (kind == "frozen")
    values = get_values(caught.value)
    assert values["paths"] == ["file:///data/x"]
    assert os.strerror(number) in values["cause"]
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file"),
        FileExistsError(errno.EEXIST, "File exists"),
        ValueError("java.io.EOFException AccessControlException"),
        StorageError("already explained", "frozen"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_pass_unchanged(error: BaseException) -> None:
    assert explain(error, "file:///data") is None
    with pytest.raises(type(error)) as caught, storage_errors("file:///data"):
        raise error
    assert caught.value is error


def test_the_code_of_each_kind_is_its_name_with_hyphens() -> None:
    kinds = re.findall(r"`(\w+)`", (StorageError.__doc__ or "").split("The kinds are")[1].split(". The code")[0])
    assert len(kinds) == 21
    assert {f"storage.{kind.replace('_', '-')}" for kind in kinds} <= catalogue().keys()


def test_the_example_of_each_message_has_a_cause_of_its_kind() -> None:
    for rule in errors._RULES:
        cause = str(rule.message.example["cause"])
        assert next(other for other in errors._RULES if other.pattern.search(cause)) is rule, cause


def test_a_storage_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(StorageError("gone", "unreachable", retryable=True)))
    assert (str(error), error.kind, error.retryable) == ("gone", "unreachable", True)


def test_a_password_in_the_uri_is_left_out() -> None:
    error = explain(PermissionError(errno.EACCES, "at hdfs://jane:s3cret@host/x"), "hdfs://jane:s3cret@host/x")
    assert error is not None
    assert "hdfs://***@host/x" in str(error)
    assert "s3cret" not in str(error)


def test_a_missing_path_is_file_not_found(spark: SparkSession, tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/nothing"
    with pytest.raises(FileNotFoundError) as caught, storage_errors(uri):
        spark.read.parquet(uri)
    assert get_code(caught.value) == "storage.path-missing"
    assert get_values(caught.value)["uri"] == uri


def test_an_error_in_a_query_is_not_a_storage_error(spark: SparkSession) -> None:
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException, match="UNRESOLVED_COLUMN"), storage_errors("file:///data"):
        spark.range(1).select("speed")


@pytest.mark.parametrize("content", [b"this is text, as long as a footer", b"PAR1"])
def test_a_corrupt_parquet_file_is_named(spark: SparkSession, tmp_path: Path, content: bytes) -> None:
    spark.range(100).coalesce(1).write.parquet(f"file://{tmp_path}/data")
    (tmp_path / "data" / "part-bad.parquet").write_bytes(content)
    with pytest.raises(StorageError) as caught, storage_errors(f"file://{tmp_path}/data"):
        spark.read.schema("id long").parquet(f"file://{tmp_path}/data").collect()
    assert (caught.value.kind, caught.value.retryable) == ("corrupt_file", False)
    assert get_code(caught.value) == "storage.corrupt-file"
    folder, file = get_values(caught.value)["paths"]
    assert folder == f"file://{tmp_path}/data"
    assert file.endswith("/part-bad.parquet")


def test_a_damaged_page_is_a_corrupt_file(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(100_000).coalesce(1).write.option("compression", "zstd").parquet(f"file://{tmp_path}/data")
    (part,) = (tmp_path / "data").glob("part-*")
    (tmp_path / "data" / f".{part.name}.crc").unlink()
    good = part.read_bytes()
    part.write_bytes(good[:20_000] + bytes(2000) + good[22_000:])
    with pytest.raises(StorageError) as caught, storage_errors(f"file://{tmp_path}/data"):
        spark.read.parquet(f"file://{tmp_path}/data").collect()
    assert caught.value.kind == "corrupt_file"
    assert get_values(caught.value)["paths"][1].endswith(f"/{part.name}")


def test_a_column_of_another_type_is_not_a_corrupt_file(spark: SparkSession, tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/data"
    spark.range(10).selectExpr("cast(id as string) as speed").write.parquet(uri)
    with pytest.raises(StorageError) as caught, storage_errors(uri):
        spark.read.schema("speed double").parquet(uri).collect()
    assert (caught.value.kind, get_code(caught.value)) == ("schema_mismatch", "storage.schema-mismatch")


def test_a_file_that_vanishes_while_it_is_read_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(10).write.parquet(f"file://{tmp_path}/data")
    frame = spark.read.parquet(f"file://{tmp_path}/data")
    for part in (tmp_path / "data").glob("part-*"):
        part.unlink()
    with pytest.raises(FileNotFoundError) as caught, storage_errors(f"file://{tmp_path}/data"):
        frame.collect()
    assert get_code(caught.value) == "storage.path-missing"


def test_an_unknown_host_and_an_unknown_scheme(spark: SparkSession) -> None:
    for uri, kind in (
        ("hdfs://nowhere.invalid:9000/x", "unknown_host"),
        ("nosuch://host/x", "no_client"),
        ("s3a://bucket/x", "no_client"),
    ):
        with pytest.raises(StorageError) as caught, storage_errors(uri):
            spark.read.parquet(uri)
        assert (caught.value.kind, caught.value.retryable) == (kind, False)


def test_an_error_in_python_code_on_the_workers_is_not_a_storage_error(spark: SparkSession) -> None:
    from pyspark.errors import PySparkException

    def broken(_: int) -> int:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    with pytest.raises(PySparkException, match="Connection refused"), storage_errors("file:///data"):
        spark.sparkContext.parallelize([1]).map(broken).collect()


def test_a_stopped_session_and_a_killed_jvm_are_a_lost_session(processes: Processes, tmp_path: Path) -> None:
    done = processes.python("-c", LOST_SESSIONS, f"file://{tmp_path}")
    assert done.stdout.strip() == f"{[('session_lost', False)] * 3}", done.stderr
