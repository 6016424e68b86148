"""The sensor table: one row per sensor with position, highway, lanes and the features that are fixed for it.

These features are highway code, cluster, scaled position, distance from the centre and free-flow speed. Codes never
change; a new highway gets the next free one. Not here: storage (the asset `sensor_table`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import LAYOUT_FINGERPRINT, SENSOR_COLUMNS
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.messages import features as messages
from traffic_assets.readings.readers import (
    InputError,
    Part,
    Source,
    find_broken_parts,
    problem_text,
    require_same_types,
)
from traffic_assets.readings.validation import REASON, require_columns, validate_rows
from traffic_assets.settings.data import DataSettings

CLUSTERS = 8
CLUSTER_SEED = 42
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG

_NIGHT_HOURS = (0, 5)  # local; traffic flows freely
_LAYOUT = ("lat_normalized", "lon_normalized", "distance_from_center", "highway_encoded", "sensor_cluster")
_LAYOUT_DIGITS = 9  # sums in another order differ only in later digits
_DESCRIPTION = [c.name for c in SENSOR_COLUMNS if c.name != "sensor_id"]


@dataclass(frozen=True)
class SensorTable:
    """Sensor table with a record of its inputs.

    The record contains the layout fingerprint in the field `geometry`. Features of tables with different fingerprints
    must not be mixed. It also contains the fingerprint of each day folder that was read. A folder that cannot be read
    is tried again next time.

    Attributes:
        rows: One row per sensor.
        record: Number of sensors, bounding box, centre, clusters, highway codes and fingerprints.
        refused: Reason for each day whose folder this build left out.
    """

    rows: DataFrame
    record: dict[str, Any]
    refused: Mapping[str, str] = field(default_factory=dict)


def build_sensor_table(
    spark: SparkSession,
    source: Source,
    data: DataSettings,
    previous: SensorTable | None = None,
) -> SensorTable:
    """Build the sensor table from metadata or readings, or extend the previous one.

    A source of day folders is read incrementally: only folders that are new, or whose files have changed in name, size
    or time. A folder that cannot be used is left out and does not affect other days.

    Args:
        spark: Spark session.
        source: Sensor metadata, or readings with the same columns.
        data: Settings of free flow, centre and time zone.
        previous: Previous table. Its codes are kept, and so are sensors that the source no longer has.

    Raises:
        InputError: If the source has no sensor_id, or no part of it can be used.
        StorageError: If storage fails, and the cause is not a single day folder.
    """
    folders = source.fingerprints()
    # A table of an earlier version, without a layout fingerprint, is built from all folders again.
    seen = previous.record["folders_seen"] if previous and LAYOUT_FINGERPRINT in previous.record else {}
    changed = [day for day, fingerprint in folders.items() if seen.get(day) != fingerprint] if folders else None
    if previous is not None and changed == []:
        return previous
    described, refused = _collect_descriptions(spark, source, data, source.parts(changed), previous)
    if described is None:
        if previous is None:
            raise InputError(messages.NO_USABLE_DAY(uri=source.uri, reasons=refused))
        return replace(previous, refused=refused)
    facts = _summarize(described)
    codes = _assign_codes(described, previous.record["highway_codes"] if previous else {})
    center = data.center or (facts["mean_latitude"], facts["mean_longitude"])
    rows = described.withColumns(
        {
            "lat_normalized": _scale("latitude", facts["min_latitude"], facts["max_latitude"]),
            "lon_normalized": _scale("longitude", facts["min_longitude"], facts["max_longitude"]),
            "distance_from_center": _great_circle_km(center) if None not in center else F.lit(None).cast("double"),
        }
    )
    coded = spark.createDataFrame(list(codes.items()), "highway string, highway_encoded int")
    rows = _add_clusters(rows.join(F.broadcast(coded), "highway", "left"), facts["positioned"])
    sensors = rows.orderBy("sensor_id").collect()
    box = [facts[k] for k in ("min_latitude", "min_longitude", "max_latitude", "max_longitude")]
    record = {
        "sensors": facts["sensors"],
        "sensors_without_position": facts["sensors"] - facts["positioned"],
        "sensors_without_lanes": facts["without_lanes"],
        "bounding_box": box,
        "center": list(center),
        LAYOUT_FINGERPRINT: _layout_fingerprint(sensors, [*box, *center]),
        "clusters": min(CLUSTERS, facts["positioned"]),
        "highway_codes": codes,
        "folders_seen": seen | {day: fingerprint for day, fingerprint in folders.items() if day not in refused},
    }
    return SensorTable(spark.createDataFrame(sensors, rows.schema).coalesce(1), record, refused)


def _collect_descriptions(
    spark: SparkSession,
    source: Source,
    data: DataSettings,
    parts: Sequence[Part],
    previous: SensorTable | None,
) -> tuple[DataFrame | None, dict[str, str]]:
    """Describe the sensors of some parts and of the previous table.

    Returns:
        The rows, or None if no part can be used; and the reason for each day that is left out.
    """
    refused = dict[str, str]()
    while True:  # repeated without the day folders whose files turn out to be broken during the pass
        new, unusable = _describe_sensors(spark, source, data, parts)
        refused |= unusable
        if new is None:
            return None, refused
        merged = new if previous is None else _merge(previous.rows, new)
        try:
            # Rows are collected, because Spark would reuse a cached plan after the files have changed.
            with storage_errors(source.uri):
                return spark.createDataFrame(merged.collect(), merged.schema), refused
        except StorageError as error:
            broken = find_broken_parts(parts, error)
            if not broken:
                require_same_types(error)
                raise
            refused |= {day: problem_text(error) for part in broken for day in part.days or ()}
            parts = [part for part in parts if part not in broken]


def _summarize(described: DataFrame) -> dict[str, Any]:
    """Return the number of sensors, with and without positions and lanes, and the bounds and means of positions."""
    summary = described.agg(
        F.count(F.lit(1)).alias("sensors"),
        *(
            function(column).alias(f"{name}_{column}")
            for column in ("latitude", "longitude")
            for name, function in (("min", F.min), ("max", F.max), ("mean", F.avg))
        ),
        F.count_if(_has_position()).alias("positioned"),
        F.count_if(F.col("lanes").isNull()).alias("without_lanes"),
    )
    return summary.collect()[0].asDict()


def _describe_sensors(
    spark: SparkSession, source: Source, data: DataSettings, parts: Sequence[Part]
) -> tuple[DataFrame | None, dict[str, str]]:
    """Read parts and aggregate them by sensor.

    Returns:
        Rows with sensor_id, description and free-flow speed, or None if no part can be used; and the reason for each
        day that is left out. The speed is in mph, and null if it is unknown or not configured per sensor.
    """
    by_name = {c.name: c for c in (*SENSOR_COLUMNS, *READING_COLUMNS)}
    read, refused = source.read_all(spark, parts)
    frames = []
    for part, frame in read:
        columns = tuple(by_name.values())
        if "timestamp" not in frame.columns:
            columns = tuple(c for c in columns if c.name not in ("timestamp", "flow", "occupancy"))
        try:
            require_columns(frame, ["sensor_id"], part.place)
            good = validate_rows(frame, columns, data, part.place).where(F.col(REASON).isNull())
        except InputError as error:
            if part.days is None:
                raise
            refused |= {day: problem_text(error) for day in part.days}
            continue
        if "timestamp" not in good.columns:
            good = good.withColumn("timestamp", F.lit(None).cast("timestamp"))
        frames.append(good.select("sensor_id", *_DESCRIPTION, "timestamp", "speed"))
    if not frames:
        return None, refused
    rows = frames[0]
    for frame in frames[1:]:
        rows = rows.unionByName(frame)
    hour = F.hour(clock.local_time("timestamp", data.zone))
    night = F.when((hour >= _NIGHT_HOURS[0]) & (hour < _NIGHT_HOURS[1]), F.col("speed"))
    free_flow = F.percentile_approx(night, 0.85) if data.free_flow_speed == "per_sensor" else F.lit(None).cast("double")
    described = rows.groupBy("sensor_id").agg(
        *(F.max(c).alias(c) for c in _DESCRIPTION), free_flow.alias("free_flow_speed")
    )
    return described, refused


def _merge(previous: DataFrame, new: DataFrame) -> DataFrame:
    """Return the sensors of both tables. New descriptions replace old ones, except that free-flow speeds are kept."""
    old = previous.select("sensor_id", *(F.col(c).alias(f"old_{c}") for c in (*_DESCRIPTION, "free_flow_speed")))
    both = new.join(old, "sensor_id", "full")
    return both.select(
        "sensor_id",
        *(F.coalesce(c, f"old_{c}").alias(c) for c in _DESCRIPTION),
        F.coalesce("old_free_flow_speed", "free_flow_speed").alias("free_flow_speed"),
    )


def _assign_codes(rows: DataFrame, known: dict[str, int]) -> dict[str, int]:
    """Return the known codes, and the next ones for new highways in name order."""
    highways = {row["highway"] for row in rows.select("highway").distinct().collect()}
    new = sorted(highways - {None} - known.keys())
    return known | {highway: code for code, highway in enumerate(new, max(known.values(), default=-1) + 1)}


def _add_clusters(rows: DataFrame, positioned: int) -> DataFrame:
    """Add the cluster by k-means on position (Spark MLlib, k-means||, seed 42); null without a position."""
    if positioned < 2:
        return rows.withColumn("sensor_cluster", F.when(_has_position(), F.lit(0)).cast("int"))
    assembler = VectorAssembler(
        inputCols=["lat_normalized", "lon_normalized"], outputCol="_position", handleInvalid="skip"
    )
    points = assembler.transform(
        rows.select("sensor_id", "lat_normalized", "lon_normalized").orderBy("sensor_id").coalesce(1)
    )
    model = KMeans(
        k=min(CLUSTERS, positioned), seed=CLUSTER_SEED, featuresCol="_position", predictionCol="sensor_cluster"
    ).fit(points)
    assigned = model.transform(points).select("sensor_id", "sensor_cluster")
    return rows.join(F.broadcast(assigned), "sensor_id", "left")


def _layout_fingerprint(sensors: Sequence[Row], frame: Sequence[float | None]) -> str:
    """Return a short hash of the inputs to the position and highway features.

    Args:
        sensors: Rows of the table, ordered by sensor_id.
        frame: Bounding box and centre, degrees.
    """

    def round_floats(values: Sequence[Any]) -> list[Any]:
        return [round(v, _LAYOUT_DIGITS) if isinstance(v, float) else v for v in values]

    inputs = [round_floats(frame), *([row["sensor_id"], *round_floats([row[c] for c in _LAYOUT])] for row in sensors)]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def _has_position() -> Column:
    return F.col("latitude").isNotNull() & F.col("longitude").isNotNull()


def _scale(name: str, low: float | None, high: float | None) -> Column:
    if low is None or high is None:
        return F.lit(None).cast("double")
    if high == low:
        return F.when(F.col(name).isNotNull(), F.lit(0.5))
    return (F.col(name) - low) / (high - low)


def _great_circle_km(center: tuple[float, float]) -> Column:
    """Return the distance from the centre by the haversine formula (Sinnott 1984)."""
    lat, lon = F.radians("latitude"), F.radians("longitude")
    lat0, lon0 = (F.radians(F.lit(float(x))) for x in center)
    h = F.pow(F.sin((lat - lat0) / 2), 2) + F.cos(lat) * F.cos(lat0) * F.pow(F.sin((lon - lon0) / 2), 2)
    distance = 2 * EARTH_RADIUS_KM * F.asin(F.sqrt(F.least(h, F.lit(1.0))))
    return F.when(_has_position(), distance)  # without a position, F.least ignores null and returns 1
