"""Block bootstrap: wide if errors of neighbours are correlated, refused if there are too few blocks."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.evaluation.bootstrap import Confidence, TooFewBlocksError, block_sums, estimate_confidence
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ZONE = ZoneInfo("America/Los_Angeles")
MIDNIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)


def _predicted(spark: SparkSession, hours: int, by_hour: list[float], seed: int = 1) -> DataFrame:
    """Return twelve rows per hour, with errors on the hour's scale."""
    draw = np.random.default_rng(seed)
    rows = []
    for hour in range(hours):
        for step in range(12):
            speed = float(draw.uniform(20, 70))
            error = by_hour[hour % len(by_hour)] * float(draw.normal())
            rows.append((MIDNIGHT + timedelta(hours=hour, minutes=5 * step), speed, speed + error))
    return spark.createDataFrame(rows, "timestamp timestamp, speed double, prediction double")


def test_blocks_are_local_days_or_hours(spark: SparkSession) -> None:
    predicted = _predicted(spark, 50, [1.0])
    days, hours = block_sums(predicted, ZONE, "day"), block_sums(predicted, ZONE, "hour")
    assert days[:, 0].tolist() == [288, 288, 24]
    assert hours.shape == (50, 5)
    assert days.sum(axis=0) == pytest.approx(hours.sum(axis=0))


def test_days_are_resampled_if_there_are_enough_otherwise_hours(spark: SparkSession) -> None:
    long, short = (estimate_confidence(_predicted(spark, hours, [1.0]), ZONE, 42) for hours in (8 * 24, 7 * 24))
    assert (long.block, long.blocks) == ("day", 8)
    assert (short.block, short.blocks) == ("hour", 7 * 24)
    with pytest.raises(TooFewBlocksError) as caught:
        estimate_confidence(_predicted(spark, 7, [1.0]), ZONE, 42)
    assert get_code(caught.value) == "evaluation.too-few-hours"
    assert get_values(caught.value) == {"hours": 7, "needed": 8}


def test_the_interval_contains_the_metric_and_is_deterministic(spark: SparkSession) -> None:
    predicted = _predicted(spark, 10 * 24, [2.0])
    confidence = estimate_confidence(predicted, ZONE, 42)
    assert confidence == estimate_confidence(predicted, ZONE, 42)
    sums = block_sums(predicted, ZONE, "day").sum(axis=0)
    rmse, mae = np.sqrt(sums[1] / sums[0]), sums[2] / sums[0]
    assert confidence.rmse[0] < rmse < confidence.rmse[1]
    assert confidence.mae[0] < mae < confidence.mae[1]
    assert confidence.r2[0] < confidence.r2[1] < 1
    wider = estimate_confidence(predicted, ZONE, 42, level=0.99)
    assert wider.rmse[0] < confidence.rmse[0] < confidence.rmse[1] < wider.rmse[1]


def test_errors_that_depend_on_the_day_make_the_interval_wide(spark: SparkSession) -> None:
    """Compare alternating small and large errors, once by hour and once by day."""
    mixed = estimate_confidence(_predicted(spark, 12 * 24, [1.0, 5.0]), ZONE, 42)
    lumped = estimate_confidence(_predicted(spark, 12 * 24, [1.0] * 24 + [5.0] * 24), ZONE, 42)
    assert (lumped.rmse[1] - lumped.rmse[0]) > 3 * (mixed.rmse[1] - mixed.rmse[0])


def test_an_undefined_r2_is_null_in_json_and_nan_again() -> None:
    confidence = Confidence(
        level=0.95, block="hour", blocks=8, rmse=(0.0, 1.0), mae=(0.0, 1.0), r2=(math.nan, math.nan)
    )
    stored = confidence.model_dump_json()
    assert '"r2":[null,null]' in stored
    assert all(map(math.isnan, Confidence.model_validate_json(stored).r2))


def test_r2_is_undefined_for_a_constant_speed(spark: SparkSession) -> None:
    """Sums of squares of 65.3 leave a variance of about 1e-12 instead of 0."""
    rows = [(datetime(2026, 1, 5, hour, minute, tzinfo=UTC), 65.3) for hour in range(9) for minute in range(60)]
    predicted = spark.createDataFrame(rows, "timestamp timestamp, speed double").withColumn("prediction", F.lit(65.2))
    confidence = estimate_confidence(predicted, ZoneInfo("UTC"), 42)
    assert all(map(math.isnan, confidence.r2))
    assert confidence.rmse == pytest.approx((0.1, 0.1))
