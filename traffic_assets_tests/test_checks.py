"""Checks of stored records against the settings; a broken record must not pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import checks
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane
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
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages.evaluation import NO_CROSS_VALIDATION
from traffic_assets.ml.splits.shares import Shares
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.runs import QUIET, failure_codes
from traffic_assets_tests.tiny import WEEK, tiny_settings

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


def test_an_error_in_a_gate_or_a_warning_has_its_code(tmp_path: Path) -> None:
    class Unreadable(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

        def load_input(self, context: dg.InputContext) -> AssetInput:
            return AssetInput(self.read, {})

        def read(self) -> None:
            raise ValueError(NO_CROSS_VALIDATION(thresholds=["cv_r2_mean_min"]))

    settings = tiny_settings(tmp_path)
    lane = Lane("linear_regression")

    @dg.asset(key=asset_key(lane.evaluation), partitions_def=build_weekly_partitions(settings))
    def evaluation() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [evaluation, *checks.build_lane(lane, settings)],
            partition_key=WEEK,
            instance=instance,
            resources={"io_manager": Unreadable()},
            raise_on_error=False,
            run_config=QUIET,
        )
    steps = {f"linear_regression_evaluation_{name}" for name in (checks.GATE, "training_time")}
    assert failure_codes(result) == dict.fromkeys(steps, NO_CROSS_VALIDATION.code)


def test_every_check_is_blocking_unless_it_only_warns(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"evaluation": {"model_size_mb": {"low": 1, "high": 2}}})
    every = [*checks.build(settings), *checks.build_lane(Lane("random_forest"), settings)]
    blocking = {spec.name for check in every for spec in check.check_specs if spec.blocking}
    warning = {spec.name for check in every for spec in check.check_specs if not spec.blocking}
    assert blocking == {"split_ratios_hold", "no_shared_key", "no_null_in_vector", "standardised", "meets_targets"}
    assert warning == {"training_time", "top_feature", "model_size", checks.CURRENT_SETTINGS}
