"""XGBoost on Spark: it ends early on the marked rows, and its workers come from the settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.ml.linalg import Vectors
from pyspark.sql import functions as F
from threadpoolctl import threadpool_info, threadpool_limits
from xgboost import XGBRegressor
from xgboost.callback import TrainingCallback

from traffic_assets.ml import cores
from traffic_assets.ml.algorithms import ALGORITHMS, ROW
from traffic_assets.ml.estimators import boosting_task
from traffic_assets.ml.estimators.boosting_task import OneTaskXGBRegressor, booster_fit, fold_task
from traffic_assets.settings.hyperparameters import XGBoostHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

XGBOOST = ALGORITHMS["xgboost"]
CORNERS = [(float(a), float(b)) for a in (0, 1) for b in (0, 1)]


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> Iterator[DataFrame]:
    """Two levels of speed in a, a step in b; c is constant. The marked rows have the step the other way round."""
    table = [
        (Vectors.dense([a, b, 1.0]), 20.0 + 30 * a + 8 * b * (-1 if marked else 1), marked)
        for a, b in CORNERS for marked in (False, True)
    ]  # fmt: skip
    rows = [(*row, number) for number, row in enumerate(table * 5)]
    frame = spark.createDataFrame(rows, ["features", "speed", "stops", ROW]).repartition(2).cache()
    yield frame
    frame.unpersist()


def _fit(vectors: DataFrame, stop: str | None = "stops", **given: Any) -> Any:
    small = {"n_estimators": 40, "max_depth": 1, "learning_rate": 0.5, "reg_lambda": 0.0, "early_stopping_rounds": 2}
    return XGBOOST.fit(
        vectors, XGBoostHyperparameters.model_validate({**small, **given}), 42, "speed", "features", stop
    )


def _predictions(model: Any, vectors: DataFrame) -> dict[tuple[float, float], float]:
    return {(row.features[0], row.features[1]): row.prediction for row in model.transform(vectors).collect()}


def test_it_ends_when_the_marked_rows_are_predicted_no_better(vectors: DataFrame) -> None:
    """Every tree that learns b makes the marked rows worse; those that learn a make them better."""
    plain = vectors.where("not stops")
    every = _fit(plain, None, early_stopping_rounds=None)
    assert XGBOOST.describe(every) == {"trees": 40}
    exact = {(a, b): 20 + 30 * a + 8 * b for a, b in CORNERS}
    assert _predictions(every, plain) == pytest.approx(exact, abs=0.1), "the marked rows are not in this one"

    stopped = _fit(vectors)
    assert XGBOOST.describe(stopped)["trees"] < 20
    found = _predictions(stopped, vectors)
    assert found[0.0, 1.0] - found[0.0, 0.0] < 4, "less than half of the step in b was learned"
    assert found[1.0, 0.0] - found[0.0, 0.0] > 20, "of the rows that are not marked"
    with pytest.raises(ValueError, match="is to stop early: mark the rows"):
        _fit(vectors, None)


def test_workers_fit_together_and_make_the_model_of_one(vectors: DataFrame) -> None:
    """The histograms of two workers are summed, so both see all rows."""
    plain = vectors.where("not stops")
    one, two = (_predictions(_fit(plain, None, early_stopping_rounds=None, num_workers=n), plain) for n in (1, 2))
    assert two == pytest.approx(one, abs=1e-3)
    assert two[1.0, 1.0] == pytest.approx(58, abs=0.1)


def test_where_no_row_is_marked_every_tree_is_grown(vectors: DataFrame) -> None:
    assert XGBOOST.describe(_fit(vectors.where("not stops"))) == {"trees": 40}


@pytest.mark.parametrize("workers", [1, 2])
def test_trees_are_grown_by_histograms(workers: int) -> None:
    built = XGBOOST.build(XGBoostHyperparameters(num_workers=workers), 1, "speed", "features")
    assert built.getOrDefault("tree_method") == "hist"


def test_rows_that_nothing_tells_apart_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError, match="the rows have no column 'row'"):
        _fit(vectors.drop(ROW))


def test_no_rows_are_refused(vectors: DataFrame) -> None:
    with pytest.raises(ValueError, match="no rows to fit"):
        _fit(vectors.where("false"))


@pytest.mark.parametrize(("workers", "in_one_task"), [(1, True), (2, False)])
def test_one_worker_has_a_task_to_itself_and_several_are_xgboosts_own(workers: int, in_one_task: bool) -> None:
    hyperparameters = XGBoostHyperparameters(num_workers=workers)
    assert isinstance(XGBOOST.build(hyperparameters, 42, "speed", "features"), OneTaskXGBRegressor) == in_one_task
    assert XGBOOST.all_cores(hyperparameters) == in_one_task


def test_fits_that_have_all_cores_wait_for_each_other(vectors: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    class Lock:
        def __enter__(self) -> None:
            held.append("taken")

        def __exit__(self, *_: object) -> None:
            held.append("left")

    monkeypatch.setattr(cores, "_ALL_CORES", Lock())
    _fit(vectors)
    assert held == ["taken", "left"]
    _fit(vectors.where("not stops"), None, early_stopping_rounds=None, num_workers=2)
    assert len(held) == 2, "XGBoost's own workers have a core each"


def _batches(rows: int = 500, size: int = 100) -> list[pa.RecordBatch]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(rows, 2)).astype(np.float32)
    table = pa.table({"x": list(x), "y": x.sum(axis=1).astype(float), "row": np.arange(rows)})
    return table.to_batches(max_chunksize=size)


def test_the_fit_has_the_threads_it_is_given_where_openmp_was_told_of_one() -> None:
    seen: list[int] = []

    class Watch(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            seen.append(max(found["num_threads"] for found in threadpool_info() if found["user_api"] == "openmp"))
            return False

    with threadpool_limits(1, "openmp"):
        list(booster_fit({"n_estimators": 1, "callbacks": [Watch()]}, 2)(iter(_batches())))
    assert seen == [2]


def test_workers_fit_without_this_package(tmp_path: Path) -> None:
    assert _in_a_bare_worker(booster_fit({"n_estimators": 3}, 1), _batches(), tmp_path)["booster"][0]


def test_workers_judge_folds_without_this_package(tmp_path: Path) -> None:
    table = pa.table(
        {
            "numbers": pa.array([[float(i % 7)] for i in range(40)], pa.list_(pa.float32())),
            "categories": pa.array([[i % 2] for i in range(40)], pa.list_(pa.int64())),
            "y": np.arange(40.0) % 7,
            "row": np.arange(40),
            "stops_fit": np.arange(40) % 5 == 0,
            "fits": np.arange(40) < 30,
            "judged": np.arange(40) >= 30,
            "told": [f"row {i}" for i in range(40)],
        }
    )
    task = fold_task({"n_estimators": 50, "early_stopping_rounds": 3}, 1, "median")
    found = _in_a_bare_worker(task, table.to_batches(max_chunksize=9), tmp_path)
    assert set(found) == {"y", "stops_fit", "told", "prediction"}
    assert found["told"] == [f"row {i}" for i in range(30, 40)], "each row keeps what is told of it"
    assert found["prediction"] == pytest.approx(found["y"], abs=0.2)


def _in_a_bare_worker(task: Any, batches: list[pa.RecordBatch], folder: Path) -> dict[str, list[Any]]:
    """What a task makes of batches in a process that cannot import this package."""
    sent, made = folder / "sent", folder / "made"
    sent.write_bytes(cloudpickle.dumps((task, batches)))
    code = (
        "import sys; sys.modules['traffic_assets'] = None\n"
        f"from pyspark import cloudpickle; task, batches = cloudpickle.load(open({str(sent)!r}, 'rb'))\n"
        "import pyarrow as pa; table = pa.Table.from_batches(task(iter(batches)))\n"
        f"writer = pa.ipc.new_file({str(made)!r}, table.schema); writer.write(table); writer.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return pa.ipc.open_file(made).read_all().to_pydict()


@pytest.mark.parametrize("early", [False, True])
def test_loose_values_make_the_booster_of_xgboosts_own_regressor(early: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does the matrix that saves memory, which more values are given."""
    given = {"n_estimators": 30, "random_state": 1, "subsample": 0.5, "learning_rate": 0.5, "tree_method": "hist"}
    given |= {"early_stopping_rounds": 2} if early else {}
    table = pa.Table.from_batches(_batches())
    marked = np.arange(len(table)) % 4 == 0
    batches = table.append_column("stops_fit", pa.array(marked)).to_batches() if early else table.to_batches()
    (loose,) = booster_fit(given, 1)(iter(batches))
    monkeypatch.setattr(boosting_task, "LOOSE_VALUES", 0)
    (tight,) = booster_fit(given, 1)(iter(batches))
    x, y = np.stack(table["x"].to_numpy()), table["y"].to_numpy()
    own = XGBRegressor(**given, n_jobs=1)
    fit, stop = (x[~marked], y[~marked]), (x[marked], y[marked])
    own.fit(*(fit if early else (x, y)), eval_set=[stop] if early else None, verbose=False)
    assert own.get_booster().num_boosted_rounds() < 30 if early else True
    found = [XGBRegressor(), XGBRegressor()]
    for model, batch in zip(found, (loose, tight), strict=True):
        model.load_model(bytearray(batch["booster"][0].as_py()))
        assert (model.predict(x) == own.predict(x)).all()


def test_rows_are_fitted_in_their_order_however_they_come() -> None:
    """Sums of floats hang on their order, and a shuffle promises none."""
    fit = booster_fit({"n_estimators": 20, "random_state": 1, "subsample": 0.5}, 1)
    (one,), (other,) = fit(iter(_batches())), fit(iter(_batches()[::-1]))
    assert one == other


def test_the_same_rows_are_the_same_booster_wherever_they_lie(vectors: DataFrame) -> None:
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


def test_it_keeps_its_progress_to_itself(
    vectors: DataFrame, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Else a line a round, and four a fit, would bury the lane's own."""
    model = _fit(vectors)
    model.transform(vectors).collect()
    told = capfd.readouterr()
    assert "rmse" not in told.out + told.err
    assert not caplog.records
