"""Errors by slice: hour, weekday, highway, sensor, congestion level, and free flow or congested.

Spark aggregates the predicted rows in one pass and returns only the worst slices of each dimension. A slice can have a
prediction interval of its own, calibrated on its own rows (`intervals.py`).
"""

import math
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from traffic_assets.catalogue.clock import local_time
from traffic_assets.ml.evaluation.intervals import Interval, calibrate_groups
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET, Number, p95_column

WORST = 30
"""Maximum number of slices returned per dimension, the worst first."""

FEWEST_ROWS = 30
"""Minimum number of rows of a slice that is ranked."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SLICE = ["dimension", "value"]


class Slice(BaseModel):
    """Errors on the rows that share a value.

    Attributes:
        dimension: Hour, weekday, highway, sensor, congestion level or regime.
        value: Value that the rows share.
        rows: Number of rows.
        rmse: Root mean squared error, in the unit of the target.
        mae: Mean absolute error, in the unit of the target.
        bias: Mean of predicted minus observed, in the unit of the target.
        p95: 95th percentile of the absolute error, in the unit of the target.
        covered: Share of the rows inside the interval for all rows; None without an interval.
        own_half_width: Half-width of an interval calibrated on the slice's own rows; None if they are too few.
        own_covered: Share of the rows inside that interval.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    dimension: str
    value: str
    rows: int
    rmse: Number
    mae: Number
    bias: Number
    p95: Number
    covered: float | None = None
    own_half_width: float | None = None
    own_covered: float | None = None

    @property
    def own_width(self) -> float | None:
        """Distance between the ends of the slice's own interval, in the unit of the target."""
        return None if self.own_half_width is None else 2 * self.own_half_width


def slice_columns(predicted: DataFrame, zone: ZoneInfo) -> dict[str, Column]:
    """Return the expression for the slice of a row, by dimension; dimensions without their column are left out.

    Args:
        predicted: Rows with the keys, and with features if there are any.
        zone: Time zone of the network, for hours and weekdays.
    """
    clock = local_time("timestamp", zone)
    columns: dict[str, Column] = {
        "hour": F.format_string("%02d", F.hour(clock)),
        "weekday": F.element_at(F.array(*(F.lit(day) for day in WEEKDAYS)), F.weekday(clock) + 1),
        "sensor": F.col("sensor_id").cast("string"),
    }
    if "highway_encoded" in predicted.columns:
        columns["highway"] = F.col("highway_encoded").cast("string")
    if "congestion_level" in predicted.columns:
        level = F.col("congestion_level").cast("int")
        columns["congestion level"] = level.cast("string")
        columns["regime"] = F.when(level == 0, "free flow").when(level > 0, "congested")
    return columns


def slice_errors(
    predicted: DataFrame,
    by: dict[str, Column],
    interval: Interval | None = None,
    calibration: DataFrame | None = None,
    worst: int = WORST,
    target: str = TARGET,
) -> list[Slice]:
    """Compute the errors of the slices by dimension, the worst RMSE first.

    Args:
        predicted: Rows with target and prediction.
        by: Slice of a row in each dimension (`slice_columns`); a dimension ignores rows without a slice.
        interval: Interval for all rows; its coverage is measured in each slice.
        calibration: Predicted rows that calibrated `interval`, with the columns of `predicted`; they calibrate an
            interval of the same coverage for each slice.
        worst: Maximum number of slices to return per dimension.
        target: Name of the predicted variable.
    """
    each = _sliced_errors(predicted, by, target)
    if interval is None or calibration is None:
        each = each.withColumn("own_half_width", F.lit(None).cast("double"))
    else:
        own = calibrate_groups(_sliced_errors(calibration, by, target), _SLICE, "error", interval.coverage)
        each = each.join(own.withColumnRenamed("half_width", "own_half_width"), _SLICE, "left")
    covered = F.lit(None) if interval is None else F.abs("error") <= interval.half_width
    grouped = each.groupBy(_SLICE).agg(
        F.count(F.lit(1)).alias("rows"),
        F.sqrt(F.avg(F.col("error") * F.col("error"))).alias("rmse"),
        F.avg(F.abs("error")).alias("mae"),
        F.avg("error").alias("bias"),
        p95_column(F.col("error")).alias("p95"),
        F.avg(covered.cast("double")).alias("covered"),
        F.first("own_half_width").alias("own_half_width"),
        F.avg((F.abs("error") <= F.col("own_half_width")).cast("double")).alias("own_covered"),
    )
    enough = (F.col("rows") >= FEWEST_ROWS).cast("int")
    rank = F.row_number().over(Window.partitionBy("dimension").orderBy(enough.desc(), F.col("rmse").desc(), "value"))
    rows = grouped.withColumn("rank", rank).where(F.col("rank") <= worst).collect()
    order = list(by)
    rows.sort(key=lambda row: (order.index(row["dimension"]), row["rank"]))
    return [Slice(**{name: row[name] for name in Slice.model_fields}) for row in rows]


def _sliced_errors(predicted: DataFrame, by: dict[str, Column], target: str) -> DataFrame:
    """Return one line per row and dimension in which the row has a slice: dimension, value, error."""
    error = F.col(PREDICTION) - F.col(target)
    named = [F.struct(F.lit(name).alias("dimension"), value.alias("value")) for name, value in by.items()]
    each = predicted.select(error.alias("error"), F.explode(F.array(*named)).alias("slice"))
    return each.select("slice.*", "error").where(F.col("value").isNotNull())


def select_worst_slices(slices: list[Slice], number: int = 5) -> list[Slice]:
    """Return the slices with the largest RMSE over all dimensions, without those of few rows."""
    ranked = [s for s in slices if s.rows >= FEWEST_ROWS and not math.isnan(s.rmse)]
    return sorted(ranked, key=lambda s: (-s.rmse, s.dimension, s.value))[:number]


def as_records(slices: list[Slice]) -> list[dict[str, Any]]:
    """Return the slices as rounded rows of a table."""
    return [
        {
            "dimension": s.dimension,
            "value": s.value,
            "rows": s.rows,
            **{name: round(getattr(s, name), 4) for name in ("rmse", "mae", "bias", "p95")},
            "covered": _share(s.covered),
            "own width": "" if s.own_width is None else f"{s.own_width:.4g}",
            "own covered": _share(s.own_covered),
        }
        for s in slices
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
