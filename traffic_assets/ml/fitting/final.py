"""Final fit: the chosen model on all train rows, after the preprocessor that was already fitted there.

`search/` chooses the hyperparameters, and `evaluation/` evaluates the stored model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached_vectors, make_task_rows, order_rows
from traffic_assets.ml.fitting.early_stopping import with_validation_rows
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks
from traffic_assets.ml.fitting.pipeline import build_pipeline, fit_model, observed_rows
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import without_scaler
from traffic_assets.settings.models.base import Hyperparameters


def fit_final_model(
    preprocessing: PipelineModel,
    train: DataFrame,
    validation: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    partitions: int | None = None,
) -> PipelineModel:
    """Fit the model, and return it with the preprocessor, without its scaler if the algorithm is scale-invariant.

    Args:
        preprocessing: Preprocessor fitted on the train rows.
        train: Train split; rows without the target are left out.
        validation: Validation split; half of it stops the fit, if the fit stops early.
        features: Features of the preprocessor.
        algorithm: Algorithm to fit.
        hyperparameters: Hyperparameters of this algorithm.
        seed: Seed for the fit.
        partitions: Number of partitions of the rows; None for the number of Spark's cores.
    """
    early = algorithm.stops_early(hyperparameters)
    rows = observed_rows(with_validation_rows(train, validation, seed) if early else train, features.target)
    ready = without_scaler(preprocessing) if algorithm.scale_invariant else preprocessing
    with _vectors(ready, rows, features, algorithm, hyperparameters, partitions) as vectors:
        number = None if early else features.rows  # the rows that stop the fit are not counted there
        return build_pipeline(ready, fit_model(vectors, algorithm, hyperparameters, seed, features.target, number))


@contextmanager
def _vectors(
    preprocessing: PipelineModel,
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    partitions: int | None,
) -> Iterator[DataFrame]:
    if fits_in_tasks(algorithm, [hyperparameters], features.preparation):  # the task orders its rows itself
        yield make_task_rows(preprocessing, rows, features)
        return
    ordered = order_rows(rows, partitions)
    with cached_vectors(preprocessing, ordered, features.target, again=not algorithm.single_pass) as vectors:
        yield vectors
