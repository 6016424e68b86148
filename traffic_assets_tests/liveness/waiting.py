"""A code location whose one step waits for a file, with the real guards, heartbeat and sensor, but without a JVM."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from traffic_assets import guards
from traffic_assets.assets.group import TRAIN, Guard
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane
from traffic_assets.liveness import sensor
from traffic_assets.liveness.heartbeat import PROMISE_TAG
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.resources import build_resources
from traffic_assets.settings import load_settings
from traffic_assets_tests.liveness.waiting_names import FOLDER_VARIABLE, GO, REACHED, REQUESTED

_FOLDER = Path(os.environ[FOLDER_VARIABLE])
_SETTINGS = load_settings()
_WEEKS = build_weekly_partitions(_SETTINGS)


@dg.asset(key=asset_key(Lane("linear_regression").model), partitions_def=_WEEKS)
def waiting(context: dg.AssetExecutionContext, week_guard: Guard) -> None:
    """Wait for the file; the key is that of a model, because runs that train one hold the lease of their week."""
    (_FOLDER / f"{context.run.run_id}{REACHED}").touch()
    while not (_FOLDER / GO).exists():
        time.sleep(0.05)


_train = dg.define_asset_job(TRAIN, selection=[waiting], tags={PROMISE_TAG: "true"})


@dg.sensor(job=_train, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def start_requested(_: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
    """Start a run for each file of the test."""
    for file in sorted(_FOLDER.glob(f"*{REQUESTED}")):
        yield dg.RunRequest(run_key=file.name, partition_key=file.name.removesuffix(REQUESTED))


defs = dg.Definitions(
    assets=[waiting],
    jobs=[_train],
    sensors=[start_requested, sensor.build(_SETTINGS)],
    resources={**build_resources(_SETTINGS), **guards.build(_SETTINGS)},
    executor=dg.in_process_executor,
)
