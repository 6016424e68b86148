"""Comparison of a week's models with the best one, over folds and on the temporal holdout (`significance.py`)."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from traffic_assets.ml.evaluation.significance import (
    FEWEST_HOURS,
    FEWEST_INSTANTS,
    Comparison,
    Difference,
    compare_with_best,
    corrected_t_test,
    diebold_mariano,
)
from traffic_assets.ml.metrics.metrics import make_sort_key
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.model_selection.trials import Trial

FOLDS_TEST = "corrected resampled t-test over folds, by the metric that chooses"
TIME_TEST = "Diebold-Mariano on later time, squared error"
TITLES = {
    FOLDS_TEST: "corrected resampled t-test over folds, by the primary metric",
    TIME_TEST: "Diebold-Mariano test on the temporal holdout, by squared error",
}
"""Display name by test; the names above are stored with every comparison, so they do not change."""
UNTESTED = {
    FOLDS_TEST: "there are fewer than 2 folds, they do not match, or they have no value of the metric",
    TIME_TEST: f"there are fewer than {FEWEST_INSTANTS} instants, they span less than {FEWEST_HOURS} hours, or they do "
    f"not match",
}
"""Reasons for leaving a test out, by test."""


def compare_models(
    best: str, trials: Mapping[str, Trial], temporal: Mapping[str, TemporalEvaluation], metric: str = "rmse"
) -> list[Comparison]:
    """Compare every model with the best one by both tests; p-values are corrected within each test.

    A test is left out if folds or instants are too few or do not match (`UNTESTED`).

    Args:
        best: Name of the best model.
        trials: Cross-validation of each model, on the same folds.
        temporal: Evaluation of each model on the same temporal holdout.
        metric: Metric to compare the folds by; a positive difference favours the best model, for every metric.
    """
    others = [name for name in trials if name != best]
    over_folds = {name: _compare_folds(trials[name], trials[best], metric) for name in others}
    over_time = {name: _compare_holdouts(temporal[name], temporal[best]) for name in others}
    return [
        *compare_with_best(FOLDS_TEST, best, {name: result for name, result in over_folds.items() if result}),
        *compare_with_best(TIME_TEST, best, {name: result for name, result in over_time.items() if result}),
    ]


def _compare_folds(other: Trial, best: Trial, metric: str) -> Difference | None:
    """Return the result of the t-test over folds; None if it cannot be applied."""
    losses, best_losses = (
        [make_sort_key(metric, fold.by_name.get(metric, math.nan)) for fold in trial.folds] for trial in (other, best)
    )
    if len(losses) != len(best_losses) or len(losses) < 2 or not np.isfinite([losses, best_losses]).all():
        return None
    return corrected_t_test(losses, best_losses, _test_to_train_ratio(other, best))


def _test_to_train_ratio(first: Trial, second: Trial) -> float:
    """Return test rows divided by fitted rows; if neither trial has counted them, the ratio of k folds by hash."""
    counted = [ratio for trial in (first, second) if (ratio := trial.test_to_train_ratio) is not None]
    return fmean(counted) if counted else 1 / (len(first.folds) - 1)


def _compare_holdouts(other: TemporalEvaluation, best: TemporalEvaluation) -> Difference | None:
    """Return the result of the Diebold-Mariano test on the temporal holdout; None if it cannot be applied."""
    hours = _hours(best.instants)
    if other.instants != best.instants or len(other.instants) < FEWEST_INSTANTS or hours < FEWEST_HOURS:
        return None
    return diebold_mariano(np.asarray(other.losses), np.asarray(best.losses), hours)


def _hours(instants: Sequence[int]) -> float:
    """Return the hours that the instants span; each counts as long as the mean step to the next."""
    return (instants[-1] - instants[0]) * len(instants) / (len(instants) - 1) / 3600 if len(instants) > 1 else 0.0
