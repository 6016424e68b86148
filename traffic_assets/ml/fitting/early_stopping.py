"""The rows that end a fit early, marked and never fitted."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.splits.hashing import calibration_half, unit_hash
from traffic_assets.settings.models.base import Hyperparameters

STOP = "stops_fit"
"""Column that marks the rows which only tell a fit when to end."""
STOPPING_SHARE = 0.1


def with_stopping_rows(rows: DataFrame, algorithm: Algorithm, tried: Sequence[Hyperparameters], seed: int) -> DataFrame:
    """A tenth of the rows marked by hash to stop fits early, where any of these hyperparameters asks for it."""
    if not any(algorithm.stops_early(hyperparameters) for hyperparameters in tried):
        return rows
    return rows.withColumn(STOP, unit_hash(seed, "stop") < STOPPING_SHARE)


def with_validation_rows(train: DataFrame, validation: DataFrame, seed: int) -> DataFrame:
    """Train, and the half of the validation rows that ends a fit early, marked."""
    stopping = validation.where(~calibration_half(seed)).withColumn(STOP, F.lit(True))
    return train.withColumn(STOP, F.lit(False)).unionByName(stopping)
