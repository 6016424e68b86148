"""Residuals: how they are distributed, and how they run in time.

A residual is predicted minus observed, in the unit of the target. All is aggregated on Spark; what comes back grows
with the bins and the hours, never with the rows. Drawn in `plots.py`; errors of single groups are in `slices.py`.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.clock import local_time
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET

BINS = 60
_CENTRE = (0.005, 0.995)
_NARROWEST = 1e-9
_ACCURACY = 10_000


class Distribution(BaseModel):
    """A histogram over the middle 99 % of the residuals, and what describes all of them.

    Attributes:
        rows: number of rows.
        mean: of all residuals.
        std: their standard deviation.
        p5: 5th percentile.
        median: 50th percentile.
        p95: 95th percentile.
        least: the smallest residual.
        greatest: the largest residual.
        start: where the first bin begins.
        width: of a bin.
        counts: rows of each bin.
        below: rows left of the first bin.
        above: rows right of the last bin.
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
    """The residuals of a local hour.

    Attributes:
        at: where it begins, local time without a zone.
        rows: number of rows.
        mean: of the residuals.
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
    """Both views of a model's residuals."""

    model_config = ConfigDict(frozen=True)

    distribution: Distribution
    hours: list[Hour]


def summarize_residuals(predicted: DataFrame, zone: ZoneInfo, target: str = TARGET) -> Residuals:
    """Both views.

    Args:
        predicted: rows with `timestamp`, target and `prediction`; read three times, so keep them cached.
        zone: of the network: its hours are local.
        target: what is predicted.

    Raises:
        ValueError: without rows.
    """
    return Residuals(distribution=distribution(predicted, target=target), hours=by_hour(predicted, zone, target))


def distribution(predicted: DataFrame, bins: int = BINS, target: str = TARGET) -> Distribution:
    """How the residuals are distributed.

    Args:
        predicted: rows with target and `prediction`.
        bins: of the histogram.
        target: what is predicted.

    Raises:
        ValueError: without rows.
    """
    each = predicted.select((F.col(PREDICTION) - F.col(target)).alias("residual"))
    found = each.agg(
        F.count("residual").alias("rows"),
        F.avg("residual").alias("mean"),
        F.stddev_pop("residual").alias("std"),
        F.min("residual").alias("least"),
        F.max("residual").alias("greatest"),
        F.percentile_approx("residual", [0.05, 0.5, 0.95, *_CENTRE], _ACCURACY).alias("percentiles"),
    ).collect()[0]
    if not found["rows"]:
        raise ValueError("no rows, hence no residuals: the split is empty")
    p5, median, p95, low, high = found["percentiles"]
    if high - low < _NARROWEST:  # all but a few residuals are the same
        low, high = low - 0.5, high + 0.5
    width = (high - low) / bins
    place = F.floor((F.col("residual") - low) / width)
    # the last bin holds its right end
    placed = F.when(F.col("residual") == high, bins - 1).when(F.col("residual") > high, bins).otherwise(place)
    counted = each.groupBy(F.greatest(placed, F.lit(-1)).alias("bin")).count().collect()
    by_bin = {int(row["bin"]): row["count"] for row in counted}
    return Distribution(
        rows=found["rows"],
        mean=found["mean"],
        std=found["std"],
        p5=p5,
        median=median,
        p95=p95,
        least=found["least"],
        greatest=found["greatest"],
        start=low,
        width=width,
        counts=[by_bin.get(i, 0) for i in range(bins)],
        below=by_bin.get(-1, 0),
        above=by_bin.get(bins, 0),
    )


def by_hour(predicted: DataFrame, zone: ZoneInfo, target: str = TARGET) -> list[Hour]:
    """The residuals of each local hour that has rows, in order; the hour that a clock repeats is one.

    Args:
        predicted: rows with `timestamp`, target and `prediction`.
        zone: of the network.
        target: what is predicted.
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
