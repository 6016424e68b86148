"""Trials: the choice of the best one, and the ratio of its test to its train rows."""

from __future__ import annotations

import pytest

from traffic_assets.ml.metrics.metrics import Metrics, Spread
from traffic_assets.ml.model_selection.trials import Trial, choose_best_trial
from traffic_assets_tests.codes import get_code, get_values


def _trial(error: float, row_share: float = 1.0, folds: int = 1, fitted_rows: list[int] | None = None) -> Trial:
    metrics = Metrics(rows=10, rmse=error, mae=error, mape=error, r2=1 - error)
    summary = {m: Spread(mean=getattr(metrics, m), std=0.0) for m in ("rmse", "mae", "mape", "r2")}
    return Trial(
        hyperparameters={}, folds=[metrics] * folds, summary=summary, row_share=row_share, fitted_rows=fitted_rows
    )


def test_the_best_is_among_those_with_the_most_rows_and_folds_and_ties_go_to_the_earlier() -> None:
    trials = [
        _trial(0.1, row_share=0.3),
        _trial(0.2, folds=1),
        _trial(0.5, folds=2),
        _trial(0.4, folds=2),
        _trial(0.4, folds=2),
    ]
    assert choose_best_trial(trials, "rmse") == 3
    assert choose_best_trial(trials, "r2") == 3
    with pytest.raises(ValueError) as caught:
        choose_best_trial([], "rmse")
    assert get_code(caught.value) == "model-selection.no-trials"


def test_the_ratio_of_test_to_train_rows_is_the_mean_over_the_folds_if_fitted_rows_were_counted() -> None:
    assert _trial(0.1, folds=2, fitted_rows=[20, 40]).test_to_train_ratio == pytest.approx((10 / 20 + 10 / 40) / 2)
    assert _trial(0.1, folds=2).test_to_train_ratio is None


def test_a_metric_that_was_not_evaluated_is_refused() -> None:
    assert _trial(0.1).over_folds("mae").mean == 0.1
    with pytest.raises(ValueError) as caught:
        _trial(0.1).over_folds("close_share")
    assert get_code(caught.value) == "model-selection.metric-not-evaluated"
    assert get_values(caught.value) == {"metric": "close_share", "metrics": ["rmse", "mae", "mape", "r2"]}
