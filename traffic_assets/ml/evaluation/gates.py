"""Gates: a model's metrics compared with its thresholds, one result per threshold."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from traffic_assets.messages import evaluation as messages
from traffic_assets.ml.metrics.metrics import REASONS, UNDEFINED, Metrics, Number
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.settings.gate import GateThresholds

_LIMITS = {
    ">=": "the lower limit is",
    "<=": "the limit is",
    ">": "it must be above",
    "<": "it must be below",
}
"""Words for the relation of a measured value and its threshold."""


class ThresholdResult(BaseModel):
    """Comparison of one measured value with its threshold.

    Attributes:
        target: Measured quantity, such as "R² on test" (the name of the stored field).
        asked: Threshold with its relation, such as ">= 0.9996" (the name of the stored field).
        measured: Measured value; NaN if it is undefined, which never passes.
        passed: True if the value meets the threshold.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    target: str
    asked: str
    measured: Number
    passed: bool


def evaluate_thresholds(
    thresholds: GateThresholds, test: Metrics, cross_validation: Trial | None, unit: str = "mph"
) -> list[ThresholdResult]:
    """Compare a model's metrics with its thresholds.

    Args:
        thresholds: Limits; those that are None are skipped.
        test: Metrics on the test split, of the model as stored.
        cross_validation: Chosen trial; required if its mean or standard deviation has a threshold.
        unit: Unit of the target.

    Raises:
        ValueError: If cross-validation has a threshold but there is no trial.
    """
    r2_over_folds = cross_validation.summary["r2"] if cross_validation else None
    needing_folds = [name for name in ("cv_r2_mean_min", "cv_r2_std_max") if getattr(thresholds, name) is not None]
    if r2_over_folds is None and needing_folds:
        raise ValueError(messages.NO_CROSS_VALIDATION(thresholds=needing_folds))
    limits: list[tuple[str, str, float | None, float]] = [
        ("R² on test", ">=", thresholds.r2_min, test.r2),
        (f"RMSE on test, {unit}", "<=", thresholds.rmse_max, test.rmse),
        (f"MAE on test, {unit}", "<=", thresholds.mae_max, test.mae),
    ]
    if r2_over_folds is not None:
        limits += [
            ("mean R² of the folds", ">", thresholds.cv_r2_mean_min, r2_over_folds.mean),
            ("standard deviation of the folds' R²", "<", thresholds.cv_r2_std_max, r2_over_folds.std),
        ]
    return [
        ThresholdResult(
            target=quantity,
            asked=f"{relation} {limit:.15g}",
            measured=value,
            passed=_passes(value, relation, limit),
        )
        for quantity, relation, limit, value in limits
        if limit is not None
    ]


def describe_missed(results: Sequence[ThresholdResult]) -> list[str]:
    """Return a sentence for each threshold that was missed.

    >>> describe_missed([ThresholdResult(target="RMSE on test, mph", asked="<= 5", measured=6.2, passed=False)])
    ['RMSE on test is 6.2 mph; the limit is 5 mph.']
    """
    return [_describe(result) for result in results if not result.passed]


def _describe(result: ThresholdResult) -> str:
    quantity, _, unit = result.target.partition(", ")
    relation, _, limit = result.asked.partition(" ")
    unit = f" {unit}" if unit else ""
    expected = f"{_LIMITS[relation]} {limit}{unit}."
    quantity = f"{quantity[0].upper()}{quantity[1:]}"
    if math.isnan(result.measured):  # only R² can be undefined
        where = " in at least one fold" if "fold" in quantity else ""
        return f"{quantity} is {UNDEFINED}, because {REASONS['r2']}{where}; {expected}"
    measured = f"{result.measured:.6g}"
    if _passes(float(measured), relation, float(limit)):  # rounded, it would seem to pass
        measured = f"{result.measured:.15g}"
    return f"{quantity} is {measured}{unit}; {expected}"


def _passes(value: float, relation: str, limit: float) -> bool:
    if math.isnan(value):
        return False
    return {">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit}[relation]
