"""Rows kept in Spark's memory while something reads them again, and their order."""

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
    """Train rows as vectors, without those that the preparation drops; rows that only end a fit early all stay."""
    vectors = preprocessing.transform(rows)
    if KEPT not in vectors.columns:
        return vectors
    return vectors.where(F.col(KEPT) | F.col(STOP) if STOP in rows.columns else F.col(KEPT))


@contextmanager
def cached(frame: DataFrame) -> Iterator[DataFrame]:
    """The rows as they come, kept in Spark's memory (or on its disks) inside the block."""
    kept = frame.persist()
    try:
        yield kept
    finally:
        kept.unpersist()


def placed_rows(rows: DataFrame, partitions: int | None = None) -> DataFrame:
    """The rows placed by key, for what reads them once; what reads them again wants `cached_rows`.

    Trees draw their samples partition by partition, so a fit is the same again only where the same rows lie in
    the same partition in the same order: they are hashed and sorted by key, however the files lie.

    Args:
        rows: rows with the key columns.
        partitions: how many; as many as Spark has cores if absent.
    """
    number = partitions or rows.sparkSession.sparkContext.defaultParallelism
    return rows.repartition(number, *KEYS).sortWithinPartitions(*KEYS)


@contextmanager
def cached_rows(rows: DataFrame, partitions: int | None = None) -> Iterator[DataFrame]:
    """The rows placed by key (`placed_rows`), kept in Spark's memory (or on its disks) inside the block."""
    with cached(placed_rows(rows, partitions)) as placed:
        yield placed


@contextmanager
def cached_vectors(
    preprocessing: PipelineModel, rows: DataFrame, target: str = TARGET, again: bool = True
) -> Iterator[DataFrame]:
    """The rows to fit on as vector and target, and a hash of the key, kept in Spark's memory (or on its disks).

    Args:
        preprocessing: the fitted preprocessor.
        rows: feature rows with the target.
        target: what is learned.
        again: whether they will be read more than once; made for one reading, they are not kept.
    """
    vectors = _named(vectors_to_fit(preprocessing, rows), target)
    with cached(vectors) if again else nullcontext(vectors) as made:
        yield made


def listed_vectors(preprocessing: PipelineModel, rows: DataFrame, features: FeatureSet) -> DataFrame:
    """The rows as those of `cached_vectors`, for a fit that reads them once and takes lists (`imputed_vectors`).

    Args:
        preprocessing: the fitted preprocessor, which only fills and does not scale.
        rows: feature rows with the target.
        features: that the preprocessor was fitted for.
    """
    return _named(imputed_vectors(rows, features, preprocessing), features.target)


def _named(vectors: DataFrame, target: str) -> DataFrame:
    """Of the columns, those that a fit is given."""
    named = [F.col(VECTOR), F.col(target), *([F.col(STOP)] if STOP in vectors.columns else [])]
    if set(KEYS) <= set(vectors.columns):
        named.append(row_key().alias(ROW))
    return vectors.select(*named)
