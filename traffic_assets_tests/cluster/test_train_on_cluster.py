"""The whole `train` job with `spark://` as master and `hdfs://` as storage, only by settings."""

import json
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import traffic_assets.__main__
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets.registry import ModelRegistry
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS, MiniHdfs
from traffic_assets_tests.cluster.minispark import MiniSpark, cluster_conf, spark_env
from traffic_assets_tests.cluster.uploads import upload
from traffic_assets_tests.commands import execute, run_commands
from traffic_assets_tests.tiny import DAYS, LANES, WEEK, tiny_profile, write_tiny_readings

TIMEOUT = 600


def test_the_train_job_on_a_cluster(
    spark: SparkSession, hdfs: MiniHdfs, spark_cluster: MiniSpark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = HadoopFileSystem(lambda: spark)
    base = f"{hdfs.uri}{tmp_path}/traffic-data"
    write_tiny_readings(tmp_path)
    upload(spark, tmp_path / "raw", f"{base}/raw")
    config = {**cluster_conf(), **{f"spark.hadoop.{key}": value for key, value in CLIENT_SETTINGS.items()}}
    profile = tmp_path / "cluster.json"
    profile.write_text(json.dumps(tiny_profile(base, {"spark": {"master": spark_cluster.url, "config": config}})))
    home = tmp_path / "home"
    home.mkdir()
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    environ = {**mine, **spark_env(), "TRAFFIC_PROFILE": str(profile), "DAGSTER_HOME": str(home)}

    both = (execute("features", {RANGE_START: DAYS[0], RANGE_END: DAYS[-1]}), execute("train", {PARTITION: WEEK}))
    for job in run_commands(both, tmp_path, environ, TIMEOUT):
        assert job.returncode == 0, job.output[-4000:]
    registry = ModelRegistry(f"{base}/models", fs)
    assert registry.lanes() == sorted(LANES)
    predictions = registry.load("random_forest").pipeline.transform(
        spark.read.parquet(registry.metadata("random_forest").training.splits + "/split=test")
    )
    assert predictions.where("prediction > 0").count() > 0

    # the command line under spark-submit, which sets master and memory
    for name, value in (("TRAFFIC_PROFILE", str(profile)), ("DAGSTER_HOME", str(home))):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRAFFIC_MODELS__RANDOM_FOREST__ENABLED", "false")
    monkeypatch.setenv("TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__ENABLED", "false")
    done = spark_cluster.submit(str(Path(traffic_assets.__main__.__file__)), "train", WEEK, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "linear_regression" in done.stdout
    assert registry.versions("linear_regression") == ["v1.0.0", "v1.1.0"]
