"""Folds, search and learning curve, as the settings configure them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.ml.algorithm import OwnThreads, algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation, usable_features
from traffic_assets.ml.search.from_settings import (
    MOST_THREADS,
    choose_threads,
    count_searches,
    folds_from_settings,
    learning_curve_from_settings,
    minutes_per_search,
    rows_from_settings,
    search_from_settings,
)
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.loading import merge
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

needs_xgboost = pytest.mark.skipif(find_spec("xgboost") is None, reason="the extra 'xgboost' is not installed")
LINEAR = algorithm_named("linear_regression")
GRID = {"regParam": [0.01, 1.0, 100.0]}


@pytest.fixture(scope="module")
def train(feature_rows: DataFrame) -> Iterator[DataFrame]:
    with cached_rows(feature_rows) as rows:
        yield rows


def _settings(changes: dict[str, Any]) -> Settings:
    base = {"models": {"linear_regression": {"grid": GRID}}, "training": {"folds": 2}}
    return load_settings("local", merge(base, changes), environ={})


def _search(
    train: DataFrame, features: FeatureSet, scratch: Path, changes: dict[str, Any], tune: bool = True
) -> tuple[Search, list[str]]:
    reported: list[str] = []
    requested = LinearRegressionHyperparameters(regParam=0.5)
    search = search_from_settings(
        train, features, LINEAR, _settings(changes), requested, tune, f"file://{scratch}/models", notify=reported.append
    )
    return search, reported


def _codes(reported: list[str]) -> list[str]:
    """Return the codes of the progress messages that have one."""
    return [line.code for line in reported if isinstance(line, CodedText)]


@pytest.mark.parametrize("kind", ["random", "sensor", "expanding", "sliding"])
def test_folds_have_the_configured_kind_and_number(train: DataFrame, kind: str) -> None:
    folds = folds_from_settings(train, _settings({"training": {"fold_kind": kind, "folds": 3, "seed": 7}}).training)
    assert len(folds) == 3
    test_rows = [train.where(fold.test) for fold in folds]
    if kind == "sensor":
        assert [rows.select("sensor_id").distinct().count() for rows in test_rows] == [3, 2, 3]
    elif kind != "random":
        gap = train.where(~folds[0].train & ~folds[0].test).where("timestamp < '2026-01-05 04:00:00'").count()
        assert gap > 0, "an hour between train and test rows"


def test_without_tuning_only_the_requested_hyperparameters_are_tried(
    train: DataFrame, features: FeatureSet, tmp_path: Path
) -> None:
    search, reported = _search(train, features, tmp_path, {}, tune=False)
    assert (search.strategy, [t.hyperparameters["regParam"] for t in search.trials]) == ("none", [0.5])
    assert len(reported) == 2


def test_the_grid_is_searched_by_the_configured_metric(train: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    changes = {"evaluation": {"primary_metric": "mae"}, "training": {"parallel_training": True}}
    search, _ = _search(train, features, tmp_path, changes)
    assert (search.strategy, search.primary_metric) == ("grid", "mae")
    assert [t.hyperparameters["regParam"] for t in search.trials] == GRID["regParam"]
    assert search.best.hyperparameters["regParam"] == 0.01


@pytest.mark.parametrize("strategy", ["random", "tpe", "halving"])
def test_the_strategy_is_the_configured_one(
    train: DataFrame, features: FeatureSet, tmp_path: Path, strategy: str
) -> None:
    grid = {"regParam": {"low": 0.01, "high": 100.0, "log": True}}
    configured = {"strategy": strategy, "trials": 4, "batch": 2, "reduction": 2}
    models = {"linear_regression": {"grid": grid}}
    settings = load_settings("local", {"models": models, "training": {"folds": 2, "search": configured}}, environ={})
    requested = LinearRegressionHyperparameters(regParam=0.5)
    search = search_from_settings(
        train, features, LINEAR, settings, requested, True, f"file://{tmp_path}/m", lambda reported: None
    )
    assert search.strategy == strategy
    drawn = {trial.hyperparameters["regParam"] for trial in search.trials}
    assert len(drawn) == 4
    assert all(0.01 <= value <= 100 for value in drawn)
    shares = sorted({trial.row_share for trial in search.trials})
    assert shares == ([0.5, 1.0] if strategy == "halving" else [1.0])


def test_a_lane_without_a_surrogate_reports_it(train: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    search, reported = _search(train, features, tmp_path, {"training": {"search": {"screen": 1}}})
    assert _codes(reported) == ["search.unused-screening"]
    assert len(search.trials) == len(GRID["regParam"])


@pytest.mark.parametrize("share", [True, False])
def test_fits_are_shared_if_configured(train: DataFrame, features: FeatureSet, tmp_path: Path, share: bool) -> None:
    forest = {"grid": {"numTrees": [2, 3]}, "hyperparameters": {"numTrees": 2, "maxDepth": 2}}
    configured = {"models": {"random_forest": forest}, "training": {"search": {"share_fits": share}}}
    settings = _settings(configured)
    requested = settings.models.random_forest.hyperparameters
    search = search_from_settings(
        train,
        features,
        algorithm_named("random_forest"),
        settings,
        requested,
        True,
        f"file://{tmp_path}",
        lambda reported: None,
    )
    read = [trial for trial in search.trials if trial.read_from]
    assert bool(read) == share


def test_a_time_limit_is_shared_by_the_searches_of_a_run() -> None:
    def shares(*tuned: str, targets: tuple[str, ...] = ("speed",), lane: str = "random_forest") -> tuple[int, object]:
        models = {name: {"tune": True, "grid": {"maxDepth": [2, 3]}} for name in tuned}
        training = {"max_training_time_minutes": 120, "targets": list(targets)}
        settings = load_settings("local", {"models": models, "training": training}, environ={})
        return count_searches(settings, lane), minutes_per_search(settings, lane)

    assert shares("random_forest") == (2, 60), "for its cross-validation report and its temporal holdout"
    assert shares("random_forest", "gradient_boosted_trees") == (4, 30)
    assert shares("random_forest", "gradient_boosted_trees", targets=("speed", "flow")) == (8, 15)
    assert shares("random_forest", lane="gradient_boosted_trees") == (4, 30), "tuned from the Launchpad"
    assert minutes_per_search(_settings({}), "linear_regression") is None


def test_a_search_reports_its_share_of_the_time_limit(train: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    changes = {"training": {"max_training_time_minutes": 120}, "models": {"random_forest": {"tune": True}}}
    search, reported = _search(train, features, tmp_path, changes)
    assert reported[0].startswith("the search has 30 of the 120 minutes")
    assert search.stopped is None


def test_a_time_limit_applies_to_a_search_and_not_to_a_single_fit(
    train: DataFrame, features: FeatureSet, tmp_path: Path
) -> None:
    changes = {"training": {"max_training_time_minutes": 1e-9}}
    assert "max_training_time_minutes" in str(_search(train, features, tmp_path, changes)[0].stopped)
    assert _search(train, features, tmp_path, changes, tune=False)[0].stopped is None


@needs_xgboost
def test_screening_counts_for_the_time_limit(train: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    """Check that only the two kept points of five are ranked before the deadline."""
    forest = {"grid": {"maxBins": [4, 8, 16, 32, 64]}, "hyperparameters": {"numTrees": 2, "maxDepth": 2}}
    limit = {"max_training_time_minutes": 1e-9, "search": {"screen": 2}}
    settings = _settings(
        {"models": {"random_forest": forest}, "training": limit, "evaluation": {"primary_metric": "mae"}}
    )
    reported: list[str] = []
    requested = settings.models.random_forest.hyperparameters
    search = search_from_settings(
        train,
        features,
        algorithm_named("random_forest"),
        settings,
        requested,
        True,
        f"file://{tmp_path}",
        reported.append,
    )
    assert search.stopped is not None
    assert any("2 trials screened by XGBoost on" in line and "3 not screened because" in line for line in reported)
    assert any("the best 2 by MAE are cross-validated" in line for line in reported), "by the metric that chooses"
    assert search.screened == []
    assert [t.hyperparameters["maxBins"] for t in search.trials] == [4]


def test_fits_are_as_concurrent_as_spark_has_cores_if_configured(
    train: DataFrame, features: FeatureSet, tmp_path: Path
) -> None:
    def threads(parallel: bool, cores: int) -> tuple[int, list[str]]:
        reported: list[str] = []
        training = _settings({"training": {"parallel_training": parallel}}).training
        return choose_threads(training, cores, reported.append), reported

    assert threads(False, 8) == (1, [])
    assert threads(True, 8) == (8, ["training.parallel_training: up to 8 fits at the same time"])
    assert threads(True, 64)[0] == MOST_THREADS
    number, reported = threads(True, 1)
    assert (number, _codes(reported)) == (1, ["search.parallel-on-one-core"])
    _, reported = _search(train, features, tmp_path, {"training": {"parallel_training": True}})
    assert "training.parallel_training: up to 2 fits at the same time" in reported


def test_fits_that_take_all_cores_are_one_at_a_time(train: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    configured, reported = _settings({"training": {"parallel_training": True}}), list[str]()
    greedy = replace(LINEAR, own_threads=OwnThreads(lambda h: h.regParam == 0.5))
    requested = LinearRegressionHyperparameters(regParam=0.5)
    search_from_settings(
        train, features, greedy, configured, requested, False, f"file://{tmp_path}/m", notify=reported.append
    )
    assert _codes(reported) == ["search.parallel-with-all-cores"]
    assert choose_threads(configured.training, 8, reported.append, alone="Linear regression") == 1


@needs_xgboost
@pytest.mark.parametrize(
    ("algorithm", "model", "preprocessing", "kept"),
    [
        ("linear_regression", {}, {}, True),
        ("xgboost", {}, {}, False),
        ("xgboost", {}, {"outliers": "iqr"}, True),
        ("xgboost", {"hyperparameters": {"num_workers": 2}}, {}, True),
        ("xgboost", {"grid": {"max_depth": [3], "num_workers": [1, 2]}}, {}, True),
        ("xgboost", {"grid": {"max_depth": {"low": 3, "high": 5}}}, {}, False),
    ],
)
def test_rows_are_ordered_and_cached_except_for_folds_in_tasks(
    feature_rows: DataFrame, algorithm: str, model: Any, preprocessing: Any, kept: bool
) -> None:
    training = {"preprocessing": preprocessing, "cache_partitions": 3, "search": {"strategy": "random"}}
    configured = _settings({"models": {algorithm: {"enabled": True, **model}}, "training": training})
    requested = configured.enabled_models[algorithm].hyperparameters
    features = usable_features(feature_rows, FEATURES, Preparation(**configured.training.preprocessing.model_dump()))
    with rows_from_settings(feature_rows, features, algorithm_named(algorithm), configured, requested) as rows:
        assert (rows is feature_rows) is not kept
        assert (rows.storageLevel.useMemory and rows.rdd.getNumPartitions() == 3) or not kept


def test_a_learning_curve_is_computed_if_shares_are_configured(
    train: DataFrame, features: FeatureSet, tmp_path: Path
) -> None:
    search, _ = _search(train, features, tmp_path, {}, tune=False)
    assert learning_curve_from_settings(train, features, LINEAR, _settings({}), search) is None
    wish = _settings({"evaluation": {"diagnostics": {"learning_curve": [0.5, 1.0]}}})
    curve = learning_curve_from_settings(train, features, LINEAR, wish, search)
    assert curve is not None
    assert [point.share for point in curve.points] == [0.5, 1.0]
