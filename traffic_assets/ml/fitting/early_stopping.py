"""Validation rows for early stopping: marked rows that no fit trains on."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.splits.hashing import calibration_half, unit_hash
from traffic_assets.settings.models.base import Hyperparameters

STOP = "stops_fit"
"""Column that marks the rows that are used only to stop a fit early."""

STOPPING_SHARE = 0.1
"""Share of the train rows that stop fits early in cross-validation."""


def with_stopping_rows(rows: DataFrame, algorithm: Algorithm, tried: Sequence[Hyperparameters], seed: int) -> DataFrame:
    """Return the rows, a tenth of them marked by hash if a fit with any of these hyperparameters stops early."""
    if not any(algorithm.stops_early(hyperparameters) for hyperparameters in tried):
        return rows
    return rows.withColumn(STOP, unit_hash(seed, "stop") < STOPPING_SHARE)


def with_validation_rows(train: DataFrame, validation: DataFrame, seed: int) -> DataFrame:
    """Return train rows and half of the validation rows, marked to stop the fit early."""
    stopping = validation.where(~calibration_half(seed)).withColumn(STOP, F.lit(True))
    return train.withColumn(STOP, F.lit(False)).unionByName(stopping)
