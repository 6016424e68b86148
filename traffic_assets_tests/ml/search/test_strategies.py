"""Strategies: their points and rounds, which a seed reproduces."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from traffic_assets.ml.metrics.metrics import Metrics, Spread
from traffic_assets.ml.model_selection.trials import Trial, choose_best_trial
from traffic_assets.ml.search.strategies import Round, Strategy, make_strategy
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.base import Grid, Hyperparameters, Range
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.training import SearchSettings
from traffic_assets_tests.codes import get_code, get_values

BASE = LinearRegressionHyperparameters(maxIter=7)
GRID: Grid = {"regParam": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], "elasticNetParam": [0.0, 0.5, 1.0]}
RANGES: Grid = {"regParam": Range(low=1e-4, high=10.0, log=True), "maxIter": Range(low=5, high=50)}
needs_optuna = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="the extra 'tpe' is not installed")


def _far_from(best: float) -> Callable[[Hyperparameters], float]:
    return lambda h: abs(getattr(h, "regParam") - best)  # noqa: B009


def _trial(hyperparameters: Hyperparameters, error: float, row_share: float = 1.0, folds: int = 1) -> Trial:
    metrics = Metrics(rows=10, rmse=error, mae=error, mape=error, r2=1 - error)
    summary = {m: Spread(mean=getattr(metrics, m), std=0.0) for m in ("rmse", "mae", "mape", "r2")}
    return Trial(
        hyperparameters=hyperparameters.model_dump(), folds=[metrics] * folds, summary=summary, row_share=row_share
    )


def _drive(strategy: Strategy, error: Callable[[Hyperparameters], float]) -> list[Round]:
    rounds = []
    try:
        current = next(strategy)
        while True:
            rounds.append(current)
            current = strategy.send([_trial(h, error(h), current.row_share) for h in current.tried])
    except StopIteration:
        return rounds


def _strategy(name: str, grid: Grid, seed: int = 1, metric: str = "rmse", **more: Any) -> Strategy:
    return make_strategy(SearchSettings(strategy=name, **more), BASE, grid, True, metric, seed)


def test_without_tuning_or_grid_only_the_hyperparameters_are_tried() -> None:
    for tune, grid in ((False, GRID), (True, {})):
        (only,) = _drive(make_strategy(SearchSettings(), BASE, grid, tune, "rmse", 1), _far_from(0))
        assert only == Round([BASE])


def test_grid_tries_every_combination_once() -> None:
    (only,) = _drive(_strategy("grid", GRID), _far_from(0))
    assert len(only.tried) == len(set(only.tried)) == 27
    assert all(isinstance(h, LinearRegressionHyperparameters) and h.maxIter == 7 for h in only.tried)


def test_grid_refuses_a_range_and_names_its_setting() -> None:
    with pytest.raises(ValueError) as caught:
        _drive(_strategy("grid", RANGES), _far_from(0))
    assert get_code(caught.value) == "settings.range-in-grid-search"
    assert "grid.regParam" in get_values(caught.value)["settings"]


def test_random_draws_different_points_by_seed_and_no_more_than_there_are() -> None:
    first, again, other = (_drive(_strategy("random", GRID, seed, trials=9), _far_from(0))[0] for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first.tried)) == 9
    (few,) = _drive(_strategy("random", {"elasticNetParam": [0.0, 1.0]}, trials=9), _far_from(0))
    assert len(few.tried) == 2
    (drawn,) = _drive(_strategy("random", RANGES, trials=30), _far_from(0))
    values = [h.model_dump() for h in drawn.tried]
    assert all(
        1e-4 <= v["regParam"] <= 10 and isinstance(v["maxIter"], int) and 5 <= v["maxIter"] <= 50 for v in values
    )
    assert sum(v["regParam"] < 0.03 for v in values) > 5, "each order of magnitude is as likely as the next"


@pytest.mark.parametrize("name", ["random", pytest.param("tpe", marks=needs_optuna)])
def test_values_from_a_range_have_the_type_of_the_hyperparameter_and_not_of_the_ends(name: str) -> None:
    grid: Grid = {"elasticNetParam": Range(low=0, high=1), "maxIter": Range(low=1, high=9)}
    drawn = [h.model_dump() for round_ in _drive(_strategy(name, grid, trials=12), _far_from(0)) for h in round_.tried]
    assert sum(0 < values["elasticNetParam"] < 1 for values in drawn) == len(drawn) > 8
    assert all(isinstance(values["maxIter"], int) for values in drawn)


def test_halving_keeps_the_best_third_and_triples_the_rows() -> None:
    rounds = _drive(_strategy("halving", GRID), _far_from(0.3))
    assert [len(r.tried) for r in rounds] == [27, 9, 3]
    assert [r.row_share for r in rounds] == pytest.approx([1 / 9, 1 / 3, 1.0])
    assert {h.model_dump()["regParam"] for h in rounds[-1].tried} == {0.3}
    best_by_r2 = _drive(_strategy("halving", GRID, metric="r2"), _far_from(0.7))
    assert {h.model_dump()["regParam"] for h in best_by_r2[-1].tried} == {0.7}


def test_if_time_ends_inside_a_rung_the_best_of_the_previous_one_is_chosen() -> None:
    """Check that each rung begins with the best of the one before, which it therefore always evaluates."""
    rounds = _drive(_strategy("halving", GRID), _far_from(0.3))
    for rung in rounds[1:]:
        errors = [_far_from(0.3)(h) for h in rung.tried]
        assert errors == sorted(errors)
    trials = [_trial(h, _far_from(0.3)(h), rounds[0].row_share, folds=5) for h in rounds[0].tried]
    led = choose_best_trial(trials, "rmse")
    trials.append(_trial(rounds[1].tried[0], 0.4, rounds[1].row_share))
    assert trials[choose_best_trial(trials, "rmse")].hyperparameters == trials[led].hyperparameters


def test_tpe_without_optuna_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError) as caught:
        next(_strategy("tpe", GRID))
    assert get_code(caught.value) == "search.missing-optuna"
    assert get_values(caught.value) == {"command": install_command("tpe")}


@needs_optuna
def test_tpe_finds_the_valley_in_batches_and_repeats_itself() -> None:
    def error(h: Hyperparameters) -> float:
        return abs(math.log10(h.model_dump()["regParam"]) - math.log10(0.05))

    grid: Grid = {"regParam": RANGES["regParam"]}
    rounds, again = (_drive(_strategy("tpe", grid, trials=40, batch=4), error) for _ in range(2))
    assert rounds == again
    assert [len(r.tried) for r in rounds] == [4] * 10
    early, late = ([error(h) for r in part for h in r.tried] for part in (rounds[:5], rounds[5:]))
    assert sum(late) / len(late) < 0.6 * sum(early) / len(early)
