"""The checks hold what assets stored against the settings; a broken record must not pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import checks
from traffic_assets.assets.lanes import Lane
from traffic_assets.checks import (
    RATIO_TOLERANCE,
    judge_nulls,
    judge_ratios,
    judge_shared_keys,
    judge_split,
    judge_standardised,
    ratio_tolerance,
)
from traffic_assets.ml.splits.shares import Shares
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.tiny import tiny_settings

GOOD_SPLIT = {"counts": {"train": 72_000, "validation": 8_000, "test": 20_000}, "shared_keys": 0, "misplaced": 0}
GOOD_VECTOR = {"rows": 10, "nulls": {}, "constant": ["x=other"], "worst_mean": 1e-12, "worst_deviation": 1e-12}


def ratios(record: dict[str, Any]) -> dg.AssetCheckResult:
    return judge_ratios(record, Shares.from_settings(SplitSettings()))


def sensors(record: dict[str, Any]) -> dg.AssetCheckResult:
    return judge_split(record, SplitSettings(kind="sensor", train=0.7, validation=0.2, test=0.1))


def _by_sensor(train: int, validation: int, test: int) -> dict[str, Any]:
    return {"sensors": {"train": train, "validation": validation, "test": test}, "counts": GOOD_SPLIT["counts"]}


def _vector(scaler: str = "standard", **changed: float) -> dict[str, Any]:
    return {"vector": {**GOOD_VECTOR, **changed}, "features": {"preparation": {"scaler": scaler}}}


@pytest.mark.parametrize(
    ("judge", "record", "passed"),
    [
        (ratios, GOOD_SPLIT, True),
        (ratios, {"counts": {"train": 70_000, "validation": 10_000, "test": 20_000}}, False),
        (ratios, {"counts": {"train": 0, "validation": 0, "test": 0}}, False),
        (sensors, _by_sensor(70, 20, 10), True),
        (sensors, _by_sensor(60, 20, 20), False),
        (sensors, _by_sensor(3, 1, 1), True),
        (sensors, _by_sensor(4, 1, 0), False),
        (judge_shared_keys, {**GOOD_SPLIT, "shared_sensors": 0}, True),
        (judge_shared_keys, {**GOOD_SPLIT, "shared_sensors": 1}, False),
        (judge_shared_keys, GOOD_SPLIT, True),
        (judge_shared_keys, {**GOOD_SPLIT, "shared_keys": 1}, False),
        (judge_shared_keys, {**GOOD_SPLIT, "misplaced": 1}, False),
        (judge_nulls, {"vector": GOOD_VECTOR}, True),
        (judge_nulls, {"vector": {**GOOD_VECTOR, "nulls": {"speed_lag_1": 3}}}, False),
        (judge_standardised, _vector(), True),
        (judge_standardised, _vector(worst_mean=0.1), False),
        (judge_standardised, _vector(worst_deviation=0.1), False),
        (judge_standardised, _vector("robust", worst_mean=0.1), True),
        (judge_standardised, {**_vector(worst_mean=0.1), "scaled": True}, False),
        (judge_standardised, {**_vector(worst_mean=0.1), "scaled": False}, True),
    ],
)
def test_a_check_passes_what_is_right_and_nothing_else(
    judge: Callable[[dict[str, Any]], dg.AssetCheckResult], record: dict[str, Any], passed: bool
) -> None:
    result = judge(record)
    assert result.passed is passed
    assert (result.description or "").startswith("it does not hold") is not passed


def test_a_ratio_may_be_off_by_a_point_or_by_what_chance_allows() -> None:
    assert ratio_tolerance(0.8, 1_000_000) == RATIO_TOLERANCE
    assert ratio_tolerance(0.8, 2_500) == pytest.approx(4 * 0.008)


def test_the_check_says_what_it_compares() -> None:
    by_rows = judge_split({"counts": GOOD_SPLIT["counts"]}, SplitSettings())
    assert "shares of the rows lie within one point" in (by_rows.description or "")
    by_sensors = sensors(_by_sensor(3, 1, 1))
    assert "share of the sensors, as near as whole sensors allow" in (by_sensors.description or "")


def test_every_check_is_blocking_unless_it_only_warns(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"evaluation": {"model_size_mb": {"low": 1, "high": 2}}})
    every = [*checks.build(settings), *checks.build_lane(Lane("random_forest"), settings)]
    blocking = {spec.name for check in every for spec in check.check_specs if spec.blocking}
    warning = {spec.name for check in every for spec in check.check_specs if not spec.blocking}
    assert blocking == {"split_ratios_hold", "no_shared_key", "no_null_in_vector", "standardised", "meets_targets"}
    assert warning == {"training_time", "top_feature", "model_size"}
