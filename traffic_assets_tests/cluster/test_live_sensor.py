"""A real `dagster dev` with its daemons: the sensor trains a week once, and again if its run was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.build import build_defs
from traffic_assets.liveness.heartbeat import read_beat
from traffic_assets.partitions import PARTITION
from traffic_assets.sensors import SENSOR
from traffic_assets.settings import load_settings
from traffic_assets_tests.cluster.minihdfs import free_port
from traffic_assets_tests.runs import failures, run_features
from traffic_assets_tests.tiny import DAYS, WEEK, only_lanes, tiny_profile, write_tiny_readings

pytestmark = pytest.mark.usefixtures("processes")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    profile = tmp_path / "tiny.json"
    profile.write_text(json.dumps(tiny_profile(tmp_path / "data", only_lanes("linear_regression"))))
    write_tiny_readings(tmp_path / "data")
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    return {**mine, "TRAFFIC_PROFILE": str(profile), "DAGSTER_HOME": str(home)}


@pytest.fixture
def dagster_dev(environ: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The log of the UI and the daemons on the project's own workspace."""
    # two processes that create Dagster's tables at the same time fail: create them first
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        instance.get_runs(limit=1)
        instance.get_asset_keys(limit=1)
        instance.all_instigator_state()
    log = tmp_path / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(free_port())],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    yield log
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition: Callable[[], bool], what: str, log: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}\n{log.read_text(errors='replace')[-4000:]}"
        time.sleep(0.5)


def test_the_sensor_trains_a_week_once(spark: SparkSession, environ: dict[str, str], dagster_dev: Path) -> None:
    wait_until(lambda: SENSOR in dagster_dev.read_text(errors="replace"), "the first tick of the sensor", dagster_dev)
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        features = run_features(build_defs(load_settings(environ["TRAFFIC_PROFILE"], environ={})), instance, DAYS)
        assert features.success, failures(features)

        def trainings() -> list[dg.RunRecord]:
            return list(instance.get_run_records(dg.RunsFilter(job_name="train")))

        def ticks_after(timestamp: float) -> list[Any]:
            ticks: list[Any] = []
            for state in instance.all_instigator_state():
                if state.instigator_name == SENSOR:
                    ticks += instance.get_ticks(state.instigator_origin_id, state.selector_id, after=timestamp)
            return ticks

        def ended() -> bool:
            return any(record.dagster_run.is_finished for record in trainings())

        wait_until(ended, "a training that has ended", dagster_dev)
        (record,) = trainings()
        assert record.dagster_run.status == dg.DagsterRunStatus.SUCCESS
        assert record.dagster_run.tags[PARTITION] == WEEK
        end = record.end_time
        assert end is not None

        def looked_again() -> bool:
            return any(tick.is_completed for tick in ticks_after(end))

        wait_until(looked_again, "a tick of the sensor after the training", dagster_dev)
        assert not any(tick.is_failure or tick.run_ids for tick in ticks_after(end))
        assert len(trainings()) == 1, "the same data is never trained twice"


def test_the_sensor_starts_a_killed_training_again(
    spark: SparkSession, environ: dict[str, str], dagster_dev: Path
) -> None:
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        features = run_features(build_defs(load_settings(environ["TRAFFIC_PROFILE"], environ={})), instance, DAYS)
        assert features.success, failures(features)

        def trainings() -> list[dg.DagsterRun]:
            return list(instance.get_runs(dg.RunsFilter(job_name="train")))

        wait_until(lambda: any(map(read_beat, trainings())), "the first heartbeat of a training", dagster_dev)
        (killed,) = trainings()
        beat = read_beat(killed)
        assert beat is not None
        os.kill(beat.process.pid, signal.SIGKILL)
        wait_until(lambda: len(trainings()) == 2, "a second training", dagster_dev)
        wait_until(lambda: all(run.is_finished for run in trainings()), "the end of both trainings", dagster_dev)
        again, first = trainings()
        assert (first.run_id, first.status) == (killed.run_id, dg.DagsterRunStatus.FAILURE)
        assert again.status == dg.DagsterRunStatus.SUCCESS
        assert again.tags["dagster/run_key"] == f"{first.tags['dagster/run_key']}#2"
