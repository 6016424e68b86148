"""XGBoost in one Spark task, run on batches without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from threadpoolctl import threadpool_info, threadpool_limits
from xgboost import Booster, XGBRegressor
from xgboost.callback import TrainingCallback

from traffic_assets.ml.estimators import xgboost_task
from traffic_assets.ml.estimators.xgboost_task import booster_fit, fold_task
from traffic_assets_tests.processes import Processes


def _batches(rows: int = 500, size: int = 100) -> list[pa.RecordBatch]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(rows, 2)).astype(np.float32)
    table = pa.table({"x": list(x), "y": x.sum(axis=1).astype(float), "row": np.arange(rows)})
    return table.to_batches(max_chunksize=size)


def _fold() -> pa.Table:
    """Return forty rows of a fold that tests the last ten."""
    return pa.table(
        {
            "numbers": pa.array([[float(i % 7)] for i in range(40)], pa.list_(pa.float32())),
            "categories": pa.array([[i % 2] for i in range(40)], pa.list_(pa.int64())),
            "y": np.arange(40.0) % 7,
            "row": np.arange(40),
            "stops_fit": np.arange(40) % 5 == 0,
            "fits": np.arange(40) < 30,
            "tested": np.arange(40) >= 30,
            "note": [f"row {i}" for i in range(40)],
        }
    )


def test_fits_and_predictions_have_their_threads_if_openmp_is_limited_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def watch() -> None:
        seen.append(max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"))

    class Watch(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            watch()
            return False

    def predict(booster: Any, *params: Any, **named: Any) -> Any:
        watch()
        return own(booster, *params, **named)

    own = Booster.inplace_predict
    monkeypatch.setattr(Booster, "inplace_predict", predict)
    with threadpool_limits(1, "openmp"):
        params = {"n_estimators": 1, "callbacks": [Watch()]}
        list(booster_fit(params, 2)(iter(_batches())))
        assert seen == [2]
        list(fold_task(params, 2, "median")(iter(_fold().to_batches())))
        assert seen == [2, 2, 2]


def test_workers_fit_without_this_package(processes: Processes, tmp_path: Path) -> None:
    assert _in_a_bare_worker(processes, booster_fit({"n_estimators": 3}, 1), _batches(), tmp_path)["booster"][0]


def test_workers_evaluate_folds_without_this_package(processes: Processes, tmp_path: Path) -> None:
    task = fold_task({"n_estimators": 50, "early_stopping_rounds": 3}, 1, "median")
    columns = _in_a_bare_worker(processes, task, _fold().to_batches(max_chunksize=9), tmp_path)
    assert set(columns) == {"y", "stops_fit", "note", "prediction"}
    assert columns["note"] == [f"row {i}" for i in range(30, 40)], "each row keeps its other columns"
    assert columns["prediction"] == pytest.approx(columns["y"], abs=0.2)


def _in_a_bare_worker(
    processes: Processes, task: Any, batches: list[pa.RecordBatch], folder: Path
) -> dict[str, list[Any]]:
    """Return the results of a task in a process that cannot import this package."""
    sent, made = folder / "sent", folder / "made"
    sent.write_bytes(cloudpickle.dumps((task, batches)))
    code = (
        "import sys; sys.modules['traffic_assets'] = None\n"
        f"from pyspark import cloudpickle; task, batches = cloudpickle.load(open({str(sent)!r}, 'rb'))\n"
        "import pyarrow as pa; table = pa.Table.from_batches(task(iter(batches)))\n"
        f"writer = pa.ipc.new_file({str(made)!r}, table.schema); writer.write(table); writer.close()"
    )
    done = processes.python("-c", code)
    assert done.returncode == 0, done.stderr
    return pa.ipc.open_file(made).read_all().to_pydict()


@pytest.mark.parametrize("early", [False, True])
def test_both_matrices_give_the_booster_of_xgboosts_own_regressor(early: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare `DMatrix` for few values, and `QuantileDMatrix`, which saves memory, for many."""
    params = {"n_estimators": 30, "random_state": 1, "subsample": 0.5, "learning_rate": 0.5, "tree_method": "hist"}
    params |= {"early_stopping_rounds": 2} if early else {}
    table = pa.Table.from_batches(_batches())
    marked = np.arange(len(table)) % 4 == 0
    batches = table.append_column("stops_fit", pa.array(marked)).to_batches() if early else table.to_batches()
    (small,) = booster_fit(params, 1)(iter(batches))
    monkeypatch.setattr(xgboost_task, "MAX_DMATRIX_VALUES", 0)
    (large,) = booster_fit(params, 1)(iter(batches))
    x, y = np.stack(table["x"].to_numpy()), table["y"].to_numpy()
    own = XGBRegressor(**params, n_jobs=1)
    fit, stop = (x[~marked], y[~marked]), (x[marked], y[marked])
    own.fit(*(fit if early else (x, y)), eval_set=[stop] if early else None, verbose=False)
    assert own.get_booster().num_boosted_rounds() < 30 if early else True
    models = [XGBRegressor(), XGBRegressor()]
    for model, batch in zip(models, (small, large), strict=True):
        model.load_model(bytearray(batch["booster"][0].as_py()))
        assert (model.predict(x) == own.predict(x)).all()


def test_rows_are_fitted_in_the_order_of_their_row_column() -> None:
    """Check the order, on which sums of floats depend and which a shuffle does not preserve."""
    fit = booster_fit({"n_estimators": 20, "random_state": 1, "subsample": 0.5}, 1)
    (one,), (other,) = fit(iter(_batches())), fit(iter(_batches()[::-1]))
    assert one == other
