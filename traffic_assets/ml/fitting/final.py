"""The final fit: the chosen model on all of train, behind the preprocessor that is fitted there already.

What chose the hyperparameters lives in `search/`; what is stored is judged in `evaluation.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached_vectors, listed_vectors, placed_rows
from traffic_assets.ml.fitting.early_stopping import with_validation_rows
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks
from traffic_assets.ml.fitting.pipeline import fit_model, observed_rows, pipeline_of
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import without_scaler
from traffic_assets.settings.models.base import Hyperparameters


def final_fit(
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
    """What predicts: the preprocessor, without its scaler where scale is nothing to the algorithm, and the model.

    Args:
        preprocessing: fitted on the train rows.
        train: the train split; rows without the target are left out.
        validation: the validation split, half of which ends the fit where it stops early.
        features: that the preprocessor was fitted for.
        algorithm: what to fit.
        hyperparameters: of this algorithm.
        seed: of the fit.
        partitions: how many the rows are placed in; as many as Spark has cores if absent.
    """
    early = algorithm.stops_early(hyperparameters)
    rows = observed_rows(with_validation_rows(train, validation, seed) if early else train, features.target)
    ready = without_scaler(preprocessing) if algorithm.scale_invariant else preprocessing
    with _vectors(ready, rows, features, algorithm, hyperparameters, partitions) as vectors:
        number = None if early else features.rows  # those that end the fit come on top
        return pipeline_of(ready, fit_model(vectors, algorithm, hyperparameters, seed, features.target, number))


@contextmanager
def _vectors(
    preprocessing: PipelineModel,
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    partitions: int | None,
) -> Iterator[DataFrame]:
    if fits_in_tasks(algorithm, [hyperparameters], features.preparation):  # and puts its rows in order itself
        yield listed_vectors(preprocessing, rows, features)
        return
    placed = placed_rows(rows, partitions)
    with cached_vectors(preprocessing, placed, features.target, again=not algorithm.single_pass) as vectors:
        yield vectors
