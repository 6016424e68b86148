"""Split-conformal intervals: their coverage on rows like those that they were calibrated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.evaluation.intervals import calibrate_half_width, calibrate_interval, fewest_rows
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def _predicted(spark: SparkSession, errors: np.ndarray) -> DataFrame:
    rows = [(50.0, 50.0 + float(error)) for error in errors]
    return spark.createDataFrame(rows, "speed double, prediction double")


def test_the_half_width_is_the_right_order_statistic(spark: SparkSession) -> None:
    """99 errors 1..99: the ceil(100 * 0.9) = 90th smallest."""
    errors = np.arange(1, 100) * np.where(np.arange(99) % 2, 1, -1)
    assert calibrate_half_width(_predicted(spark, np.random.default_rng(1).permutation(errors)), 0.9) == (90.0, 99)


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_on_exchangeable_rows_the_coverage_is_kept(spark: SparkSession, coverage: float) -> None:
    """Compare the mean over many calibrations with the theory: between coverage and coverage + 1 / (n + 1)."""
    draw = np.random.default_rng(7)
    covered = []
    for _ in range(200):
        calibration, test = np.abs(draw.standard_t(3, 60)), np.abs(draw.standard_t(3, 200))
        rank = int(np.ceil(61 * coverage))
        covered.append(np.mean(test <= np.sort(calibration)[rank - 1]))
    assert coverage - 0.012 <= np.mean(covered) <= coverage + 1 / 61 + 0.012
    interval = calibrate_interval(
        _predicted(spark, draw.standard_t(3, 400)), _predicted(spark, draw.standard_t(3, 4000)), coverage
    )
    assert interval.covered == pytest.approx(coverage, abs=0.06)
    assert interval.width == 2 * interval.half_width
    assert (interval.calibration_rows, interval.test_rows) == (400, 4000)


def test_a_lower_coverage_on_other_rows_is_measured(spark: SparkSession) -> None:
    draw = np.random.default_rng(8)
    interval = calibrate_interval(
        _predicted(spark, draw.normal(0, 1, 500)), _predicted(spark, draw.normal(0, 3, 500)), 0.9
    )
    assert interval.covered < 0.6


@pytest.mark.parametrize(("coverage", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_rows_are_refused_with_what_is_needed(spark: SparkSession, coverage: float, rows: int) -> None:
    assert fewest_rows(coverage) == rows
    width, _ = calibrate_half_width(_predicted(spark, np.ones(rows)), coverage)
    assert width == 1.0
    with pytest.raises(ValueError) as caught:
        calibrate_half_width(_predicted(spark, np.ones(rows)).limit(rows - 1), coverage)
    assert get_code(caught.value) == "evaluation.too-few-calibration-rows"
    assert get_values(caught.value) == {"rows": rows - 1, "coverage": coverage, "needed": rows}


def test_an_invalid_coverage_is_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError) as caught:
        calibrate_half_width(_predicted(spark, np.ones(3)), 1.0)
    assert get_code(caught.value) == "evaluation.invalid-coverage"
    assert get_values(caught.value) == {"coverage": 1.0}


def test_coverage_is_not_measured_without_test_rows(spark: SparkSession) -> None:
    with pytest.raises(ValueError) as caught:
        calibrate_interval(_predicted(spark, np.ones(20)), _predicted(spark, np.ones(1)).limit(0), 0.9)
    assert get_code(caught.value) == "evaluation.no-test-rows"


def test_half_of_the_validation_rows_calibrate(feature_rows: DataFrame) -> None:
    rows = feature_rows.count()
    half = feature_rows.where(calibration_half(42)).count()
    assert 0.4 * rows < half < 0.6 * rows
    assert feature_rows.where(calibration_half(42) & ~calibration_half(42)).count() == 0
    assert (
        feature_rows.where(F.lit(True) & calibration_half(43))
        .exceptAll(feature_rows.where(calibration_half(42)))
        .count()
    ), "the halves depend on the seed"
