"""Gates: each threshold separately, at its limit and next to it; NaN never passes."""

from __future__ import annotations

import math

import pytest

from traffic_assets.ml.evaluation.gates import ThresholdResult, describe_missed, evaluate_thresholds
from traffic_assets.ml.metrics.metrics import METRICS, Metrics, Spread
from traffic_assets.ml.model_selection.cross_validation import Trial
from traffic_assets.settings.evaluation import ThresholdsByModel
from traffic_assets.settings.gate import GateThresholds
from traffic_assets_tests.codes import get_code, get_values

UP, DOWN = math.inf, -math.inf


def _metrics(r2: float = 0.5, rmse: float = 9.0, mae: float = 9.0) -> Metrics:
    return Metrics(rows=10, rmse=rmse, mae=mae, mape=0.1, r2=r2)


def _trial(mean: float = 0.5, std: float = 9.0) -> Trial:
    """Return a trial whose other metrics would give other results than R²."""
    others = {metric: Spread(mean=0.9995, std=0.0) for metric in METRICS}
    return Trial(hyperparameters={}, folds=[], summary=others | {"r2": Spread(mean=mean, std=std)})


def _holds(thresholds: GateThresholds, metrics: Metrics, trial: Trial | None = None) -> bool:
    (result,) = evaluate_thresholds(thresholds, metrics, trial)
    return result.passed


@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.9996, True), (math.nextafter(0.9996, DOWN), False), (1.0, True), (-5.0, False), (math.nan, False)],
)
def test_r2_at_least(value: float, passed: bool) -> None:
    assert _holds(GateThresholds(r2_min=0.9996), _metrics(r2=value)) is passed


@pytest.mark.parametrize("name", ["rmse", "mae"])
@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.752, True), (math.nextafter(0.752, UP), False), (0.0, True), (math.inf, False), (math.nan, False)],
)
def test_errors_at_most(name: str, value: float, passed: bool) -> None:
    thresholds = GateThresholds.model_validate({f"{name}_max": 0.752})
    assert _holds(thresholds, _metrics().model_copy(update={name: value})) is passed


@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.999, False), (math.nextafter(0.999, UP), True), (0.5, False), (math.nan, False)],
)
def test_mean_r2_of_the_folds_above(value: float, passed: bool) -> None:
    assert _holds(GateThresholds(cv_r2_mean_min=0.999), _metrics(), _trial(mean=value)) is passed


@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.001, False), (math.nextafter(0.001, DOWN), True), (0.5, False), (0.0, True), (math.nan, False)],
)
def test_standard_deviation_of_the_folds_below(value: float, passed: bool) -> None:
    assert _holds(GateThresholds(cv_r2_std_max=0.001), _metrics(), _trial(std=value)) is passed


def test_results_are_in_order_with_the_measured_values() -> None:
    thresholds = GateThresholds(r2_min=0.9, rmse_max=5, mae_max=3, cv_r2_mean_min=0.999, cv_r2_std_max=0.001)
    results = evaluate_thresholds(thresholds, _metrics(r2=0.95, rmse=5.5, mae=2), _trial(mean=0.9995, std=0.002))
    assert results == [
        ThresholdResult(target="R² on test", asked=">= 0.9", measured=0.95, passed=True),
        ThresholdResult(target="RMSE on test, mph", asked="<= 5", measured=5.5, passed=False),
        ThresholdResult(target="MAE on test, mph", asked="<= 3", measured=2, passed=True),
        ThresholdResult(target="mean R² of the folds", asked="> 0.999", measured=0.9995, passed=True),
        ThresholdResult(target="standard deviation of the folds' R²", asked="< 0.001", measured=0.002, passed=False),
    ]
    assert describe_missed(results) == [
        "RMSE on test is 5.5 mph; the limit is 5 mph.",
        "Standard deviation of the folds' R² is 0.002; it must be below 0.001.",
    ]
    assert describe_missed(results[:1]) == []


def test_a_missed_lower_limit_is_described_as_one() -> None:
    thresholds = GateThresholds(r2_min=0.9996, cv_r2_mean_min=0.999)
    assert describe_missed(evaluate_thresholds(thresholds, _metrics(r2=0.9), _trial(mean=0.999, std=0))) == [
        "R² on test is 0.9; the lower limit is 0.9996.",
        "Mean R² of the folds is 0.999; it must be above 0.999.",
    ]


def test_limits_and_what_just_missed_them_are_shown_in_full() -> None:
    thresholds = GateThresholds(r2_min=0.99999999, rmse_max=5)
    assert describe_missed(evaluate_thresholds(thresholds, _metrics(r2=0.999999985, rmse=5.0000001), None)) == [
        "R² on test is 0.999999985; the lower limit is 0.99999999.",
        "RMSE on test is 5.0000001 mph; the limit is 5 mph.",
    ]


def test_there_are_no_results_without_thresholds() -> None:
    assert evaluate_thresholds(GateThresholds(), _metrics(r2=math.nan), None) == []
    assert evaluate_thresholds(GateThresholds(), _metrics(), _trial()) == []


@pytest.mark.parametrize("limit", [{"cv_r2_mean_min": 0.9}, {"cv_r2_std_max": 0.1}])
def test_thresholds_on_cross_validation_require_one(limit: dict[str, float]) -> None:
    with pytest.raises(ValueError) as caught:
        evaluate_thresholds(GateThresholds.model_validate(limit), _metrics(), None)
    assert get_code(caught.value) == "evaluation.no-cross-validation"
    assert get_values(caught.value) == {"thresholds": list(limit)}


def test_default_thresholds_at_their_limits() -> None:
    """Check values at the limit, which meet "at least" and miss "more than"."""
    seed = ThresholdsByModel()
    limits = {
        "linear_regression": (_metrics(0.90, 5.0, 3.0), None, []),
        "random_forest": (_metrics(0.9996, 0.752, 0.289), _trial(0.999, 0.001), ["Mean R²", "Standard deviation"]),
        "gradient_boosted_trees": (_metrics(0.9992, 1.061, 99), None, []),
    }
    others = set(ThresholdsByModel.model_fields) - set(limits)
    assert others, "models that are off by default have no thresholds"
    assert all(evaluate_thresholds(getattr(seed, name), _metrics(), None) == [] for name in others)
    for name, (metrics, trial, missed) in limits.items():
        texts = describe_missed(evaluate_thresholds(getattr(seed, name), metrics, trial))
        assert [any(line.startswith(m) for m in missed) for line in texts] == [True] * len(missed), (name, texts)
        assert describe_missed(evaluate_thresholds(getattr(seed, name), _metrics(0.5, 99, 99), trial))


def test_an_undefined_metric_misses_its_threshold_with_the_reason_and_is_null_in_json() -> None:
    thresholds = GateThresholds(r2_min=0.9, cv_r2_mean_min=0.8)
    results = evaluate_thresholds(thresholds, _metrics(r2=math.nan), _trial(mean=math.nan))
    assert describe_missed(results) == [
        "R² on test is undefined, because the observed values do not vary; the lower limit is 0.9.",
        "Mean R² of the folds is undefined, because the observed values do not vary in at least one fold; it must be "
        "above 0.8.",
    ]
    stored = results[0].model_dump_json()
    assert '"measured":null' in stored
    assert math.isnan(ThresholdResult.model_validate_json(stored).measured)
