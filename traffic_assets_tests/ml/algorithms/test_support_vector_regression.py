"""Support vector regression: scikit-learn's numbers, from a bounded sample, scored and stored by Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark import cloudpickle
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F
from sklearn.svm import SVR as Reference

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.ml.algorithm import Requirements, algorithm_named
from traffic_assets.ml.estimators.rows import rows_in_order
from traffic_assets.ml.estimators.support_vectors import SupportVectorRegressionModel, scorer
from traffic_assets.settings.models.svr import SVRHyperparameters
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.processes import Processes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

SVR = algorithm_named("svr")
ROWS, SEED = 240, 42


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Return a speed that depends on the first two slots; the third is noise, the fourth constant."""
    draw = np.random.default_rng(3)
    x = np.column_stack([draw.normal(size=(ROWS, 3)), np.ones(ROWS)])
    y = 50 + 10 * np.sin(x[:, 0]) + 5 * x[:, 1] + draw.normal(0, 0.1, ROWS)
    table = [(Vectors.dense(row), float(speed), i) for i, (row, speed) in enumerate(zip(x, y, strict=True))]
    frame = spark.createDataFrame(table, ["features", "speed", "row"]).coalesce(2).cache()
    yield frame
    frame.unpersist()


def _fit(rows: DataFrame, seed: int = SEED, **changes: Any) -> SupportVectorRegressionModel:
    model = SVR.fit(rows, SVRHyperparameters(**changes), seed, "speed", "features")
    assert isinstance(model, SupportVectorRegressionModel)
    return model


def _predictions(model: Any, rows: DataFrame) -> dict[int, float]:
    return {row.row: row.prediction for row in model.transform(rows).select("row", "prediction").collect()}


def _arrays(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return vectors and speeds in the order of the draw."""
    table = rows_in_order(rows, "row", SEED, "sample").collect()
    return np.array([row.features.toArray() for row in table]), np.array([row.speed for row in table])


@pytest.mark.parametrize(
    ("changes", "gamma"),
    [
        ({"kernel": "linear"}, "scale"),
        ({"kernel": "rbf"}, "scale"),
        ({"kernel": "rbf", "gamma": "auto", "C": 3.0, "epsilon": 0.2}, "auto"),
        ({"kernel": "poly", "gamma": "0.3", "degree": 2, "coef0": 1.0}, 0.3),
    ],
)
def test_predictions_equal_scikit_learn(vectors: DataFrame, changes: dict[str, Any], gamma: Any) -> None:
    hyperparameters = SVRHyperparameters(**changes)
    model = _fit(vectors, **changes)
    x, y = _arrays(vectors)
    rest = hyperparameters.model_dump(exclude={"gamma", "max_rows"})
    reference = Reference(gamma=gamma, **rest).fit(x, (y - y.mean()) / y.std())
    scored = model.transform(vectors).collect()
    predictions = np.array([row.prediction for row in scored])
    expected = reference.predict(np.array([row.features.toArray() for row in scored])) * y.std() + y.mean()
    assert np.abs(predictions - expected).max() < 1e-9
    assert predictions.std() > 1
    facts = SVR.describe(model)
    assert facts["support_vectors"] == len(reference.support_)
    assert facts["kernel"] == hyperparameters.kernel


def test_the_sample_is_bounded_and_does_not_depend_on_partitions(vectors: DataFrame) -> None:
    model = _fit(vectors, max_rows=100)
    facts = SVR.describe(model)
    assert (facts["sample_rows"], facts["train_rows"]) == (100, ROWS)
    again = _fit(vectors.orderBy(F.rand(1)).repartition(5), max_rows=100)
    expected = _predictions(model, vectors)
    assert _predictions(again, vectors) == expected
    assert _predictions(_fit(vectors, seed=1, max_rows=100), vectors) != expected, "another seed draws other rows"
    assert SVR.describe(_fit(vectors, max_rows=ROWS + 1))["sample_rows"] == ROWS


def test_a_target_in_another_unit_is_the_same_fit(vectors: DataFrame) -> None:
    expected = _predictions(_fit(vectors), vectors)
    other = vectors.withColumn("speed", 1.609 * F.col("speed") + 100)
    predictions = _predictions(_fit(other), vectors)
    assert predictions == pytest.approx({row: 1.609 * value + 100 for row, value in expected.items()}, abs=0.01)
    assert SVR.describe(_fit(other))["target_deviation"] == pytest.approx(1.609 * _arrays(vectors)[1].std())


def test_importances_are_increases_in_the_error_by_shuffling(vectors: DataFrame) -> None:
    for kernel in ("linear", "rbf"):
        weights = SVR.importances(_fit(vectors, kernel=kernel))
        assert weights[0] > weights[1] > 10 * weights[2]
        assert weights[3] == 0, "it is constant"
        assert 3 < weights[1] < 8, "in the target's unit: the error of shuffled 5 x is about 5 √2"


def test_a_constant_target_is_predicted(vectors: DataFrame, tmp_path: Path) -> None:
    model = _fit(vectors.withColumn("speed", F.lit(7.0)))
    assert set(_predictions(model, vectors).values()) == {7.0}
    assert SVR.describe(model)["support_vectors"] == 0
    model.write().save(f"file://{tmp_path}/model")
    loaded = SupportVectorRegressionModel.load(f"file://{tmp_path}/model")
    assert set(_predictions(loaded, vectors).values()) == {7.0}


def test_rows_without_a_row_column_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        _fit(vectors.drop("row"))
    assert get_code(caught.value) == "algorithms.no-row-column"
    assert get_values(caught.value) == {"column": "row", "columns": ["features", "speed"]}
    with pytest.raises(ValueError) as caught:
        _fit(vectors.where("false"))
    assert get_code(caught.value) == "algorithms.no-rows"


def test_a_stored_model_consists_of_numbers_on_any_storage(vectors: DataFrame, storage: tuple[FileSystem, str]) -> None:
    filesystem, base = storage
    model = _fit(vectors, kernel="poly", max_rows=60)
    model.write().save(f"{base}/model")
    loaded = SupportVectorRegressionModel.load(f"{base}/model")
    assert _predictions(loaded, vectors) == _predictions(model, vectors)
    assert loaded.uid == model.uid
    assert (SVR.importances(loaded) == SVR.importances(model)).all()
    assert SVR.describe(loaded) == SVR.describe(model)
    parts = [
        entry
        for folder in filesystem.list(f"{base}/model")
        for entry in filesystem.list(folder.uri)
        if not entry.name.startswith(("_", "."))
    ]
    kinds = {entry.uri.split("/")[-2]: filesystem.read_bytes(entry.uri) for entry in parts}
    assert set(kinds) == {"metadata", "data"}
    assert json.loads(kinds["metadata"])["class"] == SVR.model_class
    assert kinds["data"].startswith(b"PAR1")


def test_rows_are_scored_in_pieces() -> None:
    """Score rows whose kernel matrix exceeds one piece."""
    draw = np.random.default_rng(1)
    rows, vectors, coefficients = draw.normal(size=(2100, 2)), draw.normal(size=(3000, 2)), draw.normal(size=3000)
    scores = scorer("rbf", 0.5, 0.0, 3)(rows, vectors, coefficients)
    some = [0, 1333, 1334, 2099]
    squares = ((rows[some][:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2)
    assert scores.shape == (2100,)
    assert scores[some] == pytest.approx(np.exp(-0.5 * squares) @ coefficients)


def test_workers_need_neither_scikit_learn_nor_this_package(processes: Processes, tmp_path: Path) -> None:
    """Load the function that Spark sends in a process that can import neither."""
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps(scorer("poly", 2.0, 1.0, 2)))
    program = (
        "import sys, numpy; sys.modules.update(sklearn=None, traffic_assets=None); "
        f"from pyspark import cloudpickle; score = cloudpickle.load(open({str(sent)!r}, 'rb')); "
        "print(score(numpy.array([[1.0, 2.0]]), numpy.array([[3.0, 4.0]]), numpy.array([0.5])))"
    )
    done = processes.python("-c", program)
    assert done.stdout.strip() == "[264.5]", done.stderr  # 0.5 x (2 x 11 + 1)²


def test_it_is_an_alternative_that_needs_an_extra() -> None:
    assert (SVR.kind, SVR.exports, SVR.requirements) == ("alternative", ("spark",), Requirements("sklearn", "svr"))
