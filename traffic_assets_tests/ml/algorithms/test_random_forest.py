"""Random forest: the mean of its trees, with a draw by seed, and as many thresholds as bins allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FOREST = algorithm_named("random_forest")


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Speed = 60 a with noise in b; c is constant."""
    draw = np.random.default_rng(5)
    table = [(Vectors.dense([i / 300, float(draw.normal()), 1.0]), 60 * i / 300) for i in range(300)]
    frame = spark.createDataFrame(table, ["features", "speed"]).coalesce(1).cache()
    yield frame
    frame.unpersist()


def _fit(vectors: DataFrame, seed: int = 42, **changes: Any) -> Any:
    small = RandomForestHyperparameters.model_validate({"numTrees": 3, "maxDepth": 4, **changes})
    return FOREST.fit(vectors, small, seed, "speed", "features")


def _predictions(model: Any, vectors: DataFrame) -> np.ndarray:
    return np.array(model.transform(vectors).select("prediction").collect()).ravel()


def _error(model: Any, vectors: DataFrame) -> float:
    observed: np.ndarray = np.array(vectors.select("speed").collect()).ravel()
    return float(np.sqrt(np.mean((_predictions(model, vectors) - observed) ** 2)))


def test_a_prediction_is_the_mean_of_the_trees(vectors: DataFrame) -> None:
    model = _fit(vectors)
    of_trees = np.array([_predictions(tree, vectors) for tree in model.trees])
    assert of_trees.shape == (3, 300)
    assert len({tuple(tree) for tree in of_trees}) == 3, "each tree has its own rows"
    assert _predictions(model, vectors) == pytest.approx(of_trees.mean(axis=0))


def test_node_ids_are_cached_if_they_fit_into_memory(vectors: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the trees are the same without the cache, which Spark would write to disk if it did not fit."""
    kept = _fit(vectors)
    monkeypatch.setattr("traffic_assets.ml.algorithms.random_forest.MAX_CACHED_NODES", 300 * 3 - 1)
    not_kept = _fit(vectors)
    assert (kept.getCacheNodeIds(), not_kept.getCacheNodeIds()) == (True, False)
    one, other = ([tree.toDebugString.split("\n", 1)[1] for tree in model.trees] for model in (kept, not_kept))
    assert one == other


def test_facts_count_trees_and_nodes(vectors: DataFrame) -> None:
    model = _fit(vectors)
    assert FOREST.describe(model) == {"trees": 3, "nodes": sum(tree.numNodes for tree in model.trees)}
    assert _fit(vectors, maxDepth=1, numTrees=2, featureSubsetStrategy="all").totalNumNodes == 2 * 3


def test_importances_are_shares(vectors: DataFrame) -> None:
    weights = FOREST.importances(_fit(vectors))
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] > 0, "the speed depends on a; b is noise"
    assert weights[2] == 0, "c is constant"


def test_another_seed_is_another_forest(vectors: DataFrame) -> None:
    one, same, other = (_predictions(_fit(vectors, seed=seed), vectors) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_more_bins_are_finer_thresholds(vectors: DataFrame) -> None:
    """Check that MLlib's default of 32 bins is less accurate."""
    coarse, fine = (
        _error(_fit(vectors, maxBins=bins, maxDepth=8, featureSubsetStrategy="all"), vectors) for bins in (4, 128)
    )
    assert fine < coarse / 4


def test_it_is_the_primary_model() -> None:
    assert FOREST.kind == "primary"
