"""Preprocessor and model fitted on train rows, as one PipelineModel that predicts from feature columns.

`splits/` chooses the train rows, `search/` the hyperparameters, and `model_selection/` evaluates them. `final.py` fits
the model that is stored.
"""

from pyspark.ml import Model, Pipeline, PipelineModel
from pyspark.ml.feature import Imputer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import fitting as messages
from traffic_assets.messages import preprocessing as preprocessing_messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached_vectors
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, add_created, has_value
from traffic_assets.ml.preprocessing.pipeline import (
    VECTOR,
    outlier_bounds,
    predicting_stages,
    preprocessor,
    rows_to_fit,
)
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters

MEDIAN_ROWS = 1_000_000
"""Maximum number of rows for a median; if there are more, a sample of this size is used. In 95% of cases, this moves
the median's rank by less than 0.1%, in addition to the 0.1% of Spark's own approximation (`relativeError`)."""


def fit_preprocessor(train: DataFrame, features: FeatureSet, scaled: bool = True) -> PipelineModel:
    """Fit the preprocessor on train rows, without those that the preparation drops.

    If every feature has more values than `MEDIAN_ROWS`, missing values are imputed with the median of rows chosen by
    hash.

    Args:
        train: Train rows, `features.rows` of them.
        features: Columns with values in train (`usable_features`).
        scaled: True to scale the vector; scale-invariant algorithms do not need it.

    Raises:
        ValueError: If the preparation leaves no row, no slot, or no value of a feature.
    """
    bounds = outlier_bounds(train, features)
    rows, stages = rows_to_fit(train, features, bounds), preprocessor(features, bounds, scaled).getStages()
    preparation, values = features.preparation, features.rows - max(features.nulls.values(), default=0)
    if features.numbers and preparation.missing == "median" and not preparation.drops and values > MEDIAN_ROWS:
        some = rows.where(unit_hash(preparation.seed, "median") < MEDIAN_ROWS / values)
        imputed = 1 + next(i for i, stage in enumerate(stages) if isinstance(stage, Imputer))
        stages = [*Pipeline(stages=stages[:imputed]).fit(some).stages, *stages[imputed:]]
    try:
        return Pipeline(stages=stages).fit(rows)
    except Exception as error:
        if preparation.drops and (empty := _features_without_values(rows, features)):
            raise ValueError(preprocessing_messages.ONLY_IN_DROPPED_ROWS(features=empty)) from error
        raise


def _features_without_values(rows: DataFrame, features: FeatureSet) -> list[str]:
    """Return the features without a value in these rows."""
    columns = features.numbers | {name: name for name in features.categorical}
    values = {
        name: has_value(F.col(column), "categorical" if name in features.categorical else "numeric")
        for name, column in columns.items()
    }
    counts = add_created(rows, features).agg(*(F.count_if(value).alias(name) for name, value in values.items()))
    row = counts.collect()[0]
    return [name for name in values if not row[name]]


def fit_model(
    vectors: DataFrame,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    seed: int,
    target: str = TARGET,
    rows: int | None = None,
) -> Model:
    """Fit the algorithm on preprocessed rows.

    Args:
        vectors: Rows with `features`, the target and `row`, and `stops_fit` if the fit stops early.
        algorithm: Algorithm to fit.
        hyperparameters: Hyperparameters of this algorithm.
        seed: Seed for the fit.
        target: Name of the predicted variable.
        rows: Upper bound of the number of rows; None if unknown.
    """
    stop = STOP if STOP in vectors.columns else None
    return algorithm.fit(vectors, hyperparameters, seed, target, VECTOR, stop, rows)


def observed_rows(rows: DataFrame, target: str) -> DataFrame:
    """Return the rows with an observed target; every row of a feature table has a speed.

    Raises:
        ValueError: If the table was stored before it had this target.
    """
    if target not in rows.columns:
        raise ValueError(messages.MISSING_TARGET(target=target))
    return rows if target == TARGET else rows.where(F.col(target).isNotNull())


def fit_pipeline(
    train: DataFrame, features: FeatureSet, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int
) -> PipelineModel:
    """Fit preprocessor and model on the train rows."""
    preprocessing = fit_preprocessor(train, features, scaled=not algorithm.scale_invariant)
    rows = with_stopping_rows(train, algorithm, [hyperparameters], seed)
    with cached_vectors(preprocessing, rows, features.target, again=not algorithm.single_pass) as vectors:
        model = fit_model(vectors, algorithm, hyperparameters, seed, features.target, features.rows)
        return build_pipeline(preprocessing, model)


def build_pipeline(preprocessing: PipelineModel, model: Model) -> PipelineModel:
    """Combine preprocessor and model into one `PipelineModel`, which predicts for every row and drops none.

    The pipeline is flat, so that Spark's own writer stores it. A nested pipeline would need Python's writer.
    """
    return PipelineModel([*predicting_stages(preprocessing), model])


def get_preprocessor(pipeline: PipelineModel) -> PipelineModel:
    """Return the fitted preprocessor of a pipeline from `build_pipeline`."""
    return PipelineModel(pipeline.stages[:-1])


def get_model(pipeline: PipelineModel) -> Model:
    """Return the model of a pipeline from `build_pipeline`, without the preprocessor."""
    return pipeline.stages[-1]  # type: ignore[return-value]
