"""Deployments of one day with degenerate readings, which are trained by every algorithm."""

import csv
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from traffic_assets.settings import Settings
from traffic_assets.settings.loading import merge
from traffic_assets_tests.tiny import ALL_DIAGNOSTICS, ANYTHING_GOES, LANES, tiny_settings

DAY = "2026-01-05"
SIX_ROWS = Path(__file__).with_name("six_rows.csv")
COLUMNS = ("sensor_id", "timestamp", "speed", "flow", "occupancy", "latitude", "longitude", "highway", "lanes")
EVERY_LANE = (*LANES, "xgboost", "svr", "ensemble")
SMALL: dict[str, Any] = {
    "xgboost": {"enabled": True, "hyperparameters": {"n_estimators": 8, "max_depth": 2, "early_stopping_rounds": 3}},
    "svr": {"enabled": True, "hyperparameters": {"max_rows": 100}},
    "ensemble": {
        "enabled": True,
        "hyperparameters": {"members": {"linear_regression": {}, "random_forest": {}, "xgboost": {}}, "folds": 2},
    },
    "gradient_boosted_trees": {"hyperparameters": {"earlyStopping": True}},
}


class Reading(NamedTuple):
    """Measured values of one sensor in one interval; None if the sensor did not report one."""

    speed: float | None
    flow: float | None
    occupancy: float | None


def varied(sensor: int, step: int) -> Reading:
    """Return values that vary by sensor and over time."""
    speed = 55.0 + sensor + (step * 7919 % 100) / 10
    return Reading(speed, 20.0 + step * 31 % 17, round(0.01 + (step * 13 % 29) / 1000, 4))


def write_day(base: Path, measure: Callable[[int, int], Reading], sensors: int = 3, steps: int = 288) -> None:
    """Write one day of readings.

    Args:
        base: Base folder of the deployment.
        measure: Function that returns the values of a sensor in an interval, by their numbers.
        sensors: Number of sensors.
        steps: Number of intervals of five minutes, from 08:00 UTC, which is midnight in Los Angeles.
    """
    start = datetime(2026, 1, 5, 8, tzinfo=UTC)
    instants = [f"{start + timedelta(minutes=5 * step):%Y-%m-%dT%H:%M:%SZ}" for step in range(steps)]
    places = {f"s{sensor}": (34.05 + sensor / 100, -118.25 + sensor / 100, "I-10", 4) for sensor in range(sensors)}
    write_rows(
        base,
        (
            (name, instant, *measure(sensor, step), *place)
            for sensor, (name, place) in enumerate(places.items())
            for step, instant in enumerate(instants)
        ),
    )


def write_rows(base: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write readings to the source folder of a deployment."""
    folder = base / "raw" / "readings" / f"date={DAY}"
    folder.mkdir(parents=True)
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def write_six_rows(base: Path) -> None:
    """Write a day of six readings of one sensor."""
    folder = base / "raw" / "readings" / f"date={DAY}"
    folder.mkdir(parents=True)
    shutil.copyfile(SIX_ROWS, folder / "a.csv")


def day_settings(base: Path, lanes: Iterable[str] = EVERY_LANE, changes: dict[str, Any] | None = None) -> Settings:
    """Return the settings of a deployment that trains these lanes on one day, without thresholds."""
    enabled = {"models": {name: {"enabled": name in lanes} for name in EVERY_LANE}}
    small = {name: {"hyperparameters": model["hyperparameters"]} for name, model in SMALL.items()}
    shared: dict[str, Any] = {
        "data": {"minimum_completeness": 0},
        "training": {"minimum_days": 1},
        "evaluation": {"thresholds": dict.fromkeys(EVERY_LANE, ANYTHING_GOES), "diagnostics": ALL_DIAGNOSTICS},
    }
    return tiny_settings(base, merge(merge(merge(shared, {"models": small}), enabled), changes or {}))
