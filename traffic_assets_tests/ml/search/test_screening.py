"""Screening, which keeps the better hyperparameters, by a bounded sample of train rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.search.screening import TEST_SHARE, screen
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FORESTS = [
    RandomForestHyperparameters(numTrees=20, maxDepth=depth, maxBins=bins, featureSubsetStrategy="all")
    for depth in (1, 6)
    for bins in (2, 128)
]
BOOSTED = [GradientBoostedTreesHyperparameters(maxIter=20, maxDepth=3, stepSize=step) for step in (0.001, 0.3)]


@pytest.mark.parametrize(
    ("name", "tried", "best"), [("random_forest", FORESTS, 3), ("gradient_boosted_trees", BOOSTED, 1)]
)
def test_the_better_hyperparameters_are_kept(
    feature_rows: DataFrame, features: FeatureSet, name: str, tried: list[Hyperparameters], best: int
) -> None:
    reported: list[str] = []
    ranking = screen(
        feature_rows, features, algorithm_named(name), tried, keep=1, rows=10_000, seed=42, notify=reported.append
    )
    assert ranking.kept == [tried[best]]
    assert [left.hyperparameters for left in ranking.screened] == [h.model_dump() for h in tried if h != tried[best]]
    assert all(left.rmse > 0 for left in ranking.screened)
    assert (
        f"{len(tried)} trials screened by XGBoost on 800 train rows; the best 1 by RMSE are cross-validated"
        in reported[0]
    )


class _Erring:
    """Model with fixed errors (mph) in slow and in fast traffic."""

    def __init__(self, slow: float, fast: float) -> None:
        self.slow, self.fast = slow, fast

    def fit(self, x: np.ndarray, y: np.ndarray) -> _Erring:
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        speed = x[:, 0]
        return speed + np.where(speed < 30, self.slow, self.fast)


@pytest.mark.parametrize(
    ("metric", "best", "word"),
    [("rmse", 0, "RMSE"), ("r2", 0, "RMSE"), ("of_a_package", 0, "RMSE"), ("mae", 1, "MAE"), ("mape", 2, "MAPE")],
)
def test_they_are_ranked_by_the_primary_metric(
    feature_rows: DataFrame, features: FeatureSet, metric: str, best: int, word: str
) -> None:
    """Rank three models on rows of which one in ten is slow.

    Equal errors have the lowest RMSE, few large ones the lowest MAE, and none in slow traffic the lowest MAPE.
    """
    rows = feature_rows.withColumn("speed", F.when(unit_hash(5, "slow") < 0.1, 10.0).otherwise(60.0))
    rows = rows.withColumn("traffic_efficiency", F.col("speed"))
    errs = dict(zip(FORESTS[:3], [_Erring(2.5, 2.5), _Erring(12, 0), _Erring(0, 2.9)], strict=True))
    engine = replace(algorithm_named("random_forest"), surrogate=lambda h, seed, slots: errs[h], scale_invariant=True)
    reported: list[str] = []
    ranking = screen(
        rows, replace(features, numeric=("traffic_efficiency",), categorical=()), engine, FORESTS[:3],
        keep=1, rows=10_000, seed=1, metric=metric, notify=reported.append,
    )  # fmt: skip
    assert ranking.kept == [FORESTS[best]]
    assert f"best 1 by {word} are cross-validated" in reported[0]


def test_the_sample_is_bounded_and_the_same_for_a_seed(feature_rows: DataFrame, features: FeatureSet) -> None:
    reported: list[str] = []
    runs = [
        screen(
            rows, features, algorithm_named("random_forest"), FORESTS, keep=2, rows=200, seed=7, notify=reported.append
        )
        for rows in (feature_rows, feature_rows.repartition(5))
    ]
    assert runs[0] == runs[1]
    sampled = int(reported[0].split(" train rows")[0].rsplit(" ", 1)[1])
    assert 100 < sampled <= 200


def test_trials_are_not_ranked_if_all_are_kept(feature_rows: DataFrame, features: FeatureSet) -> None:
    ranking = screen(feature_rows, features, algorithm_named("random_forest"), FORESTS, keep=4, rows=100, seed=1)
    assert ranking.kept == FORESTS
    assert ranking.screened == []


def test_an_algorithm_without_a_surrogate_is_refused(feature_rows: DataFrame, features: FeatureSet) -> None:
    with pytest.raises(ValueError) as caught:
        screen(
            feature_rows, features, algorithm_named("linear_regression"), [LinearRegressionHyperparameters()] * 2,
            keep=1, rows=100, seed=1,
        )  # fmt: skip
    assert get_code(caught.value) == "search.no-surrogate"
    assert get_values(caught.value) == {"algorithm": "linear_regression"}


def test_a_feature_that_only_test_rows_have_is_left_out(feature_rows: DataFrame, features: FeatureSet) -> None:
    is_test = unit_hash(3, "screen fold") < TEST_SHARE
    rows = feature_rows.withColumn("flow_rate", F.when(is_test, F.col("flow_rate")))
    without = replace(features, numeric=tuple(name for name in features.numeric if name != "flow_rate"))
    ranking, expected = (
        screen(rows, some, algorithm_named("random_forest"), FORESTS, keep=1, rows=10_000, seed=3)
        for some in (features, without)
    )
    assert ranking == expected


@pytest.mark.parametrize("which", ["sensor_id = 'none'", "sensor_id = 's1' AND timestamp = '2026-01-05 00:00:00'"])
def test_a_sample_that_is_too_small_is_refused(feature_rows: DataFrame, features: FeatureSet, which: str) -> None:
    with pytest.raises(ValueError) as caught:
        screen(
            feature_rows.where(which), features, algorithm_named("random_forest"), FORESTS,
            keep=1, rows=10_000, seed=1,
        )  # fmt: skip
    assert get_code(caught.value) == "search.too-few-rows-to-screen"
    assert get_values(caught.value)["rows"] in (0, 1)
