"""Slices: the errors of every group, compared with numpy, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from traffic_assets.ml.evaluation.intervals import Interval, calibrate_half_width
from traffic_assets.ml.evaluation.slices import (
    FEWEST_ROWS,
    as_records,
    select_worst_slices,
    slice_columns,
    slice_errors,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ZONE = ZoneInfo("America/Los_Angeles")
START = datetime(2026, 1, 5, 8, tzinfo=UTC)  # midnight on a Monday in Los Angeles
SENSORS, HOURS = 3, 48
INTERVAL = Interval(coverage=0.9, half_width=2.0, calibration_rows=9, covered=0.5, test_rows=9)


def _table() -> list[tuple[str, datetime, float, float, int, int]]:
    draw = np.random.default_rng(5)
    rows = []
    for sensor in range(SENSORS):
        for step in range(HOURS * 2):
            speed = float(draw.uniform(10, 70))
            error = (5.0 if sensor == 1 else 1.0) * float(draw.normal(0.2, 1))
            at = START + step * timedelta(minutes=30)
            rows.append((f"s{sensor}", at, speed, speed + error, sensor // 2, 0 if speed > 50 else 2))
    return rows


@pytest.fixture(scope="module")
def predicted(spark: SparkSession) -> Iterator[DataFrame]:
    schema = (
        "sensor_id string, timestamp timestamp, speed double, prediction double, highway_encoded int, "
        "congestion_level int"
    )
    frame = spark.createDataFrame(_table(), schema).repartition(3).cache()
    yield frame
    frame.unpersist()


def test_every_slice_has_the_errors_of_its_rows(predicted: DataFrame) -> None:
    slices = {(s.dimension, s.value): s for s in slice_errors(predicted, slice_columns(predicted, ZONE), INTERVAL)}
    groups: dict[tuple[str, str], list[float]] = {}
    for sensor, at, speed, prediction, highway, level in _table():
        local = at.astimezone(ZONE)
        for key in (
            ("hour", f"{local.hour:02d}"),
            ("weekday", local.strftime("%A")),
            ("sensor", sensor),
            ("highway", str(highway)),
            ("congestion level", str(level)),
            ("regime", "free flow" if level == 0 else "congested"),
        ):
            groups.setdefault(key, []).append(prediction - speed)
    assert slices.keys() == groups.keys()
    for key, errors in groups.items():
        slice_ = slices[key]
        assert slice_.rows == len(errors)
        assert slice_.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))))
        assert slice_.mae == pytest.approx(np.mean(np.abs(errors)))
        assert slice_.bias == pytest.approx(np.mean(errors))
        assert slice_.covered == pytest.approx(np.mean(np.abs(errors) <= 2.0))
        ordered = np.sort(np.abs(errors))
        assert slice_.p95 == pytest.approx(ordered[int(np.ceil(0.95 * len(ordered))) - 1])


def test_the_worst_come_first_up_to_the_limit(predicted: DataFrame) -> None:
    by = {"sensor": slice_columns(predicted, ZONE)["sensor"]}
    every = slice_errors(predicted, by)
    assert every[0].value == "s1"
    assert [s.rmse for s in every] == sorted((s.rmse for s in every), reverse=True)
    assert [s.value for s in slice_errors(predicted, by, worst=1)] == ["s1"]
    assert all((s.covered, s.own_half_width, s.own_covered) == (None, None, None) for s in every)


def test_a_slice_with_enough_rows_has_its_own_interval(predicted: DataFrame) -> None:
    by = {name: slice_columns(predicted, ZONE)[name] for name in ("sensor", "hour")}
    calibration = predicted.where("sensor_id != 's2' or timestamp < '2026-01-05 12:00:00'")  # 8 of s2, 8 per hour
    slices = {(s.dimension, s.value): s for s in slice_errors(predicted, by, INTERVAL, calibration)}
    widths = []
    for sensor in ("s0", "s1"):
        own, rows = slices["sensor", sensor], predicted.where(f"sensor_id = '{sensor}'")
        assert own.own_half_width == calibrate_half_width(rows, 0.9)[0]
        assert own.own_half_width is not None
        assert own.own_covered is not None
        assert own.own_width == 2 * own.own_half_width
        widths.append(own.own_width)
        errors = np.array([abs(row.prediction - row.speed) for row in rows.collect()])
        assert own.own_covered == pytest.approx(np.mean(errors <= own.own_half_width))
        assert own.own_covered >= 0.9
    assert widths[1] > 3 * widths[0], "its errors are larger"
    assert (slices["sensor", "s1"].covered or 1) < 0.5, "the interval for all rows is too narrow for it"
    few = slices["sensor", "s2"]
    assert (few.rows, few.own_half_width, few.own_covered) == (96, None, None), "a 90% interval needs 9 rows"
    assert few.covered is not None
    record = {r["value"]: r for r in as_records(list(slices.values()))}
    assert record["s2"]["own width"] == record["s2"]["own covered"] == ""
    assert record["s1"]["own width"] == f"{widths[1]:.4g}"


def test_slices_with_few_rows_are_never_among_the_worst(predicted: DataFrame) -> None:
    slices = slice_errors(predicted, slice_columns(predicted, ZONE))
    hours = [s for s in slices if s.dimension == "hour"]
    assert all(s.rows < FEWEST_ROWS for s in hours)
    worst = select_worst_slices(slices)
    assert worst[0].value == "s1"
    assert all(s.dimension != "hour" for s in worst)
    assert as_records(worst)[0]["value"] == "s1"


def test_dimensions_whose_column_is_missing_are_left_out(predicted: DataFrame) -> None:
    bare = predicted.drop("congestion_level", "highway_encoded")
    assert set(slice_columns(bare, ZONE)) == {"hour", "weekday", "sensor"}
