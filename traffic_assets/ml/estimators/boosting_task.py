"""XGBoost in one Spark task with threads: one worker of XGBoost on Spark that has all cores of a local session.

XGBoost's own runner gives a worker the one core that Spark counts for a task, whatever the machine has. Several
workers are left to it: they meet at a barrier, and send each other their histograms.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from xgboost import XGBRegressor
from xgboost.spark import SparkXGBRegressor, SparkXGBRegressorModel

from traffic_assets.ml.cores import is_local, threads_of_a_task

Fit = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

ALL_CORES = threading.Lock()
"""Held by the fit that has all cores of a local session. Of two at the same time each would wait, at every step of
every tree, for a thread that the other one keeps from a core: folds at the same time took four times as long."""


class OneTaskXGBRegressor(SparkXGBRegressor):
    """XGBoost's estimator for Spark, fitted in one task; its params and its model are XGBoost's own.

    All rows come to that task, and are fitted in the order in which they lie.
    """

    def _fit(self, dataset: DataFrame) -> SparkXGBRegressorModel:
        of, known = self.getOrDefault, XGBRegressor().get_params()
        given = {param.name: of(param) for param in self.params if param.name in known and self.isSet(param)}
        columns = [
            vector_to_array(F.col(of(self.featuresCol)), "float32").alias("x"),
            F.col(of(self.labelCol)).cast("double").alias("y"),
            F.monotonically_increasing_id().alias("place"),
        ]
        if self.isSet(self.validationIndicatorCol):
            columns.append(F.col(of(self.validationIndicatorCol)).alias("stop"))
        spark = dataset.sparkSession
        fit = booster_fit(given, threads_of_a_task(spark))
        with ALL_CORES if is_local(spark) else nullcontext():
            # not coalesce(1): rows are still made in as many tasks as there are partitions
            fitted = dataset.select(*columns).repartition(1).mapInArrow(fit, "booster binary").collect()
        if not fitted:
            raise ValueError("no rows to fit: the split is empty")
        regressor = XGBRegressor(**given)
        regressor.load_model(bytearray(fitted[0]["booster"]))
        model = SparkXGBRegressorModel(regressor)
        model._resetUid(self.uid)
        return self._copyValues(model)


def booster_fit(given: dict[str, Any], threads: int) -> Fit:
    """What fits XGBoost on a partition, and returns the booster as XGBoost writes it: one row, of no rows none.

    It stands inside this function, so that Spark sends it to the workers as it is: they need XGBoost and scikit-learn,
    and not this package.

    Args:
        given: parameters of XGBoost's own regressor.
        threads: of the fit.

    Returns:
        A function of batches with the columns x (list of 32-bit floats), y (double), place (the row's rank, whole) and
        perhaps stop (whether the row only ends the fit). Where no row has the last, every tree is grown.
    """

    def arrays(batches: list[pa.RecordBatch]) -> tuple[Any, Any]:
        """Vectors, shape (rows, slots), and targets, by place. Each batch is let go of when it is copied."""
        rank = np.argsort(np.argsort(np.concatenate([batch["place"].to_numpy() for batch in batches])))
        x, y = np.empty((len(rank), len(batches[0]["x"][0])), dtype=np.float32), np.empty(len(rank))
        end = len(rank)
        while batches:
            batch = batches.pop()
            at = rank[end - batch.num_rows : end]
            x[at], y[at] = batch["x"].flatten().to_numpy().reshape(len(at), -1), batch["y"].to_numpy()
            end -= len(at)
        pa.default_memory_pool().release_unused()
        return x, y

    def fit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc
        from threadpoolctl import threadpool_limits
        from xgboost import XGBRegressor

        fitted: list[pa.RecordBatch] = []
        stopping: list[pa.RecordBatch] = []
        for batch in batches:
            marked = batch["stop"] if "stop" in batch.schema.names else pa.repeat(False, batch.num_rows)
            for kept, some in ((fitted, batch.filter(pc.invert(marked))), (stopping, batch.filter(marked))):
                if some.num_rows:
                    kept.append(some)
        if not fitted:
            return
        ends = bool(stopping)
        model = XGBRegressor(**given | ({} if ends else {"early_stopping_rounds": None}), n_jobs=threads)
        # Spark tells OpenMP that a worker has one core
        with threadpool_limits(threads, "openmp"):
            model.fit(*arrays(fitted), eval_set=[arrays(stopping)] if ends else None, verbose=False)
        yield pa.RecordBatch.from_pydict({"booster": [bytes(model.get_booster().save_raw("json"))]})

    return fit
