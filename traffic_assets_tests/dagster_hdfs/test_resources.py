"""The resources: settings of a session, lazy start, and locations of assets."""

import os
import sys
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.processes import Processes


@pytest.fixture(autouse=True)
def not_under_spark_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)


def test_a_local_session_listens_on_loopback_only() -> None:
    config = SparkResource(master="local[*]", driver_memory="3g").spark_config()
    assert config["spark.master"] == "local[*]"
    assert config["spark.driver.memory"] == "3g"
    assert config["spark.driver.bindAddress"] == "127.0.0.1"
    assert config["spark.ui.enabled"] == "false"
    assert config["spark.sql.session.timeZone"] == "UTC"
    assert int(config["spark.ui.retainedStages"]) >= 10_000, "costs are sums over stages"


def test_a_cluster_reaches_the_driver_and_users_settings_win() -> None:
    resource = SparkResource(master="spark://m:7077", config={"spark.sql.session.timeZone": "UTC", "spark.x": "1"})
    config = resource.spark_config()
    assert "spark.driver.bindAddress" not in config
    assert config["spark.x"] == "1"


def test_spark_submit_decides_master_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "12345")
    config = SparkResource(master="spark://m:7077").spark_config()
    assert "spark.master" not in config
    assert "spark.driver.memory" not in config


def test_an_active_session_is_used(spark: SparkSession) -> None:
    assert SparkResource(app_name="another").session is spark


def test_a_session_with_another_time_zone_is_refused(spark: SparkSession) -> None:
    spark.conf.set("spark.sql.session.timeZone", "America/Los_Angeles")
    try:
        with pytest.raises(ValueError) as caught:
            _ = SparkResource().session
        assert get_code(caught.value) == "spark.wrong-time-zone"
        assert get_values(caught.value) == {
            "setting": "spark.sql.session.timeZone",
            "zone": "America/Los_Angeles",
            "expected": "UTC",
        }
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert SparkResource().session is spark


def test_workers_of_a_local_session_run_the_python_of_their_driver(processes: Processes, tmp_path: Path) -> None:
    """Check with another python3 on the PATH, as without an active virtual environment."""
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\nexit 7\n")
    other.chmod(0o755)
    program = (
        "import sys; from pyspark.sql.functions import udf\n"
        "from traffic_assets.dagster_hdfs.resources import SparkResource\n"
        "spark = SparkResource(master='local[1]').session\n"
        "print('RESULT', spark.range(1).select(udf(lambda _: sys.executable)('id')).collect()[0][0])\n"
    )
    environ = {k: v for k, v in os.environ.items() if k != "PYSPARK_PYTHON"} | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}"
    }
    done = processes.python("-c", program, env=environ)
    assert f"RESULT {sys.executable}" in done.stdout, done.stderr[-2000:]


def test_work_on_local_uris_starts_no_jvm(processes: Processes, tmp_path: Path) -> None:
    program = (
        "import sys; from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource\n"
        f"hdfs = HdfsResource(spark=SparkResource(), base_uri='file://{tmp_path}')\n"
        "hdfs.filesystem.write_bytes(hdfs.uri('x'), b'y')\n"
        "print(hdfs.filesystem.read_bytes(hdfs.uri('x')), 'pyspark' in sys.modules)"
    )
    done = processes.python("-c", program, check=True)
    assert done.stdout.strip() == "b'y' False"


def test_the_whole_key_names_the_place(tmp_path: Path) -> None:
    hdfs = HdfsResource(spark=SparkResource(), base_uri=f"file://{tmp_path}", locations={"a/b": "elsewhere/c"})
    assert hdfs.dataset(dg.AssetKey(["a", "b"])).root == f"file://{tmp_path}/elsewhere/c"
    assert hdfs.dataset(dg.AssetKey(["x", "b"])).root == f"file://{tmp_path}/assets/x/b"


@pytest.mark.parametrize("name", ["../up", "a/../../b", "_staging", "a b", ""])
def test_no_name_leads_out_of_the_base(tmp_path: Path, name: str) -> None:
    hdfs = HdfsResource(spark=SparkResource(), base_uri=f"file://{tmp_path}")
    with pytest.raises(ValueError) as caught:
        hdfs.dataset(name)
    assert get_code(caught.value) == "storage.invalid-name"
