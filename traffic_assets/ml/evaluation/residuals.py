"""Residuals: their distribution and their course over time.

A residual is predicted minus observed, in the unit of the target. Spark aggregates them into bins and hours. `plots/`
draws them, and `slices.py` has the errors of groups of rows.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.clock import local_time
from traffic_assets.messages import evaluation as messages
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET

BINS = 60
_CENTRE = (0.005, 0.995)
_NARROWEST = 1e-9
_ACCURACY = 10_000


class Distribution(BaseModel):
    """Histogram of the middle 99% of the residuals, and statistics of all of them.

    Attributes:
        rows: Number of rows.
        mean: Mean of all residuals.
        std: Standard deviation of all residuals.
        p5: 5th percentile.
        median: 50th percentile.
        p95: 95th percentile.
        least: Smallest residual.
        greatest: Largest residual.
        start: Lower end of the first bin.
        width: Width of a bin.
        counts: Number of rows in each bin.
        below: Number of rows below the first bin.
        above: Number of rows above the last bin.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    mean: float
    std: float
    p5: float
    median: float
    p95: float
    least: float
    greatest: float
    start: float
    width: float
    counts: list[int]
    below: int
    above: int


class Hour(BaseModel):
    """Residuals of a local hour.

    Attributes:
        at: Start of the hour, local time without a zone.
        rows: Number of rows.
        mean: Mean of the residuals.
        p10: 10th percentile.
        p90: 90th percentile.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    rows: int
    mean: float
    p10: float
    p90: float


class Residuals(BaseModel):
    """Distribution and course over time of a model's residuals."""

    model_config = ConfigDict(frozen=True)

    distribution: Distribution
    hours: list[Hour]


def summarize_residuals(predicted: DataFrame, zone: ZoneInfo, target: str = TARGET) -> Residuals:
    """Summarize the residuals by size and by hour.

    Args:
        predicted: Rows with `timestamp`, target and `prediction`; read three times, so keep them cached.
        zone: Time zone of the network; hours are local.
        target: Name of the predicted variable.

    Raises:
        ValueError: If there are no rows.
    """
    return Residuals(
        distribution=compute_distribution(predicted, target=target), hours=summarize_hours(predicted, zone, target)
    )


def compute_distribution(predicted: DataFrame, bins: int = BINS, target: str = TARGET) -> Distribution:
    """Compute the distribution of the residuals.

    Args:
        predicted: Rows with target and `prediction`.
        bins: Number of bins of the histogram.
        target: Name of the predicted variable.

    Raises:
        ValueError: If there are no rows.
    """
    each = predicted.select((F.col(PREDICTION) - F.col(target)).alias("residual"))
    statistics = each.agg(
        F.count("residual").alias("rows"),
        F.avg("residual").alias("mean"),
        F.stddev_pop("residual").alias("std"),
        F.min("residual").alias("least"),
        F.max("residual").alias("greatest"),
        F.percentile_approx("residual", [0.05, 0.5, 0.95, *_CENTRE], _ACCURACY).alias("percentiles"),
    ).collect()[0]
    if not statistics["rows"]:
        raise ValueError(messages.NO_RESIDUALS())
    p5, median, p95, low, high = statistics["percentiles"]
    if high - low < _NARROWEST:  # almost all residuals are equal
        low, high = low - 0.5, high + 0.5
    width = (high - low) / bins
    position = F.floor((F.col("residual") - low) / width)
    # the last bin includes its upper end
    bin_number = F.when(F.col("residual") == high, bins - 1).when(F.col("residual") > high, bins).otherwise(position)
    counts = each.groupBy(F.greatest(bin_number, F.lit(-1)).alias("bin")).count().collect()
    by_bin = {int(row["bin"]): row["count"] for row in counts}
    return Distribution(
        rows=statistics["rows"],
        mean=statistics["mean"],
        std=statistics["std"],
        p5=p5,
        median=median,
        p95=p95,
        least=statistics["least"],
        greatest=statistics["greatest"],
        start=low,
        width=width,
        counts=[by_bin.get(i, 0) for i in range(bins)],
        below=by_bin.get(-1, 0),
        above=by_bin.get(bins, 0),
    )


def summarize_hours(predicted: DataFrame, zone: ZoneInfo, target: str = TARGET) -> list[Hour]:
    """Summarize the residuals of each local hour that has rows, in order.

    The hour that the clock repeats in autumn counts as one.

    Args:
        predicted: Rows with `timestamp`, target and `prediction`.
        zone: Time zone of the network.
        target: Name of the predicted variable.
    """
    residual = F.col(PREDICTION) - F.col(target)
    hour = F.date_format(F.date_trunc("hour", local_time("timestamp", zone)), "yyyy-MM-dd'T'HH:mm:ss")
    rows = (
        predicted.groupBy(hour.alias("at"))
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.avg(residual).alias("mean"),
            F.percentile_approx(residual, [0.1, 0.9], _ACCURACY).alias("ends"),
        )
        .orderBy("at")
        .collect()
    )
    return [
        Hour(at=datetime.fromisoformat(r["at"]), rows=r["rows"], mean=r["mean"], p10=r["ends"][0], p90=r["ends"][1])
        for r in rows
    ]
