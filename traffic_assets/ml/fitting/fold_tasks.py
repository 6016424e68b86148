"""Folds that are imputed, fitted and evaluated in one Spark task each, on rows that are prepared once for all folds.

This is for algorithms that fit in one task anyway (`Algorithm.fold_task`), if only the imputed values depend on the
rows of a fold. A fold then takes one second in addition to its fit. Spark's preprocessor takes another four seconds at
800,000 rows. The algorithm defines the task.

The results equal those of `spark_folds.py`, except for categories that are not integers. They are represented by a hash
of their values, which also orders their slots. If two such slots split equally well, a new value may take the other
branch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import fitting as messages
from traffic_assets.ml.algorithm import ROW, Algorithm, Fill
from traffic_assets.ml.estimators.cores import all_cores, task_threads
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.ml.fitting.caching import cache_frame
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize, PreparedFold
from traffic_assets.ml.metrics.metrics import PREDICTION, Metrics, evaluate
from traffic_assets.ml.preprocessing.arrays import encoded_rows
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.ml.splits.hashing import row_key
from traffic_assets.settings.models.base import Hyperparameters


def fits_in_tasks(algorithm: Algorithm, tried: Sequence[Hyperparameters], preparation: Preparation) -> bool:
    """Return True if each fold of these hyperparameters is one task, and the final fit takes arrays."""
    able = algorithm.fold_task is not None and algorithm.scale_invariant
    return able and preparation.imputes_only and all(map(algorithm.uses_all_cores, tried))


class FoldTasks(FoldFitter):
    """Fitter of an algorithm with a `fold_task`, on rows from `open_fold_tasks`.

    Args:
        rows: Numbers and categories (`encoded_rows`), y (the target), `row`, `stops_fit`, the conditions of the folds,
            and the extra columns.
        algorithm: Algorithm to fit.
        folds: Train and test rows of each fold, as columns of the rows.
        seed: Seed for the fits.
        fill: Statistic that replaces a missing number.
        target: Name of the predicted variable.
        extra_columns: Further columns to keep in the predictions.
    """

    def __init__(
        self,
        rows: DataFrame,
        algorithm: Algorithm,
        folds: Sequence[Fold],
        seed: int,
        *,
        fill: Fill,
        target: str,
        extra_columns: Sequence[str] = (),
    ) -> None:
        super().__init__(rows, folds)
        self.algorithm, self.seed, self.fill = algorithm, seed, fill
        self.target, self.extra_columns = target, extra_columns

    @contextmanager
    def prepare(self, number: int, size: FoldSize, fits: int = 1) -> Iterator[PreparedFold]:
        """Return the fold as it is: the rows are ready for all folds."""
        yield _FoldTask(size, self, self.folds[number])


class _FoldTask(PreparedFold):
    """A fold whose every fit is a task."""

    def __init__(self, size: FoldSize, tasks: FoldTasks, fold: Fold) -> None:
        super().__init__(size)
        self._tasks, self._fold = tasks, fold

    def evaluate(
        self, hyperparameters: Hyperparameters, cuts: Sequence[Cut] = (), exact: int | None = None
    ) -> list[Metrics]:
        """Impute, fit and predict in a task that uses all cores of a local session."""
        if cuts:
            raise ValueError(messages.FITS_NOT_SHARED())
        with all_cores(self._tasks.rows.sparkSession):
            return [evaluate(self._plan_predictions(hyperparameters), self._tasks.target)]

    @contextmanager
    def predictions(self, hyperparameters: Hyperparameters) -> Iterator[DataFrame]:
        """Impute, fit and predict in a task that uses all cores of a local session, and keep the predictions."""
        with cache_frame(self._plan_predictions(hyperparameters)) as rows:
            with all_cores(rows.sparkSession):
                rows.count()
            yield rows

    def _plan_predictions(self, hyperparameters: Hyperparameters) -> DataFrame:
        """Return the predictions as a plan: each action on them fits again."""
        tasks, fold = self._tasks, self._fold
        assert tasks.algorithm.fold_task is not None
        threads = task_threads(tasks.rows.sparkSession)
        task = tasks.algorithm.fold_task(hyperparameters, tasks.seed, threads, tasks.fill)
        roles = [fold.train.alias("fits"), fold.test.alias("tested")]
        extra = tasks.extra_columns
        rows = tasks.rows.where(fold.train | fold.test).select("numbers", "categories", "y", ROW, STOP, *roles, *extra)
        schema = rows.select("y", STOP, *extra).withColumn(PREDICTION, F.lit(0.0)).schema
        # the task fetches kept rows from where they are stored; as many tasks as possible first compute other rows
        together = rows.coalesce(1) if tasks.rows.is_cached else rows.repartition(1)
        return together.mapInArrow(task, schema).withColumnRenamed("y", tasks.target)


@contextmanager
def open_fold_tasks(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    folds: Sequence[Fold],
    seed: int,
    *,
    extra_columns: Sequence[str] = (),
) -> Iterator[FoldTasks]:
    """Prepare the rows for all folds and keep them in Spark's memory (or on its disks) inside the block.

    The train rows are read once. The first action should be a count by several tasks (`fold_sizes`), since each fold
    has one task. For a single fold the rows are not kept but computed during its fit.

    Args:
        rows: Train rows; rows that only stop fits early are marked.
        features: Columns to train on.
        algorithm: Algorithm with a `fold_task`.
        folds: Train and test rows of each fold; a row may be both.
        seed: Seed for the fits.
        extra_columns: Further columns to keep in the predictions.
    """
    fill = features.preparation.missing
    assert fill != "drop"
    conditions = {f"train_{i}": fold.train for i, fold in enumerate(folds)}
    conditions |= {f"test_{i}": fold.test for i, fold in enumerate(folds)}
    prepared = encoded_rows(rows, features).select(
        "numbers",
        "categories",
        F.col(features.target).cast("double").alias("y"),
        row_key().alias(ROW),
        (F.col(STOP) if STOP in rows.columns else F.lit(False)).alias(STOP),
        *(condition.alias(name) for name, condition in conditions.items()),
        *extra_columns,
    )
    columns = [replace(fold, train=F.col(f"train_{i}"), test=F.col(f"test_{i}")) for i, fold in enumerate(folds)]
    with cache_frame(prepared) if len(folds) > 1 else nullcontext(prepared) as kept:
        yield FoldTasks(
            kept, algorithm, columns, seed, fill=fill, target=features.target, extra_columns=tuple(extra_columns)
        )
