"""Whether a model meets its targets: one line a target, with what was measured and what was asked."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.settings.gate import GateThresholds


class ThresholdResult(BaseModel):
    """One target, held against what was measured.

    Attributes:
        target: what is measured, such as "R² on test".
        asked: the limit with its relation, such as ">= 0.9996".
        measured: the value; NaN never passes.
        passed: whether it holds.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    asked: str
    measured: float
    passed: bool


def evaluate_thresholds(
    thresholds: GateThresholds, test: Metrics, cross_validation: Trial | None, unit: str = "mph"
) -> list[ThresholdResult]:
    """Hold a model's metrics against its targets.

    Args:
        thresholds: the limits; absent ones are not judged.
        test: metrics on the test split, of the model as stored.
        cross_validation: the chosen trial; needed where its mean or deviation has a limit.
        unit: of the target.

    Raises:
        ValueError: where a limit on cross-validation has nothing to be held against.
    """
    r2_of_folds = cross_validation.summary["r2"] if cross_validation else None
    if r2_of_folds is None and (thresholds.cv_r2_mean_min is not None or thresholds.cv_r2_std_max is not None):
        raise ValueError("targets on cross-validation, but there is no cross-validation: run the cv report")
    asked: list[tuple[str, str, float | None, float]] = [
        ("R² on test", ">=", thresholds.r2_min, test.r2),
        (f"RMSE on test, {unit}", "<=", thresholds.rmse_max, test.rmse),
        (f"MAE on test, {unit}", "<=", thresholds.mae_max, test.mae),
    ]
    if r2_of_folds is not None:
        asked += [
            ("mean R² of the folds", ">", thresholds.cv_r2_mean_min, r2_of_folds.mean),
            ("deviation of the folds' R²", "<", thresholds.cv_r2_std_max, r2_of_folds.std),
        ]
    return [
        ThresholdResult(
            target=name, asked=f"{relation} {limit:g}", measured=value, passed=_holds(value, relation, limit)
        )
        for name, relation, limit, value in asked
        if limit is not None
    ]


def describe_missed(results: Sequence[ThresholdResult]) -> list[str]:
    """A sentence for each target that was missed."""
    return [f"{r.target} is {r.measured:.6g}, asked for {r.asked}" for r in results if not r.passed]


def _holds(value: float, relation: str, limit: float) -> bool:
    if math.isnan(value):
        return False
    return {">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit}[relation]
