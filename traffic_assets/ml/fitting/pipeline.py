"""Preprocessor and model fitted on train rows, as one PipelineModel that predicts from feature columns.

Which rows are train is decided in `splits/`; hyperparameters are searched in `search/` and evaluated in
`model_selection/`, and the fit that is stored is put together in `final.py`.
"""

from pyspark.ml import Model, Pipeline, PipelineModel
from pyspark.ml.feature import Imputer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached_vectors
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
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


def fit_pipeline(
    train: DataFrame, features: FeatureSet, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int
) -> PipelineModel:
    """Preprocessor and model, both fitted on the train rows."""
    preprocessing = fit_preprocessor(train, features, scaled=not algorithm.scale_invariant)
    rows = with_stopping_rows(train, algorithm, [hyperparameters], seed)
    with cached_vectors(preprocessing, rows, features.target, again=not algorithm.single_pass) as vectors:
        model = fit_model(vectors, algorithm, hyperparameters, seed, features.target, features.rows)
        return build_pipeline(preprocessing, model)


def build_pipeline(preprocessing: PipelineModel, model: Model) -> PipelineModel:
    """What predicts: the preprocessor's stages, then the model. Whatever row it is given, it drops none.

    One flat pipeline: Spark's own writer takes it, where one pipeline inside another goes through Python's.
    """
    return PipelineModel([*predicting_stages(preprocessing), model])


def get_preprocessor(pipeline: PipelineModel) -> PipelineModel:
    """The fitted preprocessor of a pipeline made by `build_pipeline`."""
    return PipelineModel(pipeline.stages[:-1])


def get_model(pipeline: PipelineModel) -> Model:
    """The bare model of a pipeline made by `build_pipeline`."""
    return pipeline.stages[-1]  # type: ignore[return-value]
