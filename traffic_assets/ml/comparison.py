"""A week's models against the best of them, over folds and over later time. The tests are in `significance.py`."""

from collections.abc import Mapping

import numpy as np

from traffic_assets.ml.search.trials import Trial
from traffic_assets.ml.significance import (
    FEWEST_INSTANTS,
    Comparison,
    against_best,
    corrected_t_test,
    diebold_mariano,
)
from traffic_assets.ml.temporal import TemporalVerdict

FOLDS_TEST = "corrected resampled t-test over folds, RMSE"
TIME_TEST = "Diebold-Mariano on later time, squared error"


def compare_models(best: str, trials: Mapping[str, Trial], verdicts: Mapping[str, TemporalVerdict]) -> list[Comparison]:
    """Every model against the best one, by both tests; p-values are corrected within each.

    Args:
        best: the model that the others are held against.
        trials: cross-validation of each model, on the same folds.
        verdicts: temporal verdict of each model, on the same later rows.

    Where folds or instants are too few or do not match, a test is left out.
    """
    others = [name for name in trials if name != best]
    folds = {}
    for name in others:
        ours, theirs = ([fold.rmse for fold in trials[n].folds] for n in (name, best))
        if len(ours) == len(theirs) >= 2:
            folds[name] = corrected_t_test(ours, theirs, 1 / (len(ours) - 1))
    later = {}
    reference = verdicts[best]
    for name in others:
        verdict = verdicts[name]
        if verdict.instants == reference.instants and len(verdict.instants) >= FEWEST_INSTANTS:
            later[name] = diebold_mariano(np.asarray(verdict.losses), np.asarray(reference.losses))
    return against_best(FOLDS_TEST, best, folds) + against_best(TIME_TEST, best, later)
