"""XGBoost in one Spark task with threads: a single worker of XGBoost on Spark, with all cores of a local session.

XGBoost's own runner gives a worker only the one core that Spark assigns to a task, even if the machine has more. Fits
with several workers still use that runner; the workers meet at a barrier and exchange histograms.

Spark sends the code of a task to the workers. They need XGBoost and scikit-learn, but not this package.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import cloudpickle
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType
from threadpoolctl import threadpool_limits
from xgboost import DMatrix, QuantileDMatrix, XGBRegressor, train
from xgboost.spark import SparkXGBRegressor, SparkXGBRegressorModel

from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.algorithm import ROW, Fill, Task
from traffic_assets.ml.estimators.cores import all_cores, task_threads
from traffic_assets.ml.estimators.rows import require_rows
from traffic_assets.ml.preprocessing.arrays import NO_CATEGORY

# Spark sends the code to the workers, which lack this package
cloudpickle.register_pickle_by_value(sys.modules[__name__])

MAX_DMATRIX_VALUES = 100_000_000
"""Maximum number of values in vectors for a `DMatrix`, which needs 8 more bytes per value. A `QuantileDMatrix` saves
this memory, but takes twice as long to bin the values."""

Data = tuple[Any, Any]
"""Vectors, shape (rows, slots), and targets."""

Vectors = Callable[[pa.RecordBatch], Any]
"""A function that returns the vectors of a batch."""

Encoding = tuple[Any, bool]
"""The categories with a slot of their own, and True if there is a slot for all other values."""


class OneTaskXGBRegressor(SparkXGBRegressor):
    """XGBoost's estimator for Spark, fitted in one task, with XGBoost's own params and model.

    The task gets all rows and fits on them in the order of their column `row`, so their partitions do not matter. Their
    vectors may be arrays of 32-bit floats.
    """

    def _fit(self, dataset: DataFrame) -> SparkXGBRegressorModel:
        require_rows(dataset, ROW)
        of, names = self.getOrDefault, XGBRegressor().get_params()
        params = {param.name: of(param) for param in self.params if param.name in names and self.isSet(param)}
        vector = F.col(of(self.featuresCol))
        is_array = isinstance(dataset.schema[of(self.featuresCol)].dataType, ArrayType)
        columns = [
            (vector if is_array else vector_to_array(vector, "float32")).alias("x"),
            F.col(of(self.labelCol)).cast("double").alias("y"),
            F.col(ROW).cast("long").alias("row"),
        ]
        if self.isSet(self.validationIndicatorCol):
            columns.append(F.col(of(self.validationIndicatorCol)).alias("stops_fit"))
        spark = dataset.sparkSession
        fit = booster_fit(params, task_threads(spark))
        with all_cores(spark):
            # not coalesce(1), which would also compute the rows in one task
            fitted = dataset.select(*columns).repartition(1).mapInArrow(fit, "booster binary").collect()
        if not fitted:
            raise ValueError(messages.NO_ROWS())
        regressor = XGBRegressor(**params)
        regressor.load_model(bytearray(fitted[0]["booster"]))
        model = SparkXGBRegressorModel(regressor)
        model._resetUid(self.uid)
        return self._copyValues(model)


def booster_fit(params: dict[str, Any], threads: int) -> Task:
    """Return the task that fits XGBoost on a partition.

    The task returns one row with the booster in XGBoost's format, or no row if the partition is empty.

    Args:
        params: Parameters of XGBoost's own regressor.
        threads: Threads of the fit.

    Returns:
        A function of batches with the columns x (array of 32-bit floats), y (double), row (integer, the order of the
        fit) and optionally stops_fit (true for validation rows). Without validation rows every tree is fitted.
    """

    def fit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fitted: list[pa.RecordBatch] = []
        validation: list[pa.RecordBatch] = []
        for batch in batches:
            marked = batch["stops_fit"] if "stops_fit" in batch.schema.names else pa.repeat(False, batch.num_rows)
            _append(fitted, batch, pc.invert(marked))
            _append(validation, batch, marked)
        if not fitted:
            return
        validation_data = _data(validation, _stored_vectors) if validation else None
        booster = _fit_booster(params, threads, _data(fitted, _stored_vectors), validation_data)
        yield pa.RecordBatch.from_pydict({"booster": [bytes(booster.save_raw("json"))]})

    return fit


def fold_task(params: dict[str, Any], threads: int, fill: Fill) -> Task:
    """Return the task that imputes, fits and evaluates a fold on a partition with all its rows.

    A missing number is imputed with the median or the mean of the fold's train rows, validation rows included. The
    median of an even number of values is the lower middle one, as in Spark's Imputer.

    Args:
        params: Parameters of XGBoost's own regressor.
        threads: Threads of the fit.
        fill: Statistic that replaces a missing number.

    Returns:
        A function of batches with the columns numbers (array of 32-bit floats, NaN if missing), categories (array of
        integers), y, row and stops_fit as for `booster_fit`, fits (true for train rows), tested (true for test rows),
        and others. It returns the test rows with y, stops_fit, the other columns and their prediction.
    """
    early = params.get("early_stopping_rounds") is not None
    all_slots = params.get("colsample_bytree", 1) < 1  # a tree draws its slots, so each one changes the draw
    no_rows = str(messages.ONLY_VALIDATION_ROWS())  # workers do not know the class of coded texts

    def evaluate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fitted: list[pa.RecordBatch] = []
        validation: list[pa.RecordBatch] = []
        test: list[pa.RecordBatch] = []
        for batch in batches:
            marked = pc.and_(batch["stops_fit"], early)  # without early stopping, validation rows are fitted too
            _append(fitted, batch, pc.and_(batch["fits"], pc.invert(marked)))
            _append(validation, batch, pc.and_(batch["fits"], marked))
            _append(test, batch, batch["tested"])
        if not fitted:
            raise ValueError(no_rows)
        order = np.argsort(np.concatenate([batch["row"].to_numpy() for batch in test]), kind="stable")
        inputs = ["numbers", "categories", "row", "fits", "tested"]
        result = pa.Table.from_batches(test).drop_columns(inputs).take(order)
        numbers = len(fitted[0]["numbers"][0])
        vectors = partial(_fold_vectors, _encodings([*fitted, *validation], all_slots))
        fit_data, validation_data = _data(fitted, vectors), _data(validation, vectors) if validation else None
        x, _ = _data(test, vectors)
        _impute(numbers, fill, [data[0] for data in (fit_data, validation_data) if data], x)
        booster = _fit_booster(params, threads, fit_data, validation_data)
        trees = (0, booster.best_iteration + 1) if validation_data else (0, 0)
        with threadpool_limits(threads, "openmp"):
            predicted = booster.inplace_predict(x, iteration_range=trees).astype(float)
        yield from result.append_column("prediction", pa.array(predicted)).to_batches()

    return evaluate


def _append(batches: list[pa.RecordBatch], batch: pa.RecordBatch, condition: Any) -> None:
    """Append the rows of a batch that meet a condition, if there are any."""
    rows = batch.filter(condition)
    if rows.num_rows:
        batches.append(rows)


def _matrix(batch: pa.RecordBatch, column: str) -> Any:
    """Return a column of arrays, shape (rows, elements)."""
    return batch[column].flatten().to_numpy().reshape(batch.num_rows, len(batch[column][0]))


def _stored_vectors(batch: pa.RecordBatch) -> Any:
    return batch["x"].flatten().to_numpy().reshape(batch.num_rows, -1)


def _encodings(fitted: Sequence[pa.RecordBatch], all_slots: bool) -> list[Encoding]:
    """Return the encoding of each categorical feature, from its values in the fitted rows.

    Slots are in alphabetical order, like the preprocessor's: XGBoost takes the first of two slots that split equally
    well. The last slot is for missing and new values. It is left out if no fitted row has such a value, because it
    would be constant. If two slots then remain, the second is left out too, because it is the opposite of the first.
    """
    encodings = []
    for category in range(len(fitted[0]["categories"][0])):
        values = [pc.unique(pa.array(_matrix(batch, "categories")[:, category])).to_numpy() for batch in fitted]
        seen = sorted(np.unique(np.concatenate(values)).tolist(), key=str)
        valid = [value for value in seen if value != NO_CATEGORY]
        other = all_slots or len(valid) < len(seen)
        encodings.append((np.array(valid[:1] if len(valid) == 2 and not other else valid), other))
    return encodings


def _fold_vectors(encodings: Sequence[Encoding], batch: pa.RecordBatch) -> Any:
    """Return the vectors of a fold's rows: numbers, then the slots of each category."""
    categories, parts = _matrix(batch, "categories"), [_matrix(batch, "numbers")]
    for category, (valid, other) in enumerate(encodings):
        values = categories[:, [category]]
        parts.append(values == valid)
        if other:
            parts.append(~np.isin(values, valid))
    return np.hstack(parts, dtype=np.float32)


def _impute(numbers: int, fill: Fill, fitted: Sequence[Any], test: Any) -> None:
    """Replace missing numbers in place; a slot without any value in the fitted rows stays missing."""
    for slot in range(numbers):
        if not any(np.isnan(x[:, slot]).any() for x in (*fitted, test)):
            continue
        values = np.concatenate([x[:, slot][~np.isnan(x[:, slot])] for x in fitted])
        if not len(values):
            continue
        median = fill == "median"
        value = np.quantile(values, 0.5, method="inverted_cdf") if median else values.mean(dtype=float)
        for x in (*fitted, test):
            x[np.isnan(x[:, slot]), slot] = value


def _data(batches: list[pa.RecordBatch], vectors: Vectors) -> Data:
    """Return vectors and targets of batches, in the order of their rows.

    The list is emptied: each batch is freed once it is copied.
    """
    rank = np.argsort(np.argsort(np.concatenate([batch["row"].to_numpy() for batch in batches]), kind="stable"))
    x, y = np.empty((len(rank), vectors(batches[0][:1]).shape[1]), dtype=np.float32), np.empty(len(rank))
    end = len(rank)
    while batches:
        batch = batches.pop()
        at = rank[end - batch.num_rows : end]
        x[at], y[at] = vectors(batch), batch["y"].to_numpy()
        end -= len(at)
    pa.default_memory_pool().release_unused()
    return x, y


def _fit_booster(params: dict[str, Any], threads: int, fitted: Data, validation: Data | None) -> Any:
    """Fit a booster as XGBoost's own regressor does; validation rows, if any, stop it early."""
    model = XGBRegressor(**params, n_jobs=threads)
    # Spark sets OpenMP to one core per worker
    with threadpool_limits(threads, "openmp"):
        if fitted[0].size <= MAX_DMATRIX_VALUES:
            matrix = DMatrix(*fitted, nthread=threads)
        else:
            matrix = QuantileDMatrix(*fitted, nthread=threads, max_bin=model.max_bin)
        return train(
            model.get_xgb_params(),
            matrix,
            model.get_num_boosting_rounds(),
            evals=[(DMatrix(*validation, nthread=threads), "stopping")] if validation else [],
            early_stopping_rounds=model.early_stopping_rounds if validation else None,
            callbacks=model.callbacks,
            verbose_eval=False,
        )
