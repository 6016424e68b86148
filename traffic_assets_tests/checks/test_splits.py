"""Checks of stored records against the settings; a broken record must not pass."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from traffic_assets.checks import (
    RATIO_TOLERANCE,
    evaluate_nulls,
    evaluate_ratios,
    evaluate_shared_keys,
    evaluate_split,
    evaluate_standardization,
    ratio_tolerance,
)
from traffic_assets.dagster_hdfs.message import CODE
from traffic_assets.ml.splits.shares import Shares
from traffic_assets.settings.training import SplitSettings

GOOD_SPLIT = {"counts": {"train": 72_000, "validation": 8_000, "test": 20_000}, "shared_keys": 0, "misplaced": 0}
GOOD_VECTOR = {"rows": 10, "nulls": {}, "constant": ["x=other"], "worst_mean": 1e-12, "worst_deviation": 1e-12}


def ratios(record: dict[str, Any]) -> dg.AssetCheckResult:
    return evaluate_ratios(record, Shares.from_settings(SplitSettings()))


def sensors(record: dict[str, Any]) -> dg.AssetCheckResult:
    return evaluate_split(record, SplitSettings(kind="sensor", train=0.7, validation=0.2, test=0.1))


def _by_sensor(train: int, validation: int, test: int) -> dict[str, Any]:
    return {"sensors": {"train": train, "validation": validation, "test": test}, "counts": GOOD_SPLIT["counts"]}


def _vector(scaler: str = "standard", **changed: float) -> dict[str, Any]:
    return {"vector": {**GOOD_VECTOR, **changed}, "features": {"preparation": {"scaler": scaler}}}


@pytest.mark.parametrize(
    ("evaluate", "record", "passed"),
    [
        (ratios, GOOD_SPLIT, True),
        (ratios, {"counts": {"train": 70_000, "validation": 10_000, "test": 20_000}}, False),
        (ratios, {"counts": {"train": 0, "validation": 0, "test": 0}}, False),
        (sensors, _by_sensor(70, 20, 10), True),
        (sensors, _by_sensor(60, 20, 20), False),
        (sensors, _by_sensor(3, 1, 1), True),
        (sensors, _by_sensor(4, 1, 0), False),
        (evaluate_shared_keys, {**GOOD_SPLIT, "shared_sensors": 0}, True),
        (evaluate_shared_keys, {**GOOD_SPLIT, "shared_sensors": 1}, False),
        (evaluate_shared_keys, GOOD_SPLIT, True),
        (evaluate_shared_keys, {**GOOD_SPLIT, "shared_keys": 1}, False),
        (evaluate_shared_keys, {**GOOD_SPLIT, "misplaced": 1}, False),
        (evaluate_nulls, {"vector": GOOD_VECTOR}, True),
        (evaluate_nulls, {"vector": {**GOOD_VECTOR, "nulls": {"speed_lag_1": 3}}}, False),
        (evaluate_standardization, _vector(), True),
        (evaluate_standardization, _vector(worst_mean=0.1), False),
        (evaluate_standardization, _vector(worst_deviation=0.1), False),
        (evaluate_standardization, _vector("robust", worst_mean=0.1), True),
        (evaluate_standardization, {**_vector(worst_mean=0.1), "scaled": True}, False),
        (evaluate_standardization, {**_vector(worst_mean=0.1), "scaled": False}, True),
    ],
)
def test_a_check_passes_what_is_right_and_nothing_else(
    evaluate: Callable[[dict[str, Any]], dg.AssetCheckResult], record: dict[str, Any], passed: bool
) -> None:
    result = evaluate(record)
    assert result.passed is passed
    assert (CODE in result.metadata) is not passed


def test_a_ratio_may_be_off_by_a_point_or_by_random_variation() -> None:
    assert ratio_tolerance(0.8, 1_000_000) == RATIO_TOLERANCE
    assert ratio_tolerance(0.8, 2_500) == pytest.approx(4 * 0.008)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (ratios({"counts": {"train": 7, "validation": 1, "test": 2_000}}), "checks.row-shares"),
        (sensors(_by_sensor(60, 20, 20)), "checks.sensor-shares"),
        (evaluate_shared_keys({**GOOD_SPLIT, "shared_keys": 1}), "checks.shared-keys"),
        (evaluate_nulls({"vector": {**GOOD_VECTOR, "nulls": {"speed_lag_1": 3}}}), "checks.incomplete-vector"),
        (evaluate_standardization(_vector(worst_mean=0.1)), "checks.not-standardized"),
    ],
)
def test_a_failed_check_has_the_code_of_its_message(result: dg.AssetCheckResult, code: str) -> None:
    assert result.metadata[CODE].value == code


def test_the_check_describes_its_comparison() -> None:
    by_rows = evaluate_split({"counts": GOOD_SPLIT["counts"]}, SplitSettings())
    assert "shares of the rows are within one percentage point" in (by_rows.description or "")
    by_sensors = sensors(_by_sensor(3, 1, 1))
    assert "share of the sensors, rounded to whole sensors" in (by_sensors.description or "")
