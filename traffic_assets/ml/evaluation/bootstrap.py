"""Confidence intervals of a metric by block bootstrap (Künsch 1989, with blocks that do not overlap).

Neighbouring readings err together, so single rows drawn anew would give intervals far too narrow. Whole days are
drawn; in a window too short for that, whole hours. Spark sums each block; only sums come back, and numpy draws.
"""

from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.clock import local_time
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET

FEWEST_BLOCKS = 8
DRAWS = 2000
Block = Literal["day", "hour"]


class Confidence(BaseModel):
    """Confidence intervals of the metrics of one model.

    Attributes:
        level: of confidence.
        block: what was drawn: days or hours.
        blocks: how many there are.
        rmse: lower and upper end.
        mae: lower and upper end.
        r2: lower and upper end.
    """

    model_config = ConfigDict(frozen=True)

    level: float
    block: Block
    blocks: int
    rmse: tuple[float, float]
    mae: tuple[float, float]
    r2: tuple[float, float]


class TooFewBlocksError(ValueError):
    """A bootstrap of so few blocks would pretend to know."""


def block_sums(predicted: DataFrame, zone: ZoneInfo, block: Block, target: str = TARGET) -> NDArray[np.float64]:
    """Sums of each block: rows, squared error, absolute error, observed, observed squared; shape (blocks, 5).

    Args:
        predicted: rows with `timestamp`, `speed` and `prediction`.
        zone: of the network: its days and hours are local.
        block: day or hour.
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


def confidence(
    predicted: DataFrame, zone: ZoneInfo, seed: int, level: float = 0.95, target: str = TARGET
) -> Confidence:
    """Confidence intervals of RMSE, MAE and R².

    Args:
        predicted: rows with `timestamp`, `speed` and `prediction`.
        zone: of the network.
        seed: of the draws.
        level: of confidence.

    Raises:
        TooFewBlocksError: under 8 days and under 8 hours.
    """
    for block in ("day", "hour"):
        sums = block_sums(predicted, zone, block, target)
        if len(sums) >= FEWEST_BLOCKS:
            rmse, mae, r2 = _drawn(sums, seed, level)
            return Confidence(level=level, block=block, blocks=len(sums), rmse=rmse, mae=mae, r2=r2)
    raise TooFewBlocksError(
        f"{len(sums)} hours are too few blocks for a confidence interval; at least {FEWEST_BLOCKS} are needed"
    )


def _drawn(sums: NDArray[np.float64], seed: int, level: float) -> list[tuple[float, float]]:
    draw = np.random.default_rng(seed)
    chosen = draw.integers(0, len(sums), size=(DRAWS, len(sums)))
    rows, squared, absolute, observed, observed_squared = sums[chosen].sum(axis=1).T
    mse = squared / rows
    variance = observed_squared / rows - (observed / rows) ** 2
    values = (np.sqrt(mse), absolute / rows, 1 - mse / np.where(variance > 0, variance, np.nan))
    ends = [(1 - level) / 2, (1 + level) / 2]
    found = []
    for metric in values:
        low, high = np.nanquantile(metric, ends) if np.isfinite(metric).any() else (np.nan, np.nan)
        found.append((float(low), float(high)))
    return found
