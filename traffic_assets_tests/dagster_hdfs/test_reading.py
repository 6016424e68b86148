"""Reading published data with Spark: only current rows, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.reading import read_current, read_generations, read_schema, recorded_schema
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAYS = ["2026-01-05", "2026-01-06", "2026-01-07"]


@pytest.fixture
def dataset(storage: tuple[FileSystem, str]) -> Dataset:
    fs, base = storage
    return Dataset(f"{base}/features", fs, "date")


@pytest.fixture
def local(tmp_path: Path) -> Dataset:
    """A dataset for tests that do not depend on the file system."""
    return Dataset(f"file://{tmp_path}/features", LocalFileSystem(), "date")


def _publish(dataset: Dataset, key: str, frame: DataFrame, **record: object) -> Generation:
    staged = dataset.stage("run-1")
    frame.coalesce(1).write.mode("append").parquet(staged)
    frame.coalesce(1).write.parquet(f"{staged}/_quarantine")
    return dataset.publish(key, staged, "run-1", record)


def _rows(frame: DataFrame) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in frame.collect())


def test_current_rows_come_once_with_their_partition(dataset: Dataset, spark: SparkSession) -> None:
    for number, key in enumerate(DAYS):
        _publish(dataset, key, spark.range(100, 105))
        _publish(dataset, key, spark.range(number, number + 1))
    assert read_current(spark, dataset.root).dtypes == [("id", "bigint"), ("date", "string")]
    assert _rows(read_current(spark, dataset.root)) == [(number, key) for number, key in enumerate(DAYS)]
    assert _rows(read_current(spark, dataset.root, DAYS[1], DAYS[1])) == [(1, DAYS[1])]
    assert _rows(read_current(spark, dataset.root, start=DAYS[1])) == [(1, DAYS[1]), (2, DAYS[2])]
    assert _rows(read_current(spark, dataset.root, end="2026-01-06")) == [(0, DAYS[0]), (1, DAYS[1])]


def test_an_empty_partition_has_columns_and_no_rows(local: Dataset, spark: SparkSession) -> None:
    _publish(local, DAYS[0], spark.range(2))
    _publish(local, DAYS[1], spark.range(0))
    assert _rows(read_current(spark, local.root)) == [(0, DAYS[0]), (1, DAYS[0])]
    assert read_current(spark, local.root, start=DAYS[1]).columns == ["id", "date"]


def test_an_empty_selection_names_the_published_range(local: Dataset, spark: SparkSession) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_current(spark, local.root)
    assert get_code(caught.value) == "storage.nothing-published"
    assert get_values(caught.value) == {"uri": local.root}
    _publish(local, DAYS[0], spark.range(1))
    _publish(local, DAYS[2], spark.range(1))
    with pytest.raises(FileNotFoundError) as caught:
        read_current(spark, local.root, "2026-02-01", "2026-02-07")
    assert get_code(caught.value) == "storage.nothing-in-range"
    assert get_values(caught.value) == {
        "uri": local.root,
        "start": "2026-02-01",
        "end": "2026-02-07",
        "first": DAYS[0],
        "last": DAYS[2],
    }


def test_a_plain_read_fails_instead_of_doubling_rows(dataset: Dataset, spark: SparkSession) -> None:
    from pyspark.errors import AnalysisException

    _publish(dataset, DAYS[0], spark.range(1))
    _publish(dataset, DAYS[0], spark.range(1))
    with pytest.raises(AnalysisException, match="UNABLE_TO_INFER_SCHEMA"):
        spark.read.parquet(dataset.root)


def test_keys_stay_strings_and_win_over_a_column_in_the_files(local: Dataset, spark: SparkSession) -> None:
    _publish(local, "007", spark.range(1).selectExpr("date'2020-01-01' as date", "id"))
    frame = read_current(spark, local.root)
    assert frame.dtypes == [("id", "bigint"), ("date", "string")]
    assert _rows(frame) == [(0, "007")]


def test_columns_are_those_of_the_last_generation(local: Dataset, spark: SparkSession) -> None:
    first = _publish(local, DAYS[0], spark.range(1).selectExpr("id", "1.5D as gone"))
    last = _publish(local, DAYS[1], spark.range(1).selectExpr("id", "2.5D as added"))
    frame = read_generations(spark, [first, last])
    assert frame.columns == ["id", "added", "date"]
    assert {(row.added, row.date) for row in frame.collect()} == {(None, DAYS[0]), (2.5, DAYS[1])}


def _recorded(dataset: Dataset, key: str, frame: DataFrame) -> Generation:
    staged = dataset.stage("run-1")
    frame.write.mode("append").parquet(staged)
    return dataset.publish(key, staged, "run-1", {"schema": recorded_schema(frame.schema)})


def test_recorded_columns_are_not_read_from_files(local: Dataset, spark: SparkSession) -> None:
    made = spark.range(1).selectExpr(
        "id", "timestamp'2026-01-05 08:00:00' as at", "cast(1.5 as decimal(10, 2)) as `a ``b`` c`", "true as `order`",
        "array(named_struct('x', 1, 'y', 'z')) as nested",
    )  # fmt: skip
    generation = _recorded(local, DAYS[0], made)
    sc = spark.sparkContext
    sc.setJobGroup(local.root, "a look into a file is a job")
    try:
        schema = read_schema(spark, generation)
        assert not sc.statusTracker().getJobIdsForGroup(local.root)
        spark.read.parquet(generation.uri)
        assert sc.statusTracker().getJobIdsForGroup(local.root), "otherwise the previous assertion proves nothing"
    finally:
        sc._jsc.clearJobGroup()
    assert [(f.name, f.dataType) for f in schema] == [
        (f.name, f.dataType) for f in spark.read.parquet(generation.uri).schema
    ]
    assert read_generations(spark, [generation]).drop("date").collect() == made.collect()


def test_columns_whose_type_has_no_name_in_sql_are_read_from_files(local: Dataset, spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors, VectorUDT

    generation = _recorded(local, DAYS[0], spark.createDataFrame([(Vectors.dense([1.0, 2.0]),)], ["vector"]))
    assert isinstance(read_schema(spark, generation)["vector"].dataType, VectorUDT)
    assert read_generations(spark, [generation]).collect()[0]["vector"] == Vectors.dense([1.0, 2.0])


def test_datasets_without_partition_column(
    storage: tuple[FileSystem, str], spark: SparkSession, dataset: Dataset
) -> None:
    fs, base = storage
    splits = Dataset(f"{base}/splits", fs)
    staged = splits.stage("run-1")
    spark.range(4).selectExpr("id", "if(id < 3, 'train', 'test') as split").coalesce(1).write.mode(
        "append"
    ).partitionBy("split").parquet(staged)
    week = splits.publish("2026-01-05", staged, "run-1", {})
    assert _rows(read_current(spark, splits.root)) == [(0, "train"), (1, "train"), (2, "train"), (3, "test")]
    other = _publish(dataset, DAYS[0], spark.range(1))
    with pytest.raises(ValueError) as caught:
        read_generations(spark, [week, other])
    assert get_code(caught.value) == "storage.different-layouts"
    assert get_values(caught.value)["count"] == 2
    with pytest.raises(ValueError) as caught:
        read_generations(spark, [])
    assert get_code(caught.value) == "storage.no-generations"


def test_a_year_is_one_scan(spark: SparkSession, tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), LocalFileSystem(), "date")
    template = dataset.stage("template")
    spark.range(3).write.mode("append").parquet(template)
    for day in range(1, 366):
        staged = dataset.stage("run-1")
        dataset.discard(staged)
        dataset.filesystem.copy(template, staged)
        dataset.publish(f"{day:03}", staged, "run-1", {})
    frame = read_current(spark, dataset.root, "001", "365")
    assert frame._jdf.queryExecution().executedPlan().toString().count("FileScan") == 1
    assert (frame.count(), frame.select("date").distinct().count()) == (3 * 365, 365)


def test_a_generation_that_was_removed_is_missing(dataset: Dataset, spark: SparkSession) -> None:
    generation = _publish(dataset, DAYS[0], spark.range(1))
    dataset.filesystem.delete(generation.uri)
    with pytest.raises(StorageError) as caught:
        read_current(spark, dataset.root)
    assert get_code(caught.value) == "storage.missing-generation"
    assert get_values(caught.value) == {
        "subject": f"features {DAYS[0]}",
        "paths": [generation.uri],
        "remedy": f"materialize features {DAYS[0]} again",
    }


def _damage(dataset: Dataset, generation: Generation, kind: str) -> str:
    """Damage the Parquet file of a generation, and return its URI."""
    (part,) = [e.uri for e in dataset.filesystem.list(generation.uri) if e.name.endswith(".parquet")]
    content = dataset.filesystem.read_bytes(part)
    dataset.filesystem.delete(part)
    if kind != "missing":
        dataset.filesystem.write_new(part, {"emptied": b"", "shortened": content[:-100]}[kind])
    return part


@pytest.mark.parametrize("kind", ["missing", "emptied", "shortened"])
def test_a_damaged_file_is_an_error_and_never_fewer_rows(dataset: Dataset, spark: SparkSession, kind: str) -> None:
    generations = [_publish(dataset, key, spark.range(5)) for key in DAYS]
    part = _damage(dataset, generations[1], kind)
    for read in (lambda: read_current(spark, dataset.root), lambda: read_generations(spark, generations)):
        with pytest.raises(StorageError) as caught:
            read()
        assert get_code(caught.value) == "storage.damaged-generation"
        assert list(get_values(caught.value)["files"]) == [part]
        assert get_values(caught.value)["subject"] == f"features {DAYS[1]}"
    assert _rows(read_current(spark, dataset.root, end=DAYS[0])) == [(number, DAYS[0]) for number in range(5)]


def test_records_of_earlier_code_are_compared_by_rows(local: Dataset, spark: SparkSession) -> None:
    """Check a file of the same size with fewer rows, which only the Parquet footer shows."""
    generations = []
    for key in DAYS:
        published = _publish(local, key, spark.range(5))
        generations.append(replace(published, record={"rows": 5}))
    assert read_generations(spark, generations).count() == 15
    weeks = Dataset(local.root.replace("features", "weeks"), LocalFileSystem())
    week = replace(_publish(weeks, DAYS[0], spark.range(3)), record={"rows": 4})
    generations[1] = replace(generations[1], record={"rows": 7})
    for read, generation, rows in ((generations, generations[1], "5 rows, 7"), ([week], week, "3 rows, 4")):
        with pytest.raises(StorageError) as caught:
            read_generations(spark, read)
        assert get_values(caught.value)["files"] == {generation.uri: f"{rows} recorded"}


class TestTimes:
    """Rows by their timestamp: hours 0 to 23 of each day in UTC."""

    @pytest.fixture
    def hours(self, local: Dataset, spark: SparkSession) -> Dataset:
        for key in DAYS:
            hour = f"timestamp'{key} 00:00:00' + make_interval(0, 0, 0, 0, cast(id as int))"
            first, last = f"{key}T00:00:00+00:00", f"{key}T23:00:00+00:00"
            _publish(local, key, spark.range(24).selectExpr(f"{hour} as timestamp"), timestamp_range=[first, last])
        return local

    def test_only_rows_and_files_of_the_range_are_read(self, hours: Dataset, spark: SparkSession) -> None:
        since = datetime(2026, 1, 6, 22, tzinfo=UTC)
        rows = read_current(spark, hours.root, since=since, until=since + timedelta(hours=3))
        assert [row["hour"] for row in rows.selectExpr("hour(timestamp) as hour").orderBy("timestamp").collect()] == [
            22, 23, 0
        ]  # fmt: skip
        assert len(rows.inputFiles()) == 2
        assert read_current(spark, hours.root, since=since).count() == 26
        assert read_current(spark, hours.root, until=since.astimezone(timezone(timedelta(hours=-8)))).count() == 46

    def test_a_range_without_rows_has_the_columns(self, hours: Dataset, spark: SparkSession) -> None:
        rows = read_current(spark, hours.root, since=datetime(2027, 1, 1, tzinfo=UTC))
        assert (rows.columns, rows.count()) == (["timestamp", "date"], 0)

    def test_a_limit_needs_a_time_zone(self, local: Dataset, spark: SparkSession) -> None:
        with pytest.raises(ValueError) as caught:
            read_current(spark, local.root, since=datetime(2026, 1, 6))
        assert get_code(caught.value) == "storage.naive-time"


def test_a_column_that_changed_its_type_is_explained(local: Dataset, spark: SparkSession) -> None:
    _publish(local, DAYS[0], spark.range(1).selectExpr("'fast' as speed"))
    _publish(local, DAYS[1], spark.range(1).selectExpr("1.0D as speed"))
    with pytest.raises(StorageError) as caught, storage_errors(local.root):
        read_current(spark, local.root).collect()
    assert get_code(caught.value) == "storage.schema-mismatch"
