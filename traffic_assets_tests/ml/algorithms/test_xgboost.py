"""XGBoost on Spark: it stops early on validation rows, and has the configured number of workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import ROW, algorithm_named
from traffic_assets.ml.estimators.xgboost_task import OneTaskXGBRegressor
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

XGBOOST = algorithm_named("xgboost")
CORNERS = [(float(a), float(b)) for a in (0, 1) for b in (0, 1)]


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Return two levels of speed in a, a step in b; c is constant. Validation rows have the opposite step."""
    table = [
        (Vectors.dense([a, b, 1.0]), 20.0 + 30 * a + 8 * b * (-1 if marked else 1), marked)
        for a, b in CORNERS for marked in (False, True)
    ]  # fmt: skip
    rows = [(*row, number) for number, row in enumerate(table * 5)]
    frame = spark.createDataFrame(rows, ["features", "speed", "stops", ROW]).repartition(2).cache()
    yield frame
    frame.unpersist()


def _fit(vectors: DataFrame, stop: str | None = "stops", **changes: Any) -> Any:
    small = {"n_estimators": 40, "max_depth": 1, "learning_rate": 0.5, "reg_lambda": 0.0, "early_stopping_rounds": 2}
    return XGBOOST.fit(
        vectors, XGBoostHyperparameters.model_validate({**small, **changes}), 42, "speed", "features", stop
    )


def _predictions(model: Any, vectors: DataFrame) -> dict[tuple[float, float], float]:
    return {(row.features[0], row.features[1]): row.prediction for row in model.transform(vectors).collect()}


def test_it_stops_when_the_validation_error_no_longer_falls(vectors: DataFrame) -> None:
    """Fit with validation rows whose error falls with splits by a and rises with splits by b."""
    plain = vectors.where("not stops")
    every = _fit(plain, None, early_stopping_rounds=None)
    assert XGBOOST.describe(every) == {"trees": 40}
    exact = {(a, b): 20 + 30 * a + 8 * b for a, b in CORNERS}
    assert _predictions(every, plain) == pytest.approx(exact, abs=0.1), "without validation rows"

    stopped = _fit(vectors)
    assert XGBOOST.describe(stopped)["trees"] < 20
    predictions = _predictions(stopped, vectors)
    assert predictions[0.0, 1.0] - predictions[0.0, 0.0] < 4, "less than half of the step in b was fitted"
    assert predictions[1.0, 0.0] - predictions[0.0, 0.0] > 20, "as in the fitted rows"
    with pytest.raises(ValueError) as caught:
        _fit(vectors, None)
    assert get_code(caught.value) == "algorithms.no-validation-rows"


def test_two_workers_fit_the_model_of_one(vectors: DataFrame) -> None:
    """Check that the workers sum their histograms, so that both see all rows."""
    plain = vectors.where("not stops")
    one, two = (_predictions(_fit(plain, None, early_stopping_rounds=None, num_workers=n), plain) for n in (1, 2))
    assert two == pytest.approx(one, abs=1e-3)
    assert two[1.0, 1.0] == pytest.approx(58, abs=0.1)


def test_every_tree_is_fitted_without_validation_rows(vectors: DataFrame) -> None:
    assert XGBOOST.describe(_fit(vectors.where("not stops"))) == {"trees": 40}


@pytest.mark.parametrize("workers", [1, 2])
def test_trees_are_fitted_by_histograms(workers: int) -> None:
    built = XGBOOST.build(XGBoostHyperparameters(num_workers=workers), 1, "speed", "features")
    assert built.getOrDefault("tree_method") == "hist"


def test_rows_without_a_row_column_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        _fit(vectors.drop(ROW))
    assert get_code(caught.value) == "algorithms.no-row-column"


def test_no_rows_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        _fit(vectors.where("false"))
    assert get_code(caught.value) == "algorithms.no-rows"


@pytest.mark.parametrize(("workers", "in_one_task"), [(1, True), (2, False)])
def test_one_worker_is_our_task_and_several_are_xgboosts_own(workers: int, in_one_task: bool) -> None:
    hyperparameters = XGBoostHyperparameters(num_workers=workers)
    assert isinstance(XGBOOST.build(hyperparameters, 42, "speed", "features"), OneTaskXGBRegressor) == in_one_task
    assert XGBOOST.uses_all_cores(hyperparameters) == in_one_task


def test_a_fit_holds_the_lock_on_all_cores(vectors: DataFrame, all_cores_held: list[str]) -> None:
    _fit(vectors)
    assert all_cores_held == ["taken", "left"]
    _fit(vectors.where("not stops"), None, early_stopping_rounds=None, num_workers=2)
    assert len(all_cores_held) == 2, "each of XGBoost's own workers has one core"


def test_the_booster_does_not_depend_on_partitions(vectors: DataFrame) -> None:
    one, other = (
        _fit(rows, subsample=0.5).get_booster().save_raw("json")
        for rows in (vectors, vectors.orderBy(F.rand(3)).repartition(5))
    )
    assert one == other


def test_importances_are_shares_of_the_gain(vectors: DataFrame) -> None:
    weights = XGBOOST.importances(_fit(vectors.where("not stops"), None, early_stopping_rounds=None))
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] > 0
    assert weights[2] == 0, "c is constant"


def test_it_prints_no_progress(
    vectors: DataFrame, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Check output and log. By default, XGBoost prints a line per round and four per fit."""
    model = _fit(vectors)
    model.transform(vectors).collect()
    printed = capfd.readouterr()
    assert "rmse" not in printed.out + printed.err
    assert not caplog.records
