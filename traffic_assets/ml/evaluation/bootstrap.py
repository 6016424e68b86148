"""Confidence intervals of metrics by block bootstrap (Künsch 1989, with blocks that do not overlap).

Errors of neighbouring readings are correlated, so resampling single rows would give intervals that are far too narrow.
Whole days are resampled, or whole hours if the window has too few days. Spark sums each block, and numpy resamples the
sums.
"""

from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.clock import local_time
from traffic_assets.messages import evaluation as messages
from traffic_assets.ml.metrics.metrics import PREDICTION, SMALLEST_VARIANCE, TARGET, Number

FEWEST_BLOCKS = 8
DRAWS = 2000
Block = Literal["day", "hour"]


class Confidence(BaseModel):
    """Confidence intervals of the metrics of one model.

    Attributes:
        level: Confidence level.
        block: Resampled unit: day or hour.
        blocks: Number of blocks.
        rmse: Lower and upper bound, in the unit of the target.
        mae: Lower and upper bound, in the unit of the target.
        r2: Lower and upper bound; NaN if R² is undefined.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    level: float
    block: Block
    blocks: int
    rmse: tuple[float, float]
    mae: tuple[float, float]
    r2: tuple[Number, Number]


class TooFewBlocksError(ValueError):
    """Too few blocks for a meaningful bootstrap."""


def block_sums(predicted: DataFrame, zone: ZoneInfo, block: Block, target: str = TARGET) -> NDArray[np.float64]:
    """Return sums of each block: rows, squared error, absolute error, observed, observed squared; shape (blocks, 5).

    Args:
        predicted: Rows with `timestamp`, target and `prediction`.
        zone: Time zone of the network; days and hours are local.
        block: Day or hour.
        target: Name of the predicted variable.
    """
    error, observed = F.col(PREDICTION) - F.col(target), F.col(target)
    rows = (
        predicted.groupBy(F.date_trunc(block, local_time("timestamp", zone)).alias("block"))
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.sum(error * error).alias("squared"),
            F.sum(F.abs(error)).alias("absolute"),
            F.sum(observed).alias("observed"),
            F.sum(observed * observed).alias("observed_squared"),
        )
        .orderBy("block")
        .collect()
    )
    return np.array([[float(value) for value in row[1:]] for row in rows]).reshape(-1, 5)


def estimate_confidence(
    predicted: DataFrame, zone: ZoneInfo, seed: int, level: float = 0.95, target: str = TARGET
) -> Confidence:
    """Return confidence intervals of RMSE, MAE and R².

    Args:
        predicted: Rows with `timestamp`, target and `prediction`.
        zone: Time zone of the network.
        seed: Seed for the bootstrap.
        level: Confidence level.
        target: Name of the predicted variable.

    Raises:
        TooFewBlocksError: If there are fewer than 8 days and fewer than 8 hours.
    """
    for block in ("day", "hour"):
        sums = block_sums(predicted, zone, block, target)
        if len(sums) >= FEWEST_BLOCKS:
            rmse, mae, r2 = _resample(sums, seed, level)
            return Confidence(level=level, block=block, blocks=len(sums), rmse=rmse, mae=mae, r2=r2)
    raise TooFewBlocksError(messages.TOO_FEW_HOURS(hours=len(sums), needed=FEWEST_BLOCKS))


def _resample(sums: NDArray[np.float64], seed: int, level: float) -> list[tuple[float, float]]:
    """Return the lower and the upper bound of RMSE, MAE and R²; NaN if a metric has no finite value."""
    generator = np.random.default_rng(seed)
    blocks = generator.integers(0, len(sums), size=(DRAWS, len(sums)))
    rows, squared, absolute, observed, observed_squared = sums[blocks].sum(axis=1).T
    mse = squared / rows
    mean_square = observed_squared / rows
    variance = mean_square - (observed / rows) ** 2
    varies = variance > SMALLEST_VARIANCE * mean_square
    values = (np.sqrt(mse), absolute / rows, 1 - mse / np.where(varies, variance, np.nan))
    quantiles = [(1 - level) / 2, (1 + level) / 2]
    ends = []
    for metric in values:
        low, high = np.nanquantile(metric, quantiles) if np.isfinite(metric).any() else (np.nan, np.nan)
        ends.append((float(low), float(high)))
    return ends
