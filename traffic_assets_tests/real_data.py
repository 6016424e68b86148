"""Real detector data for tests and benchmarks: its folder, and its selection as a deployment's raw readings.

The files are not part of the project; TRAFFIC_REAL_DATA names their folder. Rows are only selected: columns and
values stay as the sources have them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SAN_DIEGO, EMERYVILLE = "sandiego_speed_5min.parquet", "emeryville_5min.parquet"
WELL_OBSERVED = 90.0

SAN_DIEGO_WEEK = "2024-01-08"
SAN_DIEGO_DAYS = [f"2024-01-{day:02d}" for day in range(1, 15)]
SAN_DIEGO_SETTINGS: Mapping[str, Any] = {"data": {"timestamps": "local", "first_day": "2024-01-01"}}

EMERYVILLE_WEEK = "2018-04-02"
EMERYVILLE_DAYS = ["2018-04-04", "2018-04-05", "2018-04-06"]
EMERYVILLE_SETTINGS: Mapping[str, Any] = {
    "data": {"timestamps": "local", "first_day": "2018-04-02"},
    "training": {"window_weeks": 1, "minimum_days": 3},
}


def folder() -> Path | None:
    """Return the folder of the real data, or None if there is none."""
    path = os.environ.get("TRAFFIC_REAL_DATA")
    return Path(path) if path and Path(path, SAN_DIEGO).is_file() else None


def write_san_diego(data: Path, target: Path, every: int = 1) -> int:
    """Write PeMS District 11, January 2024: the sensors that are observed at least 90% of the time.

    Args:
        data: Folder of the real data.
        target: Folder of the raw readings.
        every: Step of the selection by id, to keep every n-th sensor.

    Returns:
        Number of rows.
    """
    table = pq.read_table(data / SAN_DIEGO)
    return _write(_well_observed(table, "sensor_id", "pct_observed", every), target)


def write_emeryville(data: Path, target: Path) -> int:
    """Write PeMS stations on I-80, three days of April 2018: those that are observed at all.

    Args:
        data: Folder of the real data.
        target: Folder of the raw readings.

    Returns:
        Number of rows.
    """
    table = pq.read_table(data / EMERYVILLE)
    return _write(_well_observed(table, "station", "percentObs", 1), target)


def _well_observed(table: pa.Table, sensor: str, observed: str, every: int) -> pa.Table:
    means = table.group_by(sensor).aggregate([(observed, "mean")])
    good = means.filter(pc.greater_equal(means[f"{observed}_mean"], WELL_OBSERVED))[sensor]
    chosen = sorted(good.to_pylist())[::every]
    return table.filter(pc.is_in(table[sensor], pa.array(chosen, table[sensor].type)))


def _write(table: pa.Table, target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target / "readings.parquet")
    return int(table.num_rows)
