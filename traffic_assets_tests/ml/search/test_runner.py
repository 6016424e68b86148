"""Searches on Spark: the winner of a shared fit is fitted separately, and a time limit keeps the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pyspark.sql import functions as F

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.model_selection.cross_validation import CrossValidation
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.search.runner import run_search
from traffic_assets.ml.search.strategies import Strategy, make_strategy
from traffic_assets.ml.splits.folds import Fold, make_folds
from traffic_assets.settings.models.base import Grid, Range
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.training import SearchSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.ml.search.test_strategies import needs_optuna

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FOREST = algorithm_named("random_forest")
BASE = RandomForestHyperparameters(numTrees=2, maxDepth=2, maxBins=32)
GRID: Grid = {"numTrees": [2, 5], "maxDepth": [2, 4], "minInstancesPerNode": [1, 40]}
SEED = 42


@pytest.fixture(scope="module")
def train(feature_rows: DataFrame) -> Iterator[DataFrame]:
    with cached_rows(feature_rows) as rows:
        yield rows


@pytest.fixture(scope="module")
def folds(train: DataFrame) -> list[Fold]:
    return make_folds(train, "random", 2, SEED)


def _search(train: DataFrame, features: FeatureSet, folds: list[Fold], grid: Grid = GRID, **more: Any) -> Search:
    search = more.pop("search", SearchSettings())
    strategy = make_strategy(search, BASE, grid, True, "rmse", SEED)
    return run_search(train, features, FOREST, strategy, folds=folds, seed=SEED, **more)


@pytest.fixture(scope="module")
def shared(
    train: DataFrame, features: FeatureSet, folds: list[Fold], tmp_path_factory: pytest.TempPathFactory
) -> Search:
    return _search(train, features, folds, scratch=f"file://{tmp_path_factory.mktemp('scratch')}")


@pytest.fixture(scope="module")
def alone(train: DataFrame, features: FeatureSet, folds: list[Fold]) -> Search:
    return _search(train, features, folds)


def test_a_shared_search_fits_once_per_fold_and_chooses_as_the_exhaustive_one(shared: Search, alone: Search) -> None:
    assert alone.fits == 8 * 2
    assert shared.fits == 2, "the largest point of the grid wins here, and it is the shared fit itself"
    assert shared.best.hyperparameters == alone.best.hyperparameters
    assert [t.hyperparameters for t in shared.trials] == [t.hyperparameters for t in alone.trials]
    read = [t.summary["rmse"].mean for t in shared.trials]
    fitted = [t.summary["rmse"].mean for t in alone.trials]
    assert read == pytest.approx(fitted, rel=0.25)


def test_the_confirmed_trial_is_the_cross_validation_of_the_winner_itself(
    shared: Search, alone: Search, train: DataFrame, features: FeatureSet, folds: list[Fold], tmp_path: Path
) -> None:
    assert shared.confirmed.read_from is None
    assert shared.confirmed.summary["rmse"].mean == pytest.approx(alone.confirmed.summary["rmse"].mean, rel=1e-9)
    # here a smaller forest than the shared one may win, which is then fitted separately
    reported: list[str] = []
    search = _search(
        train,
        features,
        folds,
        {"numTrees": [1, 5], "maxDepth": [3]},
        scratch=f"file://{tmp_path}",
        notify=reported.append,
    )
    worst: Grid = {"numTrees": [5, 1], "minInstancesPerNode": [300]}
    lone = _search(train, features, folds, worst, scratch=f"file://{tmp_path}")
    for each in (search, lone):
        expected = CrossValidation(features, FOREST, folds, SEED).evaluate(
            train, RandomForestHyperparameters.model_validate(each.best.hyperparameters)
        )
        assert each.best.hyperparameters == expected.hyperparameters
        for one, other in zip(each.best.folds, expected.folds, strict=True):
            assert one.by_name == pytest.approx(other.by_name, rel=1e-9)
            assert one.rows == other.rows
    assert any("now fitted itself on every fold" in line for line in reported) == (
        search.best != search.trials[search.chosen]
    )


def test_the_best_trial_has_every_metric(
    shared: Search, train: DataFrame, features: FeatureSet, folds: list[Fold], tmp_path: Path
) -> None:
    """Include the P95, which a trial that is read from a larger fit does not have."""
    assert all(fold.p95 > 0 for fold in shared.best.folds)
    boosted = algorithm_named("gradient_boosted_trees")
    base = GradientBoostedTreesHyperparameters(maxDepth=2, maxBins=32, stepSize=1.0)
    strategy = make_strategy(SearchSettings(), base, {"maxIter": [2, 60]}, True, "rmse", SEED)
    search = run_search(train, features, boosted, strategy, folds=folds, seed=SEED, scratch=f"file://{tmp_path}")
    read = search.trials[0].read_from
    assert read is not None and read["maxIter"] == 60
    assert search.trials[1].read_from is None
    assert all(fold.p95 > 0 for fold in search.best.folds)
    few = CrossValidation(features, boosted, folds, SEED).evaluate(train, base.model_copy(update={"maxIter": 2}))
    assert [f.rmse for f in search.trials[0].folds] == pytest.approx([f.rmse for f in few.folds]), (
        "the first trees are exactly the smaller model"
    )


@pytest.mark.parametrize("name", ["random", pytest.param("tpe", marks=needs_optuna)])
def test_draws_are_evaluated_on_spark_and_are_the_same_for_a_seed(
    train: DataFrame, features: FeatureSet, folds: list[Fold], name: Literal["random", "tpe"]
) -> None:
    grid: Grid = {"maxDepth": Range(low=1, high=3), "minInstancesPerNode": [1, 40, 300]}
    settings = SearchSettings(strategy=name, trials=3, batch=2)
    first, second = (_search(train, features, folds, grid, search=settings, name=name) for _ in range(2))
    assert first.trials == second.trials
    assert (first.strategy, first.best) == (name, second.best)
    assert 1 < len(first.trials) <= 3
    assert first.best.over_folds("rmse").mean == min(t.over_folds("rmse").mean for t in first.trials)


def test_a_time_limit_ends_the_search_with_the_best_so_far_and_is_reported(
    train: DataFrame, features: FeatureSet, folds: list[Fold]
) -> None:
    reported: list[str] = []
    search = _search(train, features, folds, max_minutes=1e-9, notify=reported.append)
    assert len(search.trials) == 1
    assert search.stopped is not None
    assert "after its 1e-09 minutes of training.max_training_time_minutes" in search.stopped
    (stopped,) = (line for line in reported if isinstance(line, CodedText))
    assert stopped.code == "search.time-limit"
    assert (stopped.values["complete"], stopped.values["partial"]) == (0, 1)
    assert stopped.endswith(search.stopped), "below the name of the algorithm"
    assert len(search.best.folds) == 2, "the reported trial was evaluated on every fold"
    assert search.best.hyperparameters == search.trials[0].hyperparameters


def test_halving_evaluates_many_on_few_rows_and_the_last_on_all(
    train: DataFrame, features: FeatureSet, folds: list[Fold], tmp_path: Path
) -> None:
    search = _search(
        train,
        features,
        folds,
        search=SearchSettings(strategy="halving", reduction=2),
        scratch=f"file://{tmp_path}",
        name="halving",
    )
    shares = [trial.row_share for trial in search.trials]
    assert shares == sorted(shares)
    assert [shares.count(s) for s in (0.25, 0.5, 1.0)] == [8, 4, 2]
    by_share = {s: sum(f.rows for f in next(t for t in search.trials if t.row_share == s).folds) for s in (0.25, 1.0)}
    assert by_share[0.25] == pytest.approx(0.25 * by_share[1.0], rel=0.3)
    assert search.best.row_share == 1.0


def _halved(
    train: DataFrame, features: FeatureSet, folds: list[Fold], patch: pytest.MonkeyPatch, fits: int
) -> tuple[Search, list[str]]:
    """Halve four forests to two, the worst first, until time is up after `fits` fits; return the search and its log."""
    reported: list[str] = []
    clock = SimpleNamespace(monotonic=lambda: 0.0 if len(reported) < fits else 1e9)
    patch.setattr("traffic_assets.ml.search.runner.time", clock)
    patch.setattr("traffic_assets.ml.model_selection.fit_scheduler.time", clock)
    grid: Grid = {"maxDepth": [1, 4], "numTrees": [1, 5]}
    settings = SearchSettings(strategy="halving", reduction=2)
    return _search(train, features, folds, grid, search=settings, max_minutes=1.0, notify=reported.append), reported


def test_a_deadline_between_two_rungs_ends_the_search_without_another_fit(
    train: DataFrame, features: FeatureSet, folds: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    search, reported = _halved(train, features, folds, monkeypatch, fits=8)
    assert [trial.row_share for trial in search.trials] == [0.5] * 4
    assert search.stopped is not None
    assert "is now fitted on every fold" in reported[8]
    assert search.chosen == min(range(4), key=lambda i: search.trials[i].summary["rmse"].mean)


def test_a_deadline_inside_a_rung_chooses_the_best_of_the_one_before(
    train: DataFrame, features: FeatureSet, folds: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    search, _ = _halved(train, features, folds, monkeypatch, fits=9)
    assert [trial.row_share for trial in search.trials] == [0.5] * 4 + [1.0]
    assert search.stopped is not None
    led = min(search.trials[:4], key=lambda trial: trial.summary["rmse"].mean)
    assert led.hyperparameters["numTrees"] == 5, "it was not the first of the two kept forests"
    assert search.best.hyperparameters == led.hyperparameters
    assert len(search.best.folds) == 2


def test_no_search_without_a_known_metric(train: DataFrame, features: FeatureSet, folds: list[Fold]) -> None:
    with pytest.raises(ValueError) as caught:
        _search(train, features, folds, primary_metric="accuracy")
    assert get_code(caught.value) == "search.unknown-metric"
    values = get_values(caught.value)
    assert (values["metric"], values["metrics"][:4]) == ("accuracy", ["rmse", "mae", "mape", "r2"])


def test_no_search_without_hyperparameters(train: DataFrame, features: FeatureSet, folds: list[Fold]) -> None:
    def no_rounds() -> Strategy:
        yield from ()

    with pytest.raises(ValueError) as caught:
        run_search(train, features, FOREST, no_rounds(), folds=folds, seed=SEED)
    assert get_code(caught.value) == "search.no-hyperparameters"


@pytest.mark.parametrize("sharing", [True, False])
def test_an_installed_metric_chooses(
    train: DataFrame, features: FeatureSet, folds: list[Fold], far: str, sharing: bool, tmp_path: Path
) -> None:
    """Use a metric for which large errors are good: the worst forest wins, even if all are read from one fit."""
    grid: Grid = {"maxDepth": [1, 4], "numTrees": [5]}
    scratch = f"file://{tmp_path}/scratch" if sharing else None
    search = _search(train, features, folds, grid, primary_metric=far, scratch=scratch)
    assert (search.trials[search.chosen].read_from is not None) is sharing
    assert search.best.hyperparameters["maxDepth"] == 1
    for trial in search.trials:
        assert trial.over_folds(far).mean == pytest.approx(trial.over_folds("mae").mean)
    assert Search.model_validate_json(search.model_dump_json()) == search


def test_a_metric_that_was_not_evaluated_is_refused(alone: Search) -> None:
    with pytest.raises(ValueError) as caught:
        alone.best.over_folds("far")
    assert get_code(caught.value) == "model-selection.metric-not-evaluated"
    assert get_values(caught.value) == {"metric": "far", "metrics": ["rmse", "mae", "mape", "r2"]}


def test_a_search_survives_json(shared: Search) -> None:
    assert Search.model_validate_json(shared.model_dump_json()) == shared


def test_a_search_by_an_undefined_metric_is_reported(train: DataFrame, features: FeatureSet, folds: list[Fold]) -> None:
    constant, messages = train.withColumn("speed", F.lit(65.3)), list[str]()
    with cached_rows(constant) as rows:
        strategy = make_strategy(SearchSettings(), BASE, {"maxDepth": [1, 2]}, True, "r2", SEED)
        searched = run_search(
            rows, features, FOREST, strategy, folds=folds, seed=SEED, primary_metric="r2", notify=messages.append
        )
    assert searched.chosen == 0
    assert [text.code for text in messages if isinstance(text, CodedText)] == ["search.undefined-metric"]
