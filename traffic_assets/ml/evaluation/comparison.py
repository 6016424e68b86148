"""A week's models against the best of them, over folds and over later time. The tests are in `significance.py`."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from traffic_assets.ml.evaluation.significance import (
    FEWEST_HOURS,
    FEWEST_INSTANTS,
    Comparison,
    compare_with_best,
    corrected_t_test,
    diebold_mariano,
)
from traffic_assets.ml.metrics.metrics import better_first
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.model_selection.trials import Trial

FOLDS_TEST = "corrected resampled t-test over folds, by the metric that chooses"
TIME_TEST = "Diebold-Mariano on later time, squared error"
UNTESTED = {
    FOLDS_TEST: "the folds are fewer than 2, do not match, or have no value of the metric",
    TIME_TEST: f"later time has fewer than {FEWEST_INSTANTS} instants or spans less than {FEWEST_HOURS} hours, or the "
    f"instants do not match",
}
"""By test, why it is left out."""


def compare_models(
    best: str, trials: Mapping[str, Trial], temporal: Mapping[str, TemporalEvaluation], metric: str = "rmse"
) -> list[Comparison]:
    """Every model against the best one, by both tests; p-values are corrected within each.

    Args:
        best: the model that the others are held against.
        trials: cross-validation of each model, on the same folds.
        temporal: evaluation of each model on the temporal holdout, on the same later rows.
        metric: what the folds are compared by; a difference above 0 is for the best, also where more is better.

    Where folds or instants are too few or do not match, a test is left out (`UNTESTED`).
    """
    others = [name for name in trials if name != best]
    folds = {}
    for name in others:
        ours, theirs = (
            [better_first(metric, fold.by_name.get(metric, math.nan)) for fold in trials[n].folds] for n in (name, best)
        )
        if len(ours) == len(theirs) >= 2 and np.isfinite([ours, theirs]).all():
            folds[name] = corrected_t_test(ours, theirs, _test_to_train_ratio(trials[name], trials[best]))
    later = {}
    reference = temporal[best]
    hours = _hours(reference.instants)
    for name in others:
        evaluation = temporal[name]
        if (
            evaluation.instants == reference.instants
            and len(evaluation.instants) >= FEWEST_INSTANTS
            and hours >= FEWEST_HOURS
        ):
            later[name] = diebold_mariano(np.asarray(evaluation.losses), np.asarray(reference.losses), hours)
    return compare_with_best(FOLDS_TEST, best, folds) + compare_with_best(TIME_TEST, best, later)


def _test_to_train_ratio(first: Trial, second: Trial) -> float:
    """Judged rows over fitted rows of both trials' folds; where nobody counted them, as k folds by hash have it."""
    counted = [share for trial in (first, second) if (share := trial.test_to_train_ratio) is not None]
    return fmean(counted) if counted else 1 / (len(first.folds) - 1)


def _hours(instants: Sequence[int]) -> float:
    """The time that they span, each as long as the mean step to the next."""
    return (instants[-1] - instants[0]) * len(instants) / (len(instants) - 1) / 3600 if len(instants) > 1 else 0.0
