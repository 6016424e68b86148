"""XGBoost in one Spark task with threads: one worker of XGBoost on Spark that has all cores of a local session.

XGBoost's own runner gives a worker the one core that Spark counts for a task, whatever the machine has. Several
workers are left to it: they meet at a barrier, and send each other their histograms.

What runs in a task stands inside the functions that make it, so that Spark sends it to the workers as it is: they need
XGBoost and scikit-learn, and not this package.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType
from xgboost import XGBRegressor
from xgboost.spark import SparkXGBRegressor, SparkXGBRegressorModel

from traffic_assets.ml.algorithm import ROW, Fill, Task
from traffic_assets.ml.estimators.cores import all_cores, task_threads
from traffic_assets.ml.estimators.rows import require_rows
from traffic_assets.ml.preprocessing.arrays import NO_CATEGORY

LOOSE_VALUES = 100_000_000
"""Up to so many numbers in vectors, XGBoost is given them as they are, 8 bytes each on top: it bins them in half the
time that a `QuantileDMatrix`, made to save that memory, takes to do the same."""

Data = tuple[Any, Any]
"""Vectors, shape (rows, slots), and targets."""

Vectors = Callable[[pa.RecordBatch], Any]
"""Makes the vectors of a batch."""


class OneTaskXGBRegressor(SparkXGBRegressor):
    """XGBoost's estimator for Spark, fitted in one task; its params and its model are XGBoost's own.

    All rows come to that task, and are fitted in the order of their column `row`, however they lie. Their vectors may
    be lists of 32-bit floats.
    """

    def _fit(self, dataset: DataFrame) -> SparkXGBRegressorModel:
        require_rows(dataset, ROW)
        of, known = self.getOrDefault, XGBRegressor().get_params()
        given = {param.name: of(param) for param in self.params if param.name in known and self.isSet(param)}
        vector = F.col(of(self.featuresCol))
        listed = isinstance(dataset.schema[of(self.featuresCol)].dataType, ArrayType)
        columns = [
            (vector if listed else vector_to_array(vector, "float32")).alias("x"),
            F.col(of(self.labelCol)).cast("double").alias("y"),
            F.col(ROW).cast("long").alias("row"),
        ]
        if self.isSet(self.validationIndicatorCol):
            columns.append(F.col(of(self.validationIndicatorCol)).alias("stops_fit"))
        spark = dataset.sparkSession
        fit = booster_fit(given, task_threads(spark))
        with all_cores(spark):
            # not coalesce(1): rows are still made in as many tasks as there are partitions
            fitted = dataset.select(*columns).repartition(1).mapInArrow(fit, "booster binary").collect()
        if not fitted:
            raise ValueError("no rows to fit: the split is empty")
        regressor = XGBRegressor(**given)
        regressor.load_model(bytearray(fitted[0]["booster"]))
        model = SparkXGBRegressorModel(regressor)
        model._resetUid(self.uid)
        return self._copyValues(model)


def booster_fit(given: dict[str, Any], threads: int) -> Task:
    """What fits XGBoost on a partition, and returns the booster as XGBoost writes it: one row, of no rows none.

    Args:
        given: parameters of XGBoost's own regressor.
        threads: of the fit.

    Returns:
        A function of batches with the columns x (list of 32-bit floats), y (double), row (whole; the order of the fit)
        and perhaps stops_fit (whether the row only ends the fit). Where no row does, every tree is grown.
    """

    def vectors(batch: pa.RecordBatch) -> Any:
        return batch["x"].flatten().to_numpy().reshape(batch.num_rows, -1)

    data, boosting = _data(), _boosting(given, threads)

    def fit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        fitted: list[pa.RecordBatch] = []
        stopping: list[pa.RecordBatch] = []
        for batch in batches:
            marked = batch["stops_fit"] if "stops_fit" in batch.schema.names else pa.repeat(False, batch.num_rows)
            for kept, some in ((fitted, batch.filter(pc.invert(marked))), (stopping, batch.filter(marked))):
                if some.num_rows:
                    kept.append(some)
        if not fitted:
            return
        booster = boosting(data(fitted, vectors), data(stopping, vectors) if stopping else None)
        yield pa.RecordBatch.from_pydict({"booster": [bytes(booster.save_raw("json"))]})

    return fit


def fold_task(given: dict[str, Any], threads: int, fill: Fill) -> Task:
    """What fills, fits and judges a fold on a partition that holds its rows.

    A missing number becomes the median (of an even number of values the lower middle one, as of Spark's Imputer) or
    the mean of the rows that the fold fits, those that only end the fit among them.

    Args:
        given: parameters of XGBoost's own regressor.
        threads: of the fit.
        fill: what stands for a missing number.

    Returns:
        A function of batches with the columns numbers (list of 32-bit floats, NaN where one is missing), categories
        (list of whole numbers, each of them a value), y, row and stops_fit as above, fits and judged (whether the fold
        fits and whether it judges the row), and others. It returns the judged rows with y, stops_fit, the others and
        their prediction.
    """

    early = given.get("early_stopping_rounds") is not None
    every_slot = given.get("colsample_bytree", 1) < 1  # trees draw among all of them

    def matrix(batch: pa.RecordBatch, name: str) -> Any:
        return batch[name].flatten().to_numpy().reshape(batch.num_rows, len(batch[name][0]))

    def assembling(fitted: list[pa.RecordBatch]) -> Vectors:
        """Makes vectors as the preprocessor does, of the values that a category has in the rows that are fitted.

        They are in the order of the alphabet, for of two slots that split as well XGBoost takes the first. The last is
        for values that are missing or new. It is left out where no row that is fitted has it, and so is the second of
        two slots: either is 0, or nothing but the other's opposite.
        """
        import pyarrow.compute as pc

        slots = []
        for category in range(len(fitted[0]["categories"][0])):
            values = [pc.unique(pa.array(matrix(batch, "categories")[:, category])).to_numpy() for batch in fitted]
            found = sorted(np.unique(np.concatenate(values)).tolist(), key=str)
            seen = [value for value in found if value != no_category]
            other = every_slot or len(seen) < len(found)
            slots.append((np.array(seen), other, 1 if len(seen) == 2 and not other else len(seen)))

        def vectors(batch: pa.RecordBatch) -> Any:
            categories, parts = matrix(batch, "categories"), [matrix(batch, "numbers")]
            for category, (seen, other, kept) in enumerate(slots):
                values = categories[:, [category]]
                parts.append(values == seen[:kept])
                if other:
                    parts.append(~np.isin(values, seen))
            return np.hstack(parts, dtype=np.float32)

        return vectors

    def known(x: Any, slot: int) -> Any:
        values = x[:, slot]
        return values[~np.isnan(values)]

    def fill_missing(numbers: int, fitted: list[Any], judged: Any) -> None:
        for slot in range(numbers):
            if any(np.isnan(x[:, slot]).any() for x in (*fitted, judged)):
                values = np.concatenate([known(x, slot) for x in fitted])
                if not len(values):
                    continue  # nothing of it can be learned
                median = fill == "median"
                value = np.quantile(values, 0.5, method="inverted_cdf") if median else values.mean(dtype=float)
                for x in (*fitted, judged):
                    x[np.isnan(x[:, slot]), slot] = value

    data, boosting, no_category = _data(), _boosting(given, threads), NO_CATEGORY

    def judge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc
        from threadpoolctl import threadpool_limits

        fitted: list[pa.RecordBatch] = []
        stopping: list[pa.RecordBatch] = []
        judged: list[pa.RecordBatch] = []
        for batch in batches:
            # marked rows are fitted as well where the fit ends by itself
            fits, marked = batch["fits"], pc.and_(batch["stops_fit"], early)
            parts = ((fitted, pc.and_(fits, pc.invert(marked))), (stopping, pc.and_(fits, marked)))
            for kept, which in (*parts, (judged, batch["judged"])):
                some = batch.filter(which)
                if some.num_rows:
                    kept.append(some)
        if not fitted:
            raise ValueError("no rows to fit: every row of the fold only ends the fit")
        order = np.argsort(np.concatenate([batch["row"].to_numpy() for batch in judged]), kind="stable")
        rest = ["numbers", "categories", "row", "fits", "judged"]
        told = pa.Table.from_batches(judged).drop_columns(rest).take(order)
        vectors, numbers = assembling([*fitted, *stopping]), len(fitted[0]["numbers"][0])
        fit_data, stop_data = data(fitted, vectors), data(stopping, vectors) if stopping else None
        x, _ = data(judged, vectors)
        fill_missing(numbers, [some[0] for some in (fit_data, stop_data) if some], x)
        booster = boosting(fit_data, stop_data)
        best = (0, booster.best_iteration + 1) if stop_data else (0, 0)
        with threadpool_limits(threads, "openmp"):
            predicted = booster.inplace_predict(x, iteration_range=best).astype(float)
        yield from told.append_column("prediction", pa.array(predicted)).to_batches()

    return judge


def _data() -> Callable[[list[pa.RecordBatch], Vectors], Data]:
    """What puts batches together, in the order of their rows. Each is let go of when it is copied."""

    def data(batches: list[pa.RecordBatch], vectors: Vectors) -> Data:
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

    return data


def _boosting(given: dict[str, Any], threads: int) -> Callable[[Data, Data | None], Any]:
    """XGBoost's booster, fitted as its own regressor does, on some rows, with others that end the fit, if any."""
    loose = LOOSE_VALUES

    def boosting(fitted: Data, stopping: Data | None) -> Any:
        from threadpoolctl import threadpool_limits
        from xgboost import DMatrix, QuantileDMatrix, XGBRegressor, train

        model = XGBRegressor(**given, n_jobs=threads)
        # Spark tells OpenMP that a worker has one core
        with threadpool_limits(threads, "openmp"):
            if fitted[0].size <= loose:
                matrix = DMatrix(*fitted, nthread=threads)
            else:
                matrix = QuantileDMatrix(*fitted, nthread=threads, max_bin=model.max_bin)
            return train(
                model.get_xgb_params(),
                matrix,
                model.get_num_boosting_rounds(),
                evals=[(DMatrix(*stopping, nthread=threads), "stopping")] if stopping else [],
                early_stopping_rounds=model.early_stopping_rounds if stopping else None,
                callbacks=model.callbacks,
                verbose_eval=False,
            )

    return boosting
