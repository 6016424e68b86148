"""Rows that executors of a real Spark standalone cluster publish on HDFS and read back."""

from __future__ import annotations

import sys
from pathlib import Path

from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS, MiniHdfs
from traffic_assets_tests.cluster.minispark import MiniSpark

SCRIPT = """
import sys
from pyspark.sql import SparkSession
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.reading import read_current
spark = SparkSession.builder.getOrCreate()
dataset = Dataset(sys.argv[1], filesystem_for(sys.argv[1], lambda: spark), "date")
for key in ("2026-01-05", "2026-01-06"):
    for rows in (7, 10):
        staged = dataset.stage("run-1")
        spark.range(rows).write.mode("append").parquet(staged)
        dataset.publish(key, staged, "run-1", {"rows": rows})
pythons = read_current(spark, sys.argv[1]).rdd.map(lambda row: __import__("sys").executable).collect()
print("RESULT", len(pythons), set(pythons), spark.sparkContext.master)
"""


def test_executors_share_what_is_published(spark_cluster: MiniSpark, hdfs: MiniHdfs, tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(SCRIPT)
    conf = {f"spark.hadoop.{key}": value for key, value in CLIENT_SETTINGS.items()}
    done = spark_cluster.submit(str(script), f"{hdfs.uri}{tmp_path}/features", conf=conf)
    result = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert result == [f"RESULT 20 { {sys.executable} } {spark_cluster.url}"], done.stderr[-3000:]
