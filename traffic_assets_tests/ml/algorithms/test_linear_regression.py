"""Linear regression: it fits a line, applies its penalty, and does not depend on the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LINEAR = algorithm_named("linear_regression")


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> DataFrame:
    """Speed = 30 + 4 a - 2 b with slots of mean 0 and (population) standard deviation 1; c is constant."""
    table = [(Vectors.dense([a, b, 0.0]), 30 + 4 * a - 2 * b) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    return spark.createDataFrame(table * 3, ["features", "speed"]).coalesce(1)


def _fit(vectors: DataFrame, seed: int = 42, **changes: Any) -> Any:
    return LINEAR.fit(vectors, LinearRegressionHyperparameters(**changes), seed, "speed", "features")


def test_it_fits_the_line(vectors: DataFrame) -> None:
    model = _fit(vectors, regParam=0.0)
    assert model.coefficients.toArray() == pytest.approx([4, -2, 0])
    assert LINEAR.describe(model) == {"intercept": pytest.approx(30)}


def test_importances_are_absolute_coefficients(vectors: DataFrame) -> None:
    assert LINEAR.importances(_fit(vectors, regParam=0.0)) == pytest.approx([4, 2, 0])


def test_the_penalty_is_on_the_standardized_vector(vectors: DataFrame) -> None:
    """Ridge by hand: w = w_ols / (1 + λ / σ). MLlib standardizes the speed, here with σ = √(4² + 2²)."""
    shrink = 1 + 0.25 / np.sqrt(20)
    expected = [4 / shrink, -2 / shrink, 0]
    assert _fit(vectors, regParam=0.25).coefficients.toArray() == pytest.approx(expected, rel=1e-6)


def test_the_vector_is_not_scaled_a_second_time(spark: SparkSession) -> None:
    """One slot of variance 100, σ = 4: w = cov / (variance + λ / σ), not that of the slot scaled to variance 1."""
    table = [(Vectors.dense([x]), 30 + 0.4 * x) for x in (-10.0, 10.0)] * 3
    model = _fit(spark.createDataFrame(table, ["features", "speed"]).coalesce(1), regParam=40.0)
    assert model.coefficients.toArray() == pytest.approx([40 / (100 + 40 / 4)], rel=1e-6)


def test_the_lasso_drops_small_coefficients(vectors: DataFrame) -> None:
    """Soft threshold by hand: sign(w) max(|w| - λ, 0)."""
    model = _fit(vectors, regParam=2.5, elasticNetParam=1.0)
    assert model.coefficients.toArray() == pytest.approx([1.5, 0, 0], abs=1e-5)


def test_without_intercept(vectors: DataFrame) -> None:
    assert _fit(vectors, regParam=0.0, fitIntercept=False).intercept == 0


def test_another_seed_is_the_same_model(vectors: DataFrame) -> None:
    one, other = _fit(vectors, seed=1), _fit(vectors, seed=2)
    assert (np.array(one.coefficients) == np.array(other.coefficients)).all()
    assert one.intercept == other.intercept


def test_it_is_the_baseline() -> None:
    assert LINEAR.kind == "baseline"
