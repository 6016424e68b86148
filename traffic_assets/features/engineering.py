"""Features of a reading, computed on Spark as the catalogue defines them.

Not here: features that are fixed for a sensor, such as position and cluster (`sensors.py`), filling of gaps
(`filling.py`), reading and validating files (`readings/`).
"""

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.lookup import feature_table_columns, installed_features
from traffic_assets.features.filling import LAGS, MEANS, fill_past, intervals_back
from traffic_assets.settings.data import DataSettings


def lookback_minutes(data: DataSettings) -> int:
    """Return the minutes before a reading that its features need: lags, means, and the longest gap to fill."""
    lags = data.interval_minutes * intervals_back(data.interval_minutes)
    built_in = max(*MEANS, lags) + (data.fill.longest_gap_minutes if data.fill.on else 0)
    return built_in + max((feature.lookback_minutes for feature in installed_features()), default=0)


def build_features(readings: DataFrame, sensors: DataFrame, days: Sequence[str], data: DataSettings) -> DataFrame:
    """Build the feature rows of some local days.

    Lags and moving statistics look back by time within a sensor. If an interval is missing or has no speed, they are
    null and never a neighbour's value, unless `data.fill` is on. Rows without a speed have no target and are left out.

    Args:
        readings: Validated readings (sensor_id, timestamp, speed, flow, occupancy) of the days and, if it is
            published, of the day before.
        sensors: Sensor table, one row per sensor.
        days: Keys of the local days to return, without gaps.
        data: Settings of interval, time zone, free flow and rush hours.

    Returns:
        Key columns, features, target and `date`; one row for each reading with a speed.

    Raises:
        ValueError: If `days` is empty.
    """
    start, end = clock.bounds(days, data.zone)
    seconds = F.col("timestamp").cast("long")
    with_target = readings.where(
        F.col("speed").isNotNull()
        & (F.col("timestamp") >= F.lit(start) - F.expr(f"INTERVAL {lookback_minutes(data)} MINUTES"))
        & (F.col("timestamp") < F.lit(end))
    )
    with_past = with_target.select("*", *_past(seconds, data.interval_minutes))
    if data.fill.on:
        with_past = fill_past(with_past, data.interval_minutes, data.fill)
    installed = installed_features()
    if not any(feature.lookback_minutes for feature in installed):  # otherwise their windows need earlier rows
        with_past = with_past.where(F.col("timestamp") >= F.lit(start))
    joined = with_past.join(F.broadcast(sensors), "sensor_id", "left")
    local = clock.local_time("timestamp", data.zone)
    with_clock = joined.withColumns(_clock(local, data)).withColumns(_concurrent(data))
    with_level = with_clock.withColumn("congestion_level", _congestion_level(F.col("traffic_efficiency")))
    columns = [F.col(c.name).cast(c.spark_type).alias(c.name) for c in feature_table_columns()]
    with_installed = with_level.withColumns({feature.name: feature.expression(data) for feature in installed})
    return with_installed.where(F.col("timestamp") >= F.lit(start)).select(
        *columns, F.date_format(local, "yyyy-MM-dd").alias("date")
    )


def unknown_sensors(readings: DataFrame, sensors: DataFrame, days: Sequence[str], data: DataSettings) -> dict[str, int]:
    """Count the readings with a speed whose sensor is not in the sensor table.

    Their position and highway features are null. The arguments are those of `build_features`.

    Returns:
        The count by local day, without days that have none.
    """
    start, end = clock.bounds(days, data.zone)
    within = (F.col("timestamp") >= F.lit(start)) & (F.col("timestamp") < F.lit(end)) & F.col("speed").isNotNull()
    unknown = readings.where(within).join(F.broadcast(sensors.select("sensor_id")), "sensor_id", "left_anti")
    day = F.date_format(clock.local_time("timestamp", data.zone), "yyyy-MM-dd")
    return {row["day"]: row["count"] for row in unknown.groupBy(day.alias("day")).count().collect()}


def _past(seconds: Column, interval_minutes: int) -> list[Column]:
    """Return lags, moving means and the variance, as range frames over one ordering so that Spark sorts once."""
    by_time = Window.partitionBy("sensor_id").orderBy(seconds)

    def before(minutes: int) -> WindowSpec:  # minutes before the reading, without the reading
        return by_time.rangeBetween(-60 * minutes, -1)

    lags = [
        F.max("speed").over(by_time.rangeBetween(*(2 * [-60 * interval_minutes * k]))).alias(f"speed_lag_{k}")
        for k in LAGS
    ]
    means = [F.avg("speed").over(before(m)).alias(f"speed_ma_{m}min") for m in MEANS]
    variance = F.when(F.count("speed").over(before(30)) >= 2, F.var_pop("speed").over(before(30)))
    return [*lags, *means, variance.alias("speed_variance")]


def _clock(local: Column, data: DataSettings) -> dict[str, Column]:
    minutes = F.hour(local) * 60 + F.minute(local) + F.second(local) / 60
    angle = 2 * math.pi * minutes / (24 * 60)
    weekend = F.dayofweek(local).isin(1, 7)  # Spark counts from Sunday = 1
    rush = F.lit(False)
    for start, end in data.rush_hours:
        rush = rush | ((minutes >= 60 * start) & (minutes < 60 * end))
    return {
        "hour_sin": F.sin(angle),
        "hour_cos": F.cos(angle),
        "time_since_midnight": minutes,
        "is_weekend": weekend.cast("int"),
        "is_rush_hour": (rush & ~weekend).cast("int"),
    }


def _concurrent(data: DataSettings) -> dict[str, Column]:
    free_flow = F.col("free_flow_speed") if data.free_flow_speed == "per_sensor" else F.lit(float(data.free_flow_speed))
    per_hour = 60 / data.interval_minutes
    efficiency = F.least(F.lit(1.5), F.greatest(F.lit(0.0), F.col("speed") / free_flow))
    return {
        "traffic_efficiency": F.when(free_flow > 0, efficiency),  # 0: a detector that reported no movement all night
        "occupancy_ratio": F.col("occupancy"),
        "flow_rate": F.col("flow") * per_hour / F.coalesce(F.col("lanes"), F.lit(1)),
    }


def _congestion_level(efficiency: Column) -> Column:
    return F.when(efficiency >= 0.8, 0).when(efficiency >= 0.6, 1).when(efficiency >= 0.4, 2).when(efficiency >= 0, 3)
