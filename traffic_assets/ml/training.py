"""Fitting: preprocessor and model on train rows, as one PipelineModel that predicts from feature columns.

Which rows are train is decided in `splits.py`; hyperparameters are searched in `search/` and judged in
`cross_validation.py`, and the fit that is stored is put together in `final_fit.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from pyspark.ml import Model, Pipeline, PipelineModel
from pyspark.ml.feature import Imputer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.algorithms import ROW, Algorithm
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.arrays import filled
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import (
    KEPT,
    VECTOR,
    outlier_bounds,
    predicting_stages,
    preprocessor,
    rows_to_fit,
)
from traffic_assets.ml.splits.hashing import calibration_half, row_key, unit_hash
from traffic_assets.settings.hyperparameters import Hyperparameters

STOP = "stops_fit"
"""Column that marks the rows which only tell a fit when to end."""

STOPPING_SHARE = 0.1

MEDIAN_ROWS = 1_000_000
"""Of more values than these a median is taken of so many: in 19 of 20 cases this moves its rank by less than
0.1 %, on top of the 0.1 % of Spark's own approximation (`relativeError`)."""


def fit_preprocessor(train: DataFrame, features: FeatureSet, scaled: bool = True) -> PipelineModel:
    """The preprocessor fitted on train rows, but for those that the preparation drops.

    Where every feature has more values than `MEDIAN_ROWS`, what stands for a missing one is the median of rows chosen
    by hash.

    Args:
        train: train rows, as many as the features say.
        features: columns that hold values in train (`usable_features`).
        scaled: whether the vector is scaled in the end; `scale_free` algorithms do without.

    Raises:
        ValueError: where the preparation leaves no row, or no slot.
    """
    bounds = outlier_bounds(train, features)
    rows, stages = rows_to_fit(train, features, bounds), preprocessor(features, bounds, scaled).getStages()
    preparation, values = features.preparation, features.rows - max(features.nulls.values(), default=0)
    if features.numbers and preparation.missing == "median" and not preparation.drops and values > MEDIAN_ROWS:
        some = rows.where(unit_hash(preparation.seed, "median") < MEDIAN_ROWS / values)
        imputed = 1 + next(i for i, stage in enumerate(stages) if isinstance(stage, Imputer))
        stages = [*Pipeline(stages=stages[:imputed]).fit(some).stages, *stages[imputed:]]
    return Pipeline(stages=stages).fit(rows)


def vectors_to_fit(preprocessing: PipelineModel, rows: DataFrame) -> DataFrame:
    """Train rows as vectors, without those that the preparation drops; rows that only end a fit early all stay."""
    vectors = preprocessing.transform(rows)
    if KEPT not in vectors.columns:
        return vectors
    return vectors.where(F.col(KEPT) | F.col(STOP) if STOP in rows.columns else F.col(KEPT))


def fit_model(
    vectors: DataFrame,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    seed: int,
    target: str = TARGET,
    rows: int | None = None,
) -> Model:
    """The algorithm fitted on preprocessed rows (`features`, the target and `row`; `stops_fit` to stop early).

    Args:
        vectors: the rows.
        algorithm: what to fit.
        hyperparameters: of this algorithm.
        seed: of whatever is drawn.
        target: what is learned.
        rows: how many there are at most, where it is known.
    """
    stop = STOP if STOP in vectors.columns else None
    return algorithm.fit(vectors, hyperparameters, seed, target, VECTOR, stop, rows)


def observed_rows(rows: DataFrame, target: str) -> DataFrame:
    """The rows whose target was observed; of the speed every row of a feature table is one.

    Raises:
        ValueError: where the table is of a time before it held the target.
    """
    if target not in rows.columns:
        raise ValueError(f"the feature rows have no column {target!r}: materialize feature_table again (job features)")
    return rows if target == TARGET else rows.where(F.col(target).isNotNull())


def with_stopping_rows(rows: DataFrame, algorithm: Algorithm, tried: Sequence[Hyperparameters], seed: int) -> DataFrame:
    """A tenth of the rows marked by hash to stop fits early, where any of these hyperparameters asks for it."""
    if not any(algorithm.stops_early(hyperparameters) for hyperparameters in tried):
        return rows
    return rows.withColumn(STOP, unit_hash(seed, "stop") < STOPPING_SHARE)


def with_validation_rows(train: DataFrame, validation: DataFrame, seed: int) -> DataFrame:
    """Train, and the half of the validation rows that ends a fit early, marked."""
    stopping = validation.where(~calibration_half(seed)).withColumn(STOP, F.lit(True))
    return train.withColumn(STOP, F.lit(False)).unionByName(stopping)


def fit_pipeline(
    train: DataFrame, features: FeatureSet, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int
) -> PipelineModel:
    """Preprocessor and model, both fitted on the train rows."""
    preprocessing = fit_preprocessor(train, features, scaled=not algorithm.scale_free)
    rows = with_stopping_rows(train, algorithm, [hyperparameters], seed)
    with cached_vectors(preprocessing, rows, features.target, again=not algorithm.reads_once) as vectors:
        model = fit_model(vectors, algorithm, hyperparameters, seed, features.target, features.rows)
        return pipeline_of(preprocessing, model)


def pipeline_of(preprocessing: PipelineModel, model: Model) -> PipelineModel:
    """What predicts: the preprocessor's stages, then the model. Whatever row it is given, it drops none.

    One flat pipeline: Spark's own writer takes it, where one pipeline inside another goes through Python's.
    """
    return PipelineModel([*predicting_stages(preprocessing), model])


def preprocessor_of(pipeline: PipelineModel) -> PipelineModel:
    """The fitted preprocessor of a pipeline made by `pipeline_of`."""
    return PipelineModel(pipeline.stages[:-1])


def model_of(pipeline: PipelineModel) -> Model:
    """The bare model of a pipeline made by `pipeline_of`."""
    return pipeline.stages[-1]  # type: ignore[return-value]


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
    """The rows as those of `cached_vectors`, for a fit that reads them once and takes lists (`lists.filled`).

    Args:
        preprocessing: the fitted preprocessor, which only fills and does not scale.
        rows: feature rows with the target.
        features: that the preprocessor was fitted for.
    """
    return _named(filled(rows, features, preprocessing), features.target)


def _named(vectors: DataFrame, target: str) -> DataFrame:
    """Of the columns, those that a fit is given."""
    named = [F.col(VECTOR), F.col(target), *([F.col(STOP)] if STOP in vectors.columns else [])]
    if set(KEYS) <= set(vectors.columns):
        named.append(row_key().alias(ROW))
    return vectors.select(*named)
