"""Evaluation of a model that is loaded back, and the ranking of a week's models."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.ml import PipelineModel

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.evaluation.diagnostics import predicted_rows
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry, rank_models
from traffic_assets.ml.evaluation.scores import Evaluation, Scores, sample_points, score_model
from traffic_assets.ml.fitting.pipeline import fit_pipeline, get_preprocessor
from traffic_assets.ml.metrics.metrics import Metrics, Spread, evaluate
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.slots import Slot, slots
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LINEAR = algorithm_named("linear_regression")
POOR = Metrics(rows=9, rmse=9.0, mae=8.0, mape=0.5, r2=0.1)
TEMPORAL = TemporalEvaluation(boundary=datetime(2026, 1, 6, tzinfo=UTC), fit_rows=9, metrics=POOR, hyperparameters={})


@pytest.fixture(scope="module")
def train(feature_rows: DataFrame) -> DataFrame:
    return feature_rows.where("sensor_id < 's5'")


@pytest.fixture(scope="module")
def test_rows(feature_rows: DataFrame) -> DataFrame:
    return feature_rows.where("sensor_id >= 's5'")


@pytest.fixture(scope="module")
def stored(train: DataFrame, features: FeatureSet, tmp_path_factory: pytest.TempPathFactory) -> PipelineModel:
    uri = f"file://{tmp_path_factory.mktemp('model')}/pipeline"
    fit_pipeline(train, features, LINEAR, LinearRegressionHyperparameters(regParam=0.0), 42).write().save(uri)
    return PipelineModel.load(uri)


@pytest.fixture(scope="module")
def named(stored: PipelineModel, features: FeatureSet) -> list[Slot]:
    return slots(get_preprocessor(stored), features)


def test_metrics_of_train_and_test_and_importances(
    stored: PipelineModel, train: DataFrame, test_rows: DataFrame, named: list[Slot]
) -> None:
    scores = score_model(stored, train, predicted_rows(stored, test_rows), LINEAR, named)
    assert (scores.train.rows, scores.test.rows) == (500, 300)
    assert scores.train == evaluate(stored.transform(train))
    pairs: np.ndarray = np.array(stored.transform(test_rows).select("speed", "prediction").collect())
    assert scores.test.mae == pytest.approx(np.abs(pairs[:, 0] - pairs[:, 1]).mean())
    assert scores.importances.top[0] == "traffic_efficiency", "the speed was computed from it"
    assert list(scores.importances.slots) == [slot.name for slot in named]
    assert Scores.model_validate_json(scores.model_dump_json()) == scores
    both = Evaluation(**dict(scores), temporal=TEMPORAL)
    assert Evaluation.model_validate_json(both.model_dump_json()) == both


def test_the_gap_is_train_minus_test(
    stored: PipelineModel, train: DataFrame, test_rows: DataFrame, named: list[Slot]
) -> None:
    base = Evaluation(**dict(score_model(stored, train, stored.transform(test_rows), LINEAR, named)), temporal=TEMPORAL)
    good = Metrics(rows=9, rmse=1.0, mae=0.5, mape=0.1, r2=0.75)
    assert base.model_copy(update={"train": good, "test": POOR}).gap == {"rmse": -8.0, "mae": -7.5, "r2": 0.65}
    constant = POOR.model_copy(update={"r2": math.nan})
    assert math.isnan(base.model_copy(update={"test": constant}).gap["r2"])


def test_a_sample_of_points_is_drawn_from_the_rows(stored: PipelineModel, feature_rows: DataFrame) -> None:
    predicted = predicted_rows(stored, feature_rows)
    known = {(row[0], row[1]) for row in predicted.select("speed", "prediction").collect()}
    points = sample_points(predicted, 800, 200, seed=42)
    drawn = list(zip(points.actual.tolist(), points.predicted.tolist(), strict=True))
    assert set(drawn) <= known
    assert len(set(drawn)) == len(drawn)
    assert 130 < len(drawn) <= 200, "about as many as requested, and never more"
    again = sample_points(predicted, 800, 200, seed=42)
    assert (again.actual == points.actual).all()
    other = sample_points(predicted, 800, 200, seed=43)
    assert set(other.actual) != set(points.actual)


def test_if_there_are_fewer_rows_all_are_drawn(stored: PipelineModel, test_rows: DataFrame) -> None:
    predicted = predicted_rows(stored, test_rows)
    assert sample_points(predicted, 300, 1000, seed=42).actual.shape == (300,)
    assert sample_points(predicted.limit(0), 0, 1000, seed=42).predicted.shape == (0,)


def _entry(model: str, rmse: float, r2: float) -> LeaderboardEntry:
    test = Metrics(rows=9, rmse=rmse, mae=1, mape=0.1, r2=r2)
    return LeaderboardEntry(model=model, kind="baseline", test=test, temporal=POOR, targets_asked=2, targets_missed=[])


def test_the_leaderboard_goes_from_best_to_worst() -> None:
    entries = {s.model: s for s in (_entry("b", 2.0, 0.7), _entry("c", 1.0, 0.8), _entry("a", 2.0, 0.9))}
    assert [s.model for s in rank_models(entries, "rmse")] == ["c", "a", "b"], "ties by name"
    assert [s.model for s in rank_models(entries, "r2")] == ["a", "c", "b"]


def test_models_are_ranked_by_cross_validation_and_not_by_test_rows() -> None:
    """Check that a model that is better only on the test rows is ranked after one that is better on the folds."""
    lucky, better = _entry("lucky", 1.0, 0.9), _entry("better", 2.0, 0.8)
    entries = {
        "lucky": lucky.model_copy(update={"folds": Spread(mean=3.0, std=0.1)}),
        "better": better.model_copy(update={"folds": Spread(mean=2.5, std=0.1)}),
    }
    assert [s.model for s in rank_models(entries, "rmse")] == ["better", "lucky"]
    assert [s.model for s in rank_models(entries, "r2")] == ["lucky", "better"]


def test_an_installed_metric_ranks_the_models_as_it_declares(far: str) -> None:
    entries = {
        name: entry.model_copy(update={"test": entry.test.model_copy(update={"extra": {far: value}})})
        for name, entry, value in (("a", _entry("a", 1.0, 0.9), 3.0), ("b", _entry("b", 2.0, 0.8), 4.0))
    }
    assert [s.model for s in rank_models(entries, far)] == ["b", "a"]
