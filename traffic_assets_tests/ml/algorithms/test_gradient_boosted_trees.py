"""Gradient-boosted trees: each tree corrects the previous ones, by the configured step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets_tests.codes import get_code

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BOOSTED = algorithm_named("gradient_boosted_trees")


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Two levels of speed in a, and one more step in b; c is constant."""
    table = [(Vectors.dense([float(a), float(b), 1.0]), 20.0 + 30 * a + 4 * b) for a in (0, 1) for b in (0, 1)]
    frame = spark.createDataFrame(table * 5, ["features", "speed"]).coalesce(1).cache()
    yield frame
    frame.unpersist()


def _fit(vectors: DataFrame, seed: int = 42, **changes: Any) -> Any:
    small = GradientBoostedTreesHyperparameters.model_validate(
        {"maxIter": 3, "maxDepth": 1, "stepSize": 0.5, **changes}
    )
    return BOOSTED.fit(vectors, small, seed, "speed", "features")


def _predictions(model: Any, vectors: DataFrame) -> dict[tuple[float, ...], float]:
    return {tuple(row.features): row.prediction for row in model.transform(vectors).collect()}


def test_boosting_by_hand(vectors: DataFrame) -> None:
    """Stumps: the first predicts 22 or 52 by a; the next one halves the residual.

    MLlib's squared loss is (y - F)², so a tree fits 2 (y - F) = ±4 by b, and adds half of it: after two trees
    the prediction is exact, and a third adds nothing.
    """
    one, two, three = (_predictions(_fit(vectors, maxIter=trees), vectors) for trees in (1, 2, 3))
    exact = {(a, b, 1.0): 20 + 30 * a + 4 * b for a in (0.0, 1.0) for b in (0.0, 1.0)}
    assert one == pytest.approx({key: 22 + 30 * key[0] for key in exact})
    assert two == pytest.approx(exact)
    assert three == pytest.approx(exact)


def test_every_tree_except_the_first_has_the_step_as_weight(vectors: DataFrame) -> None:
    assert _fit(vectors, stepSize=0.25).treeWeights == [1.0, 0.25, 0.25]


def test_facts_count_trees_and_nodes(vectors: DataFrame) -> None:
    model = _fit(vectors, maxIter=2)
    assert BOOSTED.describe(model) == {"trees": 2, "nodes": 2 * 3}


def test_importances_are_shares(vectors: DataFrame) -> None:
    weights = BOOSTED.importances(_fit(vectors))
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0
    assert weights[1] > 0
    assert weights[2] == 0, "c is constant"


def test_the_absolute_loss_is_another_model(vectors: DataFrame) -> None:
    squared, absolute = (
        _predictions(_fit(vectors, maxIter=2, lossType=loss), vectors) for loss in ("squared", "absolute")
    )
    assert absolute == pytest.approx({key: 22 + 30 * key[0] + 0.5 * np.sign(key[1] - 0.5) for key in squared})


def test_the_seed_draws_the_rows_of_each_tree(vectors: DataFrame) -> None:
    noisy = vectors.selectExpr("features", "speed + 3 * (xxhash64(monotonically_increasing_id()) % 7) as speed").cache()
    one, same, other = (_predictions(_fit(noisy, seed=seed, subsamplingRate=0.5), noisy) for seed in (1, 1, 2))
    noisy.unpersist()
    assert one == same
    assert one != other


def test_it_is_an_alternative() -> None:
    assert BOOSTED.kind == "alternative"


def test_it_stops_when_the_validation_error_no_longer_falls(spark: SparkSession) -> None:
    """Fit with validation rows that depend on b in the opposite way. Every split by b increases their error."""
    table = [
        (Vectors.dense([float(a), float(b), 1.0]), 20.0 + 30 * a + 8 * b * (-1 if marked else 1), marked)
        for a in (0, 1) for b in (0, 1) for marked in (False, True)
    ]  # fmt: skip
    rows = spark.createDataFrame(table * 5, ["features", "speed", "stops"]).coalesce(1)
    long = GradientBoostedTreesHyperparameters(maxIter=6, maxDepth=1, stepSize=0.5)
    early = long.model_copy(update={"earlyStopping": True})
    assert BOOSTED.describe(BOOSTED.fit(rows, long, 42, "speed", "features"))["trees"] == 6
    stopped = BOOSTED.fit(rows, early, 42, "speed", "features", "stops")
    assert BOOSTED.describe(stopped)["trees"] == 1
    fitted = _predictions(stopped, rows)
    assert fitted[0.0, 0.0, 1.0] == pytest.approx(24), "mean of the unmarked rows: (20 + 28) / 2"
    with pytest.raises(ValueError) as caught:
        BOOSTED.fit(rows, early, 42, "speed", "features")
    assert get_code(caught.value) == "algorithms.no-validation-rows"


def test_without_validation_rows_every_tree_is_fitted(vectors: DataFrame) -> None:
    stopping = GradientBoostedTreesHyperparameters(maxIter=3, maxDepth=1, stepSize=0.5, earlyStopping=True)
    rows = vectors.withColumn("stops_fit", F.lit(False))
    model: Any = BOOSTED.fit(rows, stopping, 42, "speed", "features", "stops_fit")
    assert _predictions(model, vectors) == _predictions(_fit(vectors), vectors)


def test_a_constant_target_is_predicted_exactly(vectors: DataFrame) -> None:
    constant = vectors.withColumn("speed", F.lit(65.3))
    assert set(_predictions(_fit(constant), constant).values()) == {65.3}
