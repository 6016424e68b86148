"""Rows in Spark's memory for several reads, and their order."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.algorithm import ROW
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.arrays import imputed_vectors
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import (
    KEPT,
    VECTOR,
)
from traffic_assets.ml.splits.hashing import row_key


def vectors_to_fit(preprocessing: PipelineModel, rows: DataFrame) -> DataFrame:
    """Return train rows as vectors, without the rows that the preparation drops.

    Rows that only stop a fit early are all included.
    """
    vectors = preprocessing.transform(rows)
    if KEPT not in vectors.columns:
        return vectors
    return vectors.where(F.col(KEPT) | F.col(STOP) if STOP in rows.columns else F.col(KEPT))


@contextmanager
def cache_frame(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep the rows in Spark's memory (or on its disks) inside the block."""
    kept = frame.persist()
    try:
        yield kept
    finally:
        kept.unpersist()


def order_rows(rows: DataFrame, partitions: int | None = None) -> DataFrame:
    """Return the rows partitioned by a hash of their keys, and sorted within each partition.

    Trees sample partition by partition. So a fit is reproducible only if the same rows are in the same partition in
    the same order, regardless of the order of the files. To read the rows several times, use `cached_rows`.

    Args:
        rows: Rows with the key columns.
        partitions: Number of partitions; None for the number of Spark's cores.
    """
    number = partitions or rows.sparkSession.sparkContext.defaultParallelism
    return rows.repartition(number, *KEYS).sortWithinPartitions(*KEYS)


@contextmanager
def cached_rows(rows: DataFrame, partitions: int | None = None) -> Iterator[DataFrame]:
    """Order the rows (`order_rows`), and keep them in Spark's memory (or on its disks) inside the block."""
    with cache_frame(order_rows(rows, partitions)) as ordered:
        yield ordered


@contextmanager
def cached_vectors(
    preprocessing: PipelineModel, rows: DataFrame, target: str = TARGET, again: bool = True
) -> Iterator[DataFrame]:
    """Return the rows to fit on as vector, target and hash of the key, kept in Spark's memory (or on its disks).

    Args:
        preprocessing: Fitted preprocessor.
        rows: Feature rows with the target.
        target: Name of the predicted variable.
        again: False if the rows are read only once; they are then not kept.
    """
    vectors = _select_fit_columns(vectors_to_fit(preprocessing, rows), target)
    with cache_frame(vectors) if again else nullcontext(vectors) as kept:
        yield kept


def make_task_rows(preprocessing: PipelineModel, rows: DataFrame, features: FeatureSet) -> DataFrame:
    """Return the columns of `cached_vectors` with arrays as vectors, for a fit in one task that reads them once.

    Args:
        preprocessing: Fitted preprocessor that only imputes and does not scale.
        rows: Feature rows with the target.
        features: Features of the preprocessor.
    """
    return _select_fit_columns(imputed_vectors(rows, features, preprocessing), features.target)


def _select_fit_columns(vectors: DataFrame, target: str) -> DataFrame:
    """Return only the columns that a fit reads."""
    columns = [F.col(VECTOR), F.col(target), *([F.col(STOP)] if STOP in vectors.columns else [])]
    if set(KEYS) <= set(vectors.columns):
        columns.append(row_key().alias(ROW))
    return vectors.select(*columns)
