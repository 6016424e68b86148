"""The sensor table: position, highway and lanes of each sensor, and what is fixed for it.

One row a sensor with its codes, cluster, scaled position, distance from the centre and free-flow speed. Codes
never move: a newcomer's is appended. Its storage belongs to the `sensor_table` asset.
"""

from dataclasses import dataclass
from typing import Any

from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from traffic_assets.features import clock
from traffic_assets.features.catalogue import READING_COLUMNS, SENSOR_COLUMNS
from traffic_assets.features.readers import Source
from traffic_assets.features.validation import REASON, checked, require_columns
from traffic_assets.settings.schema import DataSettings

CLUSTERS = 8
CLUSTER_SEED = 42
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
_NIGHT_HOURS = (0, 5)  # local; traffic flows freely
_DESCRIPTION = [c.name for c in SENSOR_COLUMNS if c.name != "sensor_id"]


@dataclass(frozen=True)
class SensorTable:
    """The sensor table and the facts that went into it.

    Attributes:
        rows: one row a sensor.
        record: number of sensors, bounding box, centre, clusters, and the day folders seen so far.
    """

    rows: DataFrame
    record: dict[str, Any]


def build_sensor_table(
    spark: SparkSession,
    source: Source,
    data: DataSettings,
    previous: SensorTable | None = None,
) -> SensorTable:
    """The sensor table from metadata or readings, extending the one before it.

    A source of day folders is read incrementally: only folders that are new or have changed since.

    Args:
        spark: the session.
        source: sensor metadata, or readings that carry the same columns.
        data: free-flow, centre and time-zone settings.
        previous: the table so far; its codes are kept, and its sensors where the source has them no more.

    Raises:
        InputError: where the source has no sensor_id.
    """
    folders = {day: str(entry.modified.timestamp()) for day, entry in source.day_folders().items()}
    seen = previous.record.get("folders_seen", {}) if previous else {}
    changed = [day for day, modified in folders.items() if seen.get(day) != modified] if folders else None
    if previous is not None and changed == []:
        return previous
    described = _described(spark, source, data, changed).persist()
    if previous is not None:
        described = _merged(previous.rows, described)
    facts = (
        described.agg(
            F.count(F.lit(1)).alias("sensors"),
            *(
                f(c).alias(f"{n}_{c}")
                for c in ("latitude", "longitude")
                for n, f in (("min", F.min), ("max", F.max), ("mean", F.avg))
            ),
            F.count_if(_has_position()).alias("positioned"),
        )
        .collect()[0]
        .asDict()
    )
    center = data.center or (facts["mean_latitude"], facts["mean_longitude"])
    rows = described.withColumns(
        {
            "lat_normalized": _scaled("latitude", facts["min_latitude"], facts["max_latitude"]),
            "lon_normalized": _scaled("longitude", facts["min_longitude"], facts["max_longitude"]),
            "distance_from_center": _great_circle_km(center) if center[0] is not None else F.lit(None).cast("double"),
        }
    )
    rows = _with_clusters(_with_codes(spark, rows), facts["positioned"])
    record = {
        "sensors": facts["sensors"],
        "sensors_without_position": facts["sensors"] - facts["positioned"],
        "bounding_box": [facts[k] for k in ("min_latitude", "min_longitude", "max_latitude", "max_longitude")],
        "center": list(center),
        "clusters": min(CLUSTERS, facts["positioned"]),
        "folders_seen": seen | folders,
    }
    return SensorTable(rows.orderBy("sensor_id").coalesce(1), record)


def _described(spark: SparkSession, source: Source, data: DataSettings, days: list[str] | None) -> DataFrame:
    """sensor_id, its description and free-flow speed (mph, null where it is not asked for or not known)."""
    by_name = {c.name: c for c in (*SENSOR_COLUMNS, *READING_COLUMNS)}
    read, _ = source.read_all(spark, source.parts(days))
    frames = []
    for part, frame in read:
        require_columns(frame, ["sensor_id"], part.paths[0])
        columns = tuple(by_name.values())
        if "timestamp" not in frame.columns:
            columns = tuple(c for c in columns if c.name not in ("timestamp", "flow", "occupancy"))
        good = checked(frame, columns, data, part.paths[0]).where(F.col(REASON).isNull())
        if "timestamp" not in good.columns:
            good = good.withColumn("timestamp", F.lit(None).cast("timestamp"))
        frames.append(good.select("sensor_id", *_DESCRIPTION, "timestamp", "speed"))
    every = frames[0]
    for frame in frames[1:]:
        every = every.unionByName(frame)
    hour = F.hour(clock.local_time("timestamp", data.zone))
    night = F.when((hour >= _NIGHT_HOURS[0]) & (hour < _NIGHT_HOURS[1]), F.col("speed"))
    free_flow = F.percentile_approx(night, 0.85) if data.free_flow_speed == "per_sensor" else F.lit(None).cast("double")
    return every.groupBy("sensor_id").agg(
        *(F.max(c).alias(c) for c in _DESCRIPTION), free_flow.alias("free_flow_speed")
    )


def _merged(previous: DataFrame, new: DataFrame) -> DataFrame:
    """Sensors of both; a new description wins, a known free-flow speed and code stay."""
    old = previous.select(
        "sensor_id", *(F.col(c).alias(f"old_{c}") for c in (*_DESCRIPTION, "free_flow_speed")), "highway_encoded"
    )
    both = new.join(old, "sensor_id", "full")
    return both.select(
        "sensor_id",
        *(F.coalesce(c, f"old_{c}").alias(c) for c in _DESCRIPTION),
        F.coalesce("old_free_flow_speed", "free_flow_speed").alias("free_flow_speed"),
        F.col("highway_encoded").alias("old_code"),
        F.col("old_highway"),
    )


def _with_codes(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """Codes in name order at the first build; later names follow in name order behind them."""
    if "old_code" in rows.columns:
        known = (
            rows.where(F.col("old_code").isNotNull())
            .groupBy(F.col("old_highway").alias("highway"))
            .agg(F.min("old_code").alias("code"))
        )
    else:
        known = spark.createDataFrame([], "highway string, code int")
    first_free = known.agg(F.coalesce(F.max("code") + 1, F.lit(0)).alias("first")).collect()[0]["first"]
    newcomers = (
        rows.select("highway").where(F.col("highway").isNotNull()).distinct().join(known, "highway", "left_anti")
    )
    by_name = Window.orderBy("highway")  # one row a highway
    coded = newcomers.select("highway", (F.row_number().over(by_name) - 1 + first_free).alias("code"))
    codes = known.where(F.col("highway").isNotNull()).unionByName(coded)
    joined = rows.drop("old_code", "old_highway").join(F.broadcast(codes), "highway", "left")
    return joined.withColumnRenamed("code", "highway_encoded")


def _with_clusters(rows: DataFrame, positioned: int) -> DataFrame:
    """k-means on position (Spark MLlib, k-means||, seed 42); null without a position."""
    if positioned < 2:
        return rows.withColumn("sensor_cluster", F.when(_has_position(), F.lit(0)).cast("int"))
    assembler = VectorAssembler(
        inputCols=["lat_normalized", "lon_normalized"], outputCol="_position", handleInvalid="skip"
    )
    points = assembler.transform(
        rows.select("sensor_id", "lat_normalized", "lon_normalized").orderBy("sensor_id").coalesce(1)
    ).persist()
    model = KMeans(
        k=min(CLUSTERS, positioned), seed=CLUSTER_SEED, featuresCol="_position", predictionCol="sensor_cluster"
    ).fit(points)
    assigned = model.transform(points).select("sensor_id", "sensor_cluster")
    return rows.join(F.broadcast(assigned), "sensor_id", "left")


def _has_position() -> Column:
    return F.col("latitude").isNotNull() & F.col("longitude").isNotNull()


def _scaled(name: str, low: float | None, high: float | None) -> Column:
    if low is None or high is None:
        return F.lit(None).cast("double")
    if high == low:
        return F.when(F.col(name).isNotNull(), F.lit(0.5))
    return (F.col(name) - low) / (high - low)


def _great_circle_km(center: tuple[float, float]) -> Column:
    """Haversine formula (Sinnott 1984)."""
    lat, lon = F.radians("latitude"), F.radians("longitude")
    lat0, lon0 = (F.radians(F.lit(float(x))) for x in center)
    h = F.pow(F.sin((lat - lat0) / 2), 2) + F.cos(lat) * F.cos(lat0) * F.pow(F.sin((lon - lon0) / 2), 2)
    return 2 * EARTH_RADIUS_KM * F.asin(F.sqrt(F.least(h, F.lit(1.0))))
