"""Ensembles: weighted sums of models, with weights from rows that no member was fitted on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F
from scipy.optimize import nnls

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.estimators.ensembles import EnsembleModel
from traffic_assets.ml.splits.hashing import row_fold_column
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

ENSEMBLE = algorithm_named("ensemble")
SEED, ROWS = 42, 120
MEMBERS: dict[str, dict[str, Any]] = {
    "linear_regression": {"regParam": 0.0},
    "random_forest": {"numTrees": 4, "maxDepth": 4, "featureSubsetStrategy": "all"},
}


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Return a speed that is linear in a, with a step in b: each member fits one part. A tenth is marked."""
    draw = np.random.default_rng(5)
    a, b = draw.uniform(-1, 1, ROWS), draw.uniform(-1, 1, ROWS)
    speed = 40 + 10 * a + 20 * (b > 0.3) + draw.normal(0, 0.5, ROWS)
    table = [(Vectors.dense([a[i], b[i], 1.0]), float(speed[i]), i, i % 10 == 0) for i in range(ROWS)]
    frame = spark.createDataFrame(table, ["features", "speed", "row", "stops"]).coalesce(1).cache()
    yield frame
    frame.unpersist()


def _fit(rows: DataFrame, stop: str | None = None, **changes: Any) -> EnsembleModel:
    hyperparameters = EnsembleHyperparameters.model_validate({"members": MEMBERS, "folds": 2, **changes})
    model = ENSEMBLE.fit(rows, hyperparameters, SEED, "speed", "features", stop)
    assert isinstance(model, EnsembleModel)
    return model


def _fit_member(rows: DataFrame, name: str) -> Any:
    algorithm = algorithm_named(name)
    return algorithm.fit(rows, algorithm.hyperparameters.model_validate(MEMBERS[name]), SEED, "speed", "features")


def _predictions(model: Any, rows: DataFrame) -> NDArray[np.float64]:
    return np.array([row.prediction for row in model.transform(rows).orderBy("row").collect()])


def _out_of_fold(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return speeds and out-of-fold predictions, shape (rows, members)."""
    placed = rows.withColumn("fold", row_fold_column("row", 2, SEED, "ensemble")).drop("stops")
    predicted, observed = [], []
    for fold in range(2):
        fitted, tested = placed.where(F.col("fold") != fold), placed.where(F.col("fold") == fold)
        predicted.append(np.column_stack([_predictions(_fit_member(fitted, name), tested) for name in MEMBERS]))
        observed.append(np.array([row.speed for row in tested.orderBy("row").collect()]))
    return np.vstack(predicted), np.concatenate(observed)


def test_configured_weights_average_the_members(vectors: DataFrame) -> None:
    weights = {"linear_regression": 3, "random_forest": 1}
    model = _fit(vectors.drop("row", "stops").withColumn("row", F.lit(0)), method="weighted", weights=weights)
    alone = {name: _predictions(_fit_member(vectors, name), vectors) for name in MEMBERS}
    predictions = _predictions(model, vectors)
    assert predictions == pytest.approx(0.75 * alone["linear_regression"] + 0.25 * alone["random_forest"], abs=1e-12)
    assert ENSEMBLE.describe(model) == {
        "method": "weighted",
        "weight_linear_regression": 0.75,
        "weight_random_forest": 0.25,
    }
    assert model.transform(vectors).columns == [*vectors.columns, "prediction"]


def test_weights_are_fitted_on_out_of_fold_predictions(vectors: DataFrame) -> None:
    """Check inverse mean squared errors as weights of an average, and a non-negative regression for stacking."""
    predicted, observed = _out_of_fold(vectors)
    squares = ((predicted - observed[:, None]) ** 2).mean(axis=0)
    averaged, stacked = _fit(vectors, method="weighted"), _fit(vectors)
    for model in (averaged, stacked):
        assert [member.name for member in model.members] == list(MEMBERS)
        assert [member.rmse for member in model.members] == pytest.approx(np.sqrt(squares).tolist())
    inverse = 1 / squares
    assert [member.weight for member in averaged.members] == pytest.approx((inverse / inverse.sum()).tolist())
    expected, _ = nnls(predicted, observed)
    assert [member.weight for member in stacked.members] == pytest.approx(expected.tolist(), abs=1e-9)
    assert min(expected) > 0.05, "each member fits one part"
    facts = ENSEMBLE.describe(stacked)
    assert facts["method"] == "stacking"
    assert facts["out_of_fold_rmse_random_forest"] == pytest.approx(np.sqrt(squares[1]))
    alone = [_predictions(_fit_member(vectors, name), vectors) for name in MEMBERS]
    assert _predictions(stacked, vectors) == pytest.approx(np.column_stack(alone) @ expected)


@pytest.mark.parametrize("method", ["weighted", "stacking"])
def test_a_member_that_adds_nothing_has_the_weight_0(vectors: DataFrame, method: str) -> None:
    exact = vectors.withColumn("speed", 40 + 10 * vector_to_array(F.col("features"))[0])
    linear, forest = (member.weight for member in _fit(exact, method=method).members)
    assert linear == pytest.approx(1, abs=1e-6)
    assert 0 <= forest < 1e-6


def test_rows_without_a_row_column_and_empty_parts_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        _fit(vectors.drop("row"))
    assert get_code(caught.value) == "algorithms.no-row-column"
    with pytest.raises(ValueError) as caught:
        _fit(vectors.limit(0))
    assert get_code(caught.value) == "algorithms.empty-part"
    assert get_values(caught.value) == {"part": 1, "folds": 2}
    assert _fit(vectors.drop("row"), method="weighted", weights=dict.fromkeys(MEMBERS, 1)).members


def test_validation_rows_are_passed_only_to_members_that_stop_early(vectors: DataFrame) -> None:
    """Check that they stop the boosted trees, and that neither the regression nor the weights are fitted on them."""
    members = {
        "linear_regression": {"regParam": 0.0},
        "gradient_boosted_trees": {"maxIter": 30, "maxDepth": 2, "stepSize": 0.5, "earlyStopping": True},
    }
    spoilt = vectors.withColumn("speed", F.when(F.col("stops"), -F.col("speed")).otherwise(F.col("speed")))
    hyperparameters = EnsembleHyperparameters.model_validate({"members": members, "folds": 2})
    assert ENSEMBLE.stops_early(hyperparameters)
    assert not ENSEMBLE.stops_early(EnsembleHyperparameters(members=MEMBERS))
    linear, boosted = (member for member in _fit(spoilt, "stops", members=members).members)
    unmarked = vectors.where(~F.col("stops"))
    model: Any = linear.model
    assert model.coefficients.toArray() == pytest.approx(
        _fit_member(unmarked, "linear_regression").coefficients.toArray()
    )
    assert algorithm_named("gradient_boosted_trees").describe(boosted.model)["trees"] < 30
    for member in (linear, boosted):
        assert member.rmse is not None
        assert member.rmse < 10, "the marked rows, with speeds near -40, are not predicted"
    with pytest.raises(ValueError) as caught:
        ENSEMBLE.fit(vectors, hyperparameters, SEED, "speed", "features")
    assert get_code(caught.value) == "algorithms.no-validation-rows"
    assert get_values(caught.value) == {"algorithm": "ensemble"}


@pytest.mark.parametrize(("workers", "all_cores"), [(1, True), (2, False)])
def test_an_ensemble_uses_all_cores_if_a_member_does(workers: int, all_cores: bool) -> None:
    hyperparameters = EnsembleHyperparameters(members=MEMBERS | {"xgboost": {"num_workers": workers}})
    assert ENSEMBLE.uses_all_cores(hyperparameters) == all_cores


def test_importances_are_weighted_shares_of_the_members(vectors: DataFrame) -> None:
    model = _fit(vectors, method="weighted", weights={"linear_regression": 3, "random_forest": 1})
    shares = []
    for member in model.members:
        weights = algorithm_named(member.name).importances(member.model)
        shares.append(weights / weights.sum())
    assert ENSEMBLE.importances(model) == pytest.approx(0.75 * shares[0] + 0.25 * shares[1])
    assert ENSEMBLE.importances(model).sum() == pytest.approx(1)


def test_each_member_is_stored_by_its_own_writer(vectors: DataFrame, storage: tuple[FileSystem, str]) -> None:
    filesystem, base = storage
    members = {**MEMBERS, "svr": {"kernel": "linear", "max_rows": 50}}
    weights = {"linear_regression": 1, "random_forest": 1, "svr": 2}
    model = _fit(vectors, method="weighted", members=members, weights=weights)
    model.write().save(f"{base}/model")
    assert [entry.name for entry in filesystem.list(f"{base}/model/members")] == sorted(members)
    loaded = EnsembleModel.load(f"{base}/model")
    assert (_predictions(loaded, vectors) == _predictions(model, vectors)).all()
    assert ENSEMBLE.describe(loaded) == ENSEMBLE.describe(model)
    assert [type(m.model).__name__ for m in loaded.members] == [type(m.model).__name__ for m in model.members]


def test_it_lists_its_members() -> None:
    assert ENSEMBLE.members(EnsembleHyperparameters(members=MEMBERS)) == ("linear_regression", "random_forest")
    assert algorithm_named("random_forest").members(algorithm_named("random_forest").hyperparameters()) == ()
