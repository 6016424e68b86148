"""Lags and moving means over a past with filled gaps, as `data.fill` configures.

    intervals before the reading at t    60   .   .   54   .   | t        . has no speed
    interpolation                        60  58  56   54   .   |          both neighbours are before t
    forward fill                         60  60  60   54  54   |          the last speed before the gap

An interval is filled from speeds that were measured before the reading and at most `longest_gap_minutes` away from the
interval. Values at the time of the reading or later are never used, and the target is never filled. Only lags and means
use the filled past; the variance uses only measured speeds. Not here: lags and means without fills (`engineering.py`).
"""

from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from traffic_assets.settings.data import FillSettings

LAGS, MEANS = (1, 2, 3), (15, 30, 60)
"""The lags in intervals, and the minutes of the moving means."""


def intervals_back(interval_minutes: int) -> int:
    """Return the number of intervals before a reading that its lags and means need."""
    return max(*LAGS, max(MEANS) // interval_minutes)


def fill_past(rows: DataFrame, interval_minutes: int, fill: FillSettings) -> DataFrame:
    """Fill lags that fall into a gap, and include filled intervals in moving means.

    Args:
        rows: Rows with sensor_id, timestamp, speed (never null) and the measured lags, including every row that the
            past of a sensor's readings needs.
        interval_minutes: Interval of the readings, minutes.
        fill: Methods of filling, and the longest gap.
    """
    seconds = F.col("timestamp").cast("long")
    by_time = Window.partitionBy("sensor_id").orderBy(seconds)
    interval, gap = 60 * interval_minutes, 60 * fill.longest_gap_minutes
    seen: dict[str, Column] = {}
    values: dict[str, Column] = {}
    for k in range(1, intervals_back(interval_minutes) + 1):
        older = by_time.rangeBetween(-k * interval - gap, -k * interval)
        newer = by_time.rangeBetween(-k * interval + 1, min(-k * interval + gap, -1))
        seen |= {f"_older_at_{k}": F.last(seconds).over(older), f"_older_{k}": F.last("speed").over(older)}
        if fill.interpolation:
            seen |= {f"_newer_at_{k}": F.first(seconds).over(newer), f"_newer_{k}": F.first("speed").over(newer)}
        values[f"_filled_{k}"] = _value(k, seconds - k * interval, fill)
    for minutes in MEANS:
        before = by_time.rangeBetween(-60 * minutes, -1)
        seen |= {f"_sum_{minutes}": F.sum("speed").over(before), f"_count_{minutes}": F.count("speed").over(before)}
    filled = {f"speed_lag_{k}": F.coalesce(f"speed_lag_{k}", f"_filled_{k}") for k in LAGS}
    filled |= {f"speed_ma_{minutes}min": _mean(minutes, minutes // interval_minutes) for minutes in MEANS}
    return rows.withColumns(seen).withColumns(values).withColumns(filled).drop(*seen, *values)


def _value(k: int, at: Column, fill: FillSettings) -> Column:
    """Return the speed that fills the k-th interval back; null if it was measured, or no speed is near enough.

    Args:
        k: Number of intervals back.
        at: Start of that interval, seconds.
        fill: Methods of filling.
    """
    older_at, older = F.col(f"_older_at_{k}"), F.col(f"_older_{k}")
    candidates = []
    if fill.interpolation:
        newer_at, newer = F.col(f"_newer_at_{k}"), F.col(f"_newer_{k}")
        candidates.append(older + (newer - older) * (at - older_at) / (newer_at - older_at))
    if fill.forward_fill:
        candidates.append(older)
    return F.when(older_at < at, F.coalesce(*candidates))


def _mean(minutes: int, intervals: int) -> Column:
    """Return the mean of the measured speeds in the minutes before the reading and of the filled intervals in them."""
    filled = [F.col(f"_filled_{k}") for k in range(1, intervals + 1)]
    total = reduce(add, (F.coalesce(value, F.lit(0.0)) for value in filled), F.coalesce(f"_sum_{minutes}", F.lit(0.0)))
    number = reduce(add, (value.isNotNull().cast("int") for value in filled), F.col(f"_count_{minutes}"))
    return total / F.nullif(number, F.lit(0))
