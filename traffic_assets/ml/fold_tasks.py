"""Folds that are filled, fitted and judged in one Spark task each, from rows that are made ready once for all of them.

For algorithms that fit in one task anyway (`Algorithm.fold_task`), where nothing but missing numbers hangs on which
rows a fold fits. A fold then costs its fit and a second; prepared and judged by Spark it costs four seconds more at
800,000 rows. Folds of the others are in `cross_validation.py`; what is done in a task, the algorithm says.

What is fitted comes to what Spark's preprocessor does. Categories that are no whole numbers are told by a hash of their
values, and their slots come in its order: where two of them split as well, and a new value is judged, the other one may
be taken.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import ROW, Algorithm, Fill
from traffic_assets.ml.estimators.cores import all_cores, threads_of_a_task
from traffic_assets.ml.fitting.caching import cached
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.folds import Fold
from traffic_assets.ml.metrics.metrics import PREDICTION, Metrics, evaluate
from traffic_assets.ml.preprocessing.arrays import unfilled
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation
from traffic_assets.ml.splits.hashing import row_key
from traffic_assets.settings.models.base import Hyperparameters


def in_tasks(algorithm: Algorithm, tried: Sequence[Hyperparameters], preparation: Preparation) -> bool:
    """Whether folds of these hyperparameters are judged in one task each, and the final fit is given lists."""
    able = algorithm.fold_task is not None and algorithm.scale_invariant
    return able and preparation.fills_only and all(map(algorithm.uses_all_cores, tried))


@dataclass(frozen=True)
class FoldTasks:
    """Train rows that are made ready once, and the folds of them.

    Attributes:
        rows: numbers and categories (`unfilled`), y (the target), `row`, `stops_fit`, for each fold whether it fits and
            whether it judges the row, and what was asked to be told of judged rows.
        fill: what stands for a missing number.
        folds: as columns of these rows.
        told: what is told of judged rows beside target and prediction.
    """

    rows: DataFrame
    fill: Fill
    folds: list[Fold]
    told: tuple[str, ...]
    target: str
    algorithm: Algorithm

    def predicted(self, number: int, hyperparameters: Hyperparameters, seed: int) -> DataFrame:
        """The rows that a fold judges, with target, prediction, `stops_fit` and what was asked for; each action fits.

        Args:
            number: of the fold, from 0.
            hyperparameters: of the fit.
            seed: of the fit.
        """
        assert self.algorithm.fold_task is not None
        fold, threads = self.folds[number], threads_of_a_task(self.rows.sparkSession)
        task = self.algorithm.fold_task(hyperparameters, seed, threads, self.fill)
        roles = [fold.fit.alias("fits"), fold.judged.alias("judged")]
        given = self.rows.where(fold.fit | fold.judged).select(
            "numbers", "categories", "y", ROW, STOP, *roles, *self.told
        )
        schema = given.select("y", STOP, *self.told).withColumn(PREDICTION, F.lit(0.0)).schema
        # the task fetches rows that are kept from where they lie; others are first made, by as many tasks as can be
        together = given.coalesce(1) if self.rows.is_cached else given.repartition(1)
        return together.mapInArrow(task, schema).withColumnRenamed("y", self.target)

    @contextmanager
    def kept(self, number: int, hyperparameters: Hyperparameters, seed: int) -> Iterator[DataFrame]:
        """What is `predicted`, by one fit, kept in Spark's memory (or on its disks) inside the block."""
        with cached(self.predicted(number, hyperparameters, seed)) as rows:
            with all_cores(rows.sparkSession):
                rows.count()
            yield rows

    def judged(self, number: int, hyperparameters: Hyperparameters, seed: int) -> Metrics:
        """The metrics of one set of hyperparameters on a fold."""
        with all_cores(self.rows.sparkSession):
            return evaluate(self.predicted(number, hyperparameters, seed), self.target)


@contextmanager
def fold_tasks(
    train: DataFrame, features: FeatureSet, algorithm: Algorithm, folds: Sequence[Fold], told: Sequence[str] = ()
) -> Iterator[FoldTasks]:
    """Train rows made ready for folds, kept in Spark's memory (or on its disks) inside the block; read once.

    The first action on them should read them all by several tasks (a count): the folds have one each. For one fold
    alone they are not kept, and made when it is fitted.

    Args:
        train: train rows, those marked that only end a fit.
        features: columns to train on.
        algorithm: that has tasks for folds.
        folds: which rows are fitted and judged; a row may be both.
        told: further columns of the judged rows.
    """
    fill = features.preparation.missing
    assert fill != "drop"
    conditions = {f"fit_{i}": fold.fit for i, fold in enumerate(folds)}
    conditions |= {f"judged_{i}": fold.judged for i, fold in enumerate(folds)}
    rows = unfilled(train, features).select(
        "numbers",
        "categories",
        F.col(features.target).cast("double").alias("y"),
        row_key().alias(ROW),
        (F.col(STOP) if STOP in train.columns else F.lit(False)).alias(STOP),
        *(condition.alias(name) for name, condition in conditions.items()),
        *told,
    )
    with cached(rows) if len(folds) > 1 else nullcontext(rows) as ready:
        columns = [replace(fold, fit=F.col(f"fit_{i}"), judged=F.col(f"judged_{i}")) for i, fold in enumerate(folds)]
        yield FoldTasks(ready, fill, columns, tuple(told), features.target, algorithm)
