"""DataFrames: the range of timestamps in the record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs.io_managers.frames import DataFrameIOManager
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource

EARLY, LATE = "2026-01-05T08:00:00+00:00", "2026-01-05T23:59:59.250000+00:00"


def write(spark: SparkSession, folder: Path, rows: Sequence[tuple[Any, ...]], column: str | None) -> dict[str, Any]:
    """Write rows with a date and a timestamp, and return the facts of each partition."""
    hdfs = HdfsResource(spark=SparkResource(), base_uri=f"file://{folder}")
    frame = spark.createDataFrame(list(rows), "date string, at string").selectExpr(
        "date", "cast(at as timestamp) as timestamp"
    )
    partitions = ["2026-01-05", "2026-01-06"] if column else ["all"]
    return DataFrameIOManager(hdfs=hdfs, partition_column=column)._write(frame, f"file://{folder}/data", partitions)


def test_each_day_records_its_first_and_last_timestamp(spark: SparkSession, tmp_path: Path) -> None:
    rows = [("2026-01-05", LATE), ("2026-01-05", EARLY), ("2026-01-05", None)]
    facts = write(spark, tmp_path, rows, "date")
    assert (facts["2026-01-05"]["rows"], facts["2026-01-05"]["timestamp_range"]) == (3, [EARLY, LATE])
    assert (facts["2026-01-06"]["rows"], facts["2026-01-06"]["timestamp_range"]) == (0, None)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([("2026-01-05", EARLY)], [EARLY, EARLY]), ([("2026-01-05", None)], None), ([], None)],
    ids=["one row", "no timestamp", "no rows"],
)
def test_a_table_without_partitions_records_its_range(
    spark: SparkSession, tmp_path: Path, rows: list[tuple[str, str | None]], expected: list[str] | None
) -> None:
    facts = write(spark, tmp_path, rows, None)
    assert (facts["all"]["rows"], facts["all"]["timestamp_range"]) == (len(rows), expected)


def test_a_table_without_timestamps_records_no_range(spark: SparkSession, tmp_path: Path) -> None:
    hdfs = HdfsResource(spark=SparkResource(), base_uri=f"file://{tmp_path}")
    frame = spark.createDataFrame([("a", "2026-01-05")], "sensor_id string, timestamp string")
    facts = DataFrameIOManager(hdfs=hdfs)._write(frame, f"file://{tmp_path}/data", ["all"])
    assert facts["all"].keys() == {"rows", "schema"}
