"""Where a model fails: its errors by hour, weekday, highway, sensor, congestion, and free flow against congestion.

One pass on Spark over predicted rows; of a dimension with many slices (sensors) only the worst come back. A slice
may be given an interval of its own, calibrated on its own rows; how intervals are made is in `intervals.py`.
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
"""Slices of a dimension that come back, the worst first."""

FEWEST_ROWS = 30
"""A slice of fewer rows says little, and is left out of the ranking."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SLICE = ["dimension", "value"]


class Slice(BaseModel):
    """The errors on the rows that share a value.

    Attributes:
        dimension: what they share: hour, weekday, highway, sensor, congestion level or regime.
        value: the value.
        rows: number of rows.
        rmse: in the unit of the target, as are the others.
        mae: mean absolute error.
        bias: mean of predicted minus observed.
        p95: 95th percentile of the absolute error.
        covered: share of the rows inside the interval for all rows; None without intervals.
        own_half_width: of an interval calibrated on the slice's own rows; None where these are too few for it.
        own_covered: share of the rows inside that interval.
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
        """Of the slice's own interval, from the lower to the upper end."""
        return None if self.own_half_width is None else 2 * self.own_half_width


def dimensions(predicted: DataFrame, zone: ZoneInfo) -> dict[str, Column]:
    """By dimension, the slice of a row; those whose column is missing are left out.

    Args:
        predicted: rows with the keys, and with features where there are any.
        zone: of the network, for hours and weekdays.
    """
    clock = local_time("timestamp", zone)
    found: dict[str, Column] = {
        "hour": F.format_string("%02d", F.hour(clock)),
        "weekday": F.element_at(F.array(*(F.lit(day) for day in WEEKDAYS)), F.weekday(clock) + 1),
        "sensor": F.col("sensor_id").cast("string"),
    }
    if "highway_encoded" in predicted.columns:
        found["highway"] = F.col("highway_encoded").cast("string")
    if "congestion_level" in predicted.columns:
        level = F.col("congestion_level").cast("int")
        found["congestion level"] = level.cast("string")
        found["regime"] = F.when(level == 0, "free flow").when(level > 0, "congested")
    return found


def slice_errors(
    predicted: DataFrame,
    by: dict[str, Column],
    interval: Interval | None = None,
    calibration: DataFrame | None = None,
    worst: int = WORST,
    target: str = TARGET,
) -> list[Slice]:
    """The errors of every slice, by dimension, the worst RMSE first.

    Args:
        predicted: rows with target and prediction.
        by: the slice of a row in each dimension (`dimensions`); rows without a slice are left out of it.
        interval: for all rows, whose coverage in each slice is measured.
        calibration: predicted rows that `interval` was calibrated on, with the columns of `predicted`: each slice
            is given an interval of its own of the same coverage.
        worst: slices of a dimension that come back.
        target: what was predicted.
    """
    each = _sliced_errors(predicted, by, target)
    if interval is None or calibration is None:
        each = each.withColumn("own_half_width", F.lit(None).cast("double"))
    else:
        own = calibrate_groups(_sliced_errors(calibration, by, target), _SLICE, "error", interval.coverage)
        each = each.join(own.withColumnRenamed("half_width", "own_half_width"), _SLICE, "left")
    held = F.lit(None) if interval is None else F.abs("error") <= interval.half_width
    grouped = each.groupBy(_SLICE).agg(
        F.count(F.lit(1)).alias("rows"),
        F.sqrt(F.avg(F.col("error") * F.col("error"))).alias("rmse"),
        F.avg(F.abs("error")).alias("mae"),
        F.avg("error").alias("bias"),
        p95_column(F.col("error")).alias("p95"),
        F.avg(held.cast("double")).alias("covered"),
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
    """Predicted minus observed once for every dimension in which the row has a slice: dimension, value, error."""
    error = F.col(PREDICTION) - F.col(target)
    named = [F.struct(F.lit(name).alias("dimension"), value.alias("value")) for name, value in by.items()]
    each = predicted.select(error.alias("error"), F.explode(F.array(*named)).alias("slice"))
    return each.select("slice.*", "error").where(F.col("value").isNotNull())


def worst_of(slices: list[Slice], number: int = 5) -> list[Slice]:
    """The slices with the greatest RMSE over all dimensions, those of few rows left out."""
    ranked = [s for s in slices if s.rows >= FEWEST_ROWS and not math.isnan(s.rmse)]
    return sorted(ranked, key=lambda s: (-s.rmse, s.dimension, s.value))[:number]


def as_records(slices: list[Slice]) -> list[dict[str, Any]]:
    """Rows for a table, rounded."""
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
