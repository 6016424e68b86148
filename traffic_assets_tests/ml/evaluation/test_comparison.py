"""Comparison of a week's models with the best one."""

from datetime import UTC, datetime

import numpy as np
import pytest

from traffic_assets.ml.evaluation.comparison import FOLDS_TEST, TIME_TEST, compare_models
from traffic_assets.ml.evaluation.significance import corrected_t_test, diebold_mariano
from traffic_assets.ml.metrics.metrics import Metrics, compute_spread
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.model_selection.trials import Trial


def _metrics(rmse: float) -> Metrics:
    return Metrics(rows=10, rmse=rmse, mae=rmse, mape=0.1, r2=0.5)


def _trial(*rmse: float) -> Trial:
    return Trial(hyperparameters={}, folds=[_metrics(r) for r in rmse], summary={"rmse": compute_spread(rmse)})


def _temporal(losses: np.ndarray, first: int = 0) -> TemporalEvaluation:
    return TemporalEvaluation(
        boundary=datetime(2026, 1, 6, tzinfo=UTC),
        fit_rows=9,
        metrics=_metrics(1.0),
        hyperparameters={},
        instants=[(first + i) * 1800 for i in range(len(losses))],
        losses=losses.tolist(),
    )


TRIALS = {"line": _trial(1.0, 1.1, 0.9), "forest": _trial(2.0, 2.2, 1.9), "boosted": _trial(1.0, 1.2, 0.9)}
DRAW = np.random.default_rng(1)
LOSSES = {"line": DRAW.chisquare(2, 100), "forest": DRAW.chisquare(2, 100) * 4, "boosted": DRAW.chisquare(2, 100)}


def test_each_model_is_compared_with_the_best_by_both_tests() -> None:
    comparisons = compare_models("line", TRIALS, {name: _temporal(losses) for name, losses in LOSSES.items()})
    assert [(c.model, c.test) for c in comparisons] == [
        (model, test) for test in (FOLDS_TEST, TIME_TEST) for model in ("forest", "boosted")
    ]
    forest, boosted, forest_later, _ = comparisons
    assert (forest.difference, forest.statistic, forest.p_value) == pytest.approx(
        corrected_t_test([2.0, 2.2, 1.9], [1.0, 1.1, 0.9], 0.5)
    )
    assert forest.describe() == forest_later.describe() == "line is better"
    assert boosted.describe() == "not statistically significant"
    assert forest_later.p_value == pytest.approx(diebold_mariano(LOSSES["forest"], LOSSES["line"], 50)[2])


def test_the_folds_are_compared_by_the_primary_metric() -> None:
    """Compare a best model that is worse by RMSE and better by R². A difference above 0 favours the best."""
    rmse, r2 = {"line": 2.0, "forest": 1.0}, {"line": 0.9, "forest": 0.7}

    def trial(name: str) -> Trial:
        folds = [_metrics(rmse[name] + i / 100).model_copy(update={"r2": r2[name] + i * i / 100}) for i in range(3)]
        return Trial(hyperparameters={}, folds=folds, summary={})

    trials = {name: trial(name) for name in rmse}
    comparisons = {
        metric: compare_models("line", trials, {name: _temporal(LOSSES[name]) for name in trials}, metric)
        for metric in ("rmse", "r2", "of_another_package")
    }
    assert [comparisons[metric][0].difference for metric in ("rmse", "r2")] == pytest.approx([-1.0, 0.2])
    assert [c.test for c in comparisons["of_another_package"]] == [TIME_TEST], "folds without values are not compared"


@pytest.mark.parametrize(
    ("ours", "theirs", "share"),
    [([5, 10, 20], [5, 10, 20], 3.5 / 3), ([10, 10, 10], None, 1.0), ([20, 20, 20], [10, 10, 10], 0.75)],
)
def test_the_correction_uses_the_rows_that_the_folds_fit_and_test(
    ours: list[int], theirs: list[int] | None, share: float
) -> None:
    """Use sliding folds, which test as many rows as they fit. The ratio of k folds by hash would be too small."""
    trials = {
        "line": TRIALS["line"].model_copy(update={"fitted_rows": ours}),
        "boosted": TRIALS["boosted"].model_copy(update={"fitted_rows": theirs}),
    }
    (by_folds, _) = compare_models("line", trials, {name: _temporal(LOSSES[name]) for name in trials})
    expected = corrected_t_test([1.0, 1.2, 0.9], [1.0, 1.1, 0.9], share)
    assert (by_folds.difference, by_folds.statistic, by_folds.p_value) == pytest.approx(expected)


def test_folds_and_instants_that_do_not_match_are_left_out() -> None:
    temporal = {"line": _temporal(LOSSES["line"]), "forest": _temporal(LOSSES["forest"], first=5)}
    trials = {"line": _trial(1.0, 1.1), "forest": _trial(1.0, 1.1, 1.2)}
    assert compare_models("line", trials, temporal) == []
    for few in (10, 47):
        short = {name: _temporal(losses[:few]) for name, losses in LOSSES.items()}
        assert [c.test for c in compare_models("line", TRIALS, short)] == [FOLDS_TEST] * 2
    a_day = {name: _temporal(losses[:48]) for name, losses in LOSSES.items()}
    assert [c.test for c in compare_models("line", TRIALS, a_day)] == [FOLDS_TEST] * 2 + [TIME_TEST] * 2
    assert compare_models("line", {"line": TRIALS["line"]}, {"line": _temporal(LOSSES["line"])}) == []
