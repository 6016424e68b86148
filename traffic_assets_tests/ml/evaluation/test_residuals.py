"""Residuals: the histogram and the hours, compared with numpy on known rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from traffic_assets.ml.evaluation.residuals import Residuals, compute_distribution, summarize_hours, summarize_residuals
from traffic_assets_tests.codes import get_code

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ZONE = ZoneInfo("America/Los_Angeles")
START = datetime(2026, 1, 5, 8, tzinfo=UTC)  # midnight in Los Angeles
SENSORS, STEPS, EVERY = 4, 300, timedelta(minutes=12)
SCHEMA = "sensor_id string, timestamp timestamp, speed double, prediction double"


def _table() -> list[tuple[str, datetime, float, float]]:
    draw = np.random.default_rng(3)
    rows = []
    for sensor in range(SENSORS):
        for step in range(STEPS):
            if 50 <= step < 65:  # three hours without rows
                continue
            speed = float(draw.uniform(10, 70))
            rows.append((f"s{sensor}", START + step * EVERY, speed, speed + float(draw.normal(0.5, 2))))
    return rows


@pytest.fixture(scope="module")
def predicted(spark: SparkSession) -> Iterator[DataFrame]:
    frame = spark.createDataFrame(_table(), SCHEMA).repartition(3).cache()
    yield frame
    frame.unpersist()


def test_the_distribution_counts_every_row_once(predicted: DataFrame) -> None:
    errors = np.array([p - y for _, _, y, p in _table()])
    distribution = compute_distribution(predicted, bins=20)
    assert distribution.rows == len(errors) == sum(distribution.counts) + distribution.below + distribution.above
    assert distribution.mean == pytest.approx(errors.mean())
    assert distribution.std == pytest.approx(errors.std())
    assert (distribution.least, distribution.greatest) == pytest.approx((errors.min(), errors.max()))
    ordered = np.sort(errors)
    for value, share in ((distribution.p5, 0.05), (distribution.median, 0.5), (distribution.p95, 0.95)):
        assert value == pytest.approx(ordered[int(np.ceil(share * len(ordered))) - 1])
    edges = distribution.start + distribution.width * np.arange(21)
    expected, _ = np.histogram(errors[(errors >= edges[0]) & (errors <= edges[-1])], edges)
    assert np.abs(np.array(distribution.counts) - expected).max() <= 1, "an edge may round to either side"
    assert 0 < distribution.below + distribution.above <= 0.011 * len(errors), "outliers are counted and not drawn"
    assert len(distribution.counts) == 20


def test_hours_are_local_and_a_gap_stays_a_gap(predicted: DataFrame) -> None:
    groups: dict[datetime, list[float]] = {}
    for _, at, speed, prediction in _table():
        local = at.astimezone(ZONE).replace(minute=0, tzinfo=None)
        groups.setdefault(local, []).append(prediction - speed)
    hours = summarize_hours(predicted, ZONE)
    assert [hour.at for hour in hours] == sorted(groups)
    assert hours[0].at == datetime(2026, 1, 5)
    assert datetime(2026, 1, 5, 11) not in {hour.at for hour in hours}, "no row, no hour"
    for hour in hours:
        errors = np.sort(groups[hour.at])
        assert hour.rows == len(errors)
        assert hour.mean == pytest.approx(errors.mean())
        assert hour.p10 == pytest.approx(errors[int(np.ceil(0.1 * len(errors))) - 1])
        assert hour.p90 == pytest.approx(errors[int(np.ceil(0.9 * len(errors))) - 1])


def test_it_survives_json(predicted: DataFrame) -> None:
    residuals = summarize_residuals(predicted, ZONE)
    assert Residuals.model_validate_json(residuals.model_dump_json()) == residuals


def test_a_perfect_model_has_one_full_bin(spark: SparkSession) -> None:
    rows = [("s", START + i * EVERY, 50.0, 50.0) for i in range(40)]
    distribution = compute_distribution(spark.createDataFrame(rows, SCHEMA))
    assert distribution.std == 0
    assert sorted(distribution.counts)[-2:] == [0, 40]
    assert distribution.start < 0 < distribution.start + distribution.width * len(distribution.counts)


def test_without_rows_there_are_no_residuals(spark: SparkSession) -> None:
    with pytest.raises(ValueError) as caught:
        compute_distribution(spark.createDataFrame([], SCHEMA))
    assert get_code(caught.value) == "evaluation.no-residuals"
