"""Costs of a step, measured on work of known size."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs.costs import Meter, measure_cost
from traffic_assets.dagster_hdfs.io_managers.documents import JsonIOManager
from traffic_assets.dagster_hdfs.io_managers.frames import DataFrameIOManager
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.values import AssetOutput
from traffic_assets_tests.runs import QUIET

FIGURES = {"cost_wall_seconds", "cost_cpu_seconds", "cost_peak_memory_mb", "cost_shuffle_bytes", "cost_spill_bytes"}


def _shuffled(spark: SparkSession) -> None:
    spark.range(200_000).repartition(3).selectExpr("sum(id)", "sum(id * id)").collect()


def test_a_meter_counts_shuffles_and_the_cpu_time_of_both_processes(spark: SparkSession) -> None:
    _shuffled(spark)  # before the measurement
    meter = Meter()
    assert meter.read().shuffle_bytes == 0
    _shuffled(spark)
    one = meter.read()
    _shuffled(spark)
    two = meter.read()
    assert one.shuffle_bytes > 200_000
    assert 1.5 < two.shuffle_bytes / one.shuffle_bytes < 2.5
    assert two.wall_seconds > one.wall_seconds
    assert two.cpu_seconds >= one.cpu_seconds > 0
    assert one.spill_bytes == 0
    assert one.peak_memory_mb is not None
    assert one.peak_memory_mb > 100, "a JVM and a Python with pyarrow"


def test_cpu_time_of_python_workers_is_counted(spark: SparkSession) -> None:
    def busy(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        end = time.process_time() + 1.5
        while time.process_time() < end:
            pass
        yield from batches

    meter = Meter()
    spark.range(1, numPartitions=1).mapInArrow(busy, "id long").collect()
    assert meter.read().cpu_seconds > 1.4


def test_data_that_exceeds_the_memory_is_counted_as_spilled(spark: SparkSession) -> None:
    meter = Meter()
    spark.conf.set("spark.sql.windowExec.buffer.in.memory.threshold", 10)
    spark.conf.set("spark.sql.windowExec.buffer.spill.threshold", 10)
    try:
        spark.range(100).selectExpr("id", "sum(id) over (partition by id % 2) as s").selectExpr("sum(s)").collect()
    finally:
        spark.conf.unset("spark.sql.windowExec.buffer.in.memory.threshold")
        spark.conf.unset("spark.sql.windowExec.buffer.spill.threshold")
    assert meter.read().spill_bytes > 0


def test_every_materialization_has_its_cost_including_the_write(spark: SparkSession, tmp_path: Path) -> None:
    @dg.asset(io_manager_key="frames")
    @measure_cost
    def rows(context: dg.AssetExecutionContext) -> object:
        return spark.range(1000).repartition(2)  # computed when it is written

    @dg.asset
    @measure_cost
    def document(context: dg.AssetExecutionContext) -> dict[str, int]:
        return {"a": 1}

    @dg.asset
    @measure_cost
    def report(context: dg.AssetExecutionContext) -> AssetOutput:
        return AssetOutput({"a": 1}, rows=500)

    @dg.asset
    def unmeasured() -> dict[str, int]:
        return {"a": 1}

    hdfs = HdfsResource(spark=SparkResource(), base_uri=f"file://{tmp_path}")
    resources = {"frames": DataFrameIOManager(hdfs=hdfs), "io_manager": JsonIOManager(hdfs=hdfs)}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [rows, document, report, unmeasured], resources=resources, instance=instance, run_config=QUIET
        )
    costs: dict[str, dict[str, Any]] = {
        node: {k: v.value for k, v in result.asset_materializations_for_node(node)[0].metadata.items() if "cost_" in k}
        for node in ("rows", "document", "report", "unmeasured")
    }
    assert set(costs["rows"]) == FIGURES | {"cost_rows_per_second"}
    assert set(costs["document"]) == FIGURES
    assert set(costs["report"]) == FIGURES | {"cost_rows_per_second"}
    assert costs["unmeasured"] == {}
    assert costs["rows"]["cost_shuffle_bytes"] > 0
    assert costs["rows"]["cost_rows_per_second"] * costs["rows"]["cost_wall_seconds"] == pytest.approx(1000, rel=0.02)
