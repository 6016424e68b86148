"""Choice between the two ways to fit folds: tasks if possible, otherwise Spark's preprocessor."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from pyspark.sql import DataFrame

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.early_stopping import with_stopping_rows
from traffic_assets.ml.fitting.fold_fitter import FoldFitter
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks, open_fold_tasks
from traffic_assets.ml.fitting.spark_folds import SparkFolds
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.settings.models.base import Hyperparameters


def open_fold_fitter(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    folds: Sequence[Fold],
    tried: Sequence[Hyperparameters],
    seed: int,
    *,
    scratch: str | None = None,
    extra_columns: Sequence[str] = (),
) -> AbstractContextManager[FoldFitter]:
    """Return the fitter for these folds; what it keeps in Spark's memory is released at the end of the block.

    Args:
        train: Train rows; read several times per fold, so keep them cached unless folds are tasks.
        features: Columns to train on.
        algorithm: Algorithm to fit.
        folds: Train and test rows of each fold; a row may be both.
        tried: All hyperparameters that will be fitted.
        seed: Seed for the fits, and for the rows that stop fits early.
        scratch: URI of a folder for intermediate models; without it, no fit is shared.
        extra_columns: Further columns to keep in the predictions.
    """
    rows = with_stopping_rows(train, algorithm, tried, seed)
    if fits_in_tasks(algorithm, tried, features.preparation):
        return open_fold_tasks(rows, features, algorithm, folds, seed, extra_columns=extra_columns)
    spark_folds = SparkFolds(rows, features, algorithm, folds, seed, scratch=scratch, extra_columns=extra_columns)
    return nullcontext(spark_folds)
