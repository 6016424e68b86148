"""The sensor table: one row per sensor with position, highway, lanes and the features that are fixed for it.

These features are highway code, cluster, scaled position, distance from the centre and free-flow speed. Codes never
change; a new highway gets the next free one. Not here: storage (the asset `sensor_table`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.fingerprint import Fingerprint, sensors_fingerprint, short_hash
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import LAYOUT_FINGERPRINT, SENSOR_COLUMNS
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.features.sensor_change import FREE_FLOW, Change, find_change, find_lost_values
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
        unknown: Sensors that lost a value, because it depends on a changed setting and their files are gone, by column.
        fingerprint: What the table depends on; None for a table of earlier code.
    """

    rows: DataFrame
    record: dict[str, Any]
    refused: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, list[str]] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None


def build_sensor_table(
    spark: SparkSession,
    source: Source,
    data: DataSettings,
    previous: SensorTable | None = None,
) -> SensorTable:
    """Build the sensor table from metadata or readings, or extend the previous one.

    A source of day folders is read incrementally: only folders that are new, or whose files have changed in name, size
    or time. All folders are read again if the previous table was built with other settings, by code with another
    content version, or by code that recorded no fingerprint. A folder that cannot be used is left out and does not
    affect other days.

    Args:
        spark: Spark session.
        source: Sensor metadata, or readings with the same columns.
        data: Settings of free flow, centre and time zone.
        previous: Previous table. Its codes are kept, and so are sensors that the source no longer has, without the
            values that depend on a changed setting.

    Raises:
        InputError: If the source has no sensor_id, or no part of it can be used.
        StorageError: If storage fails, and the cause is not a single day folder.
    """
    folders = source.fingerprints()
    change = find_change(previous.fingerprint, data) if previous else Change()
    seen = previous.record["folders_seen"] if previous else {}
    changed = [day for day, fingerprint in folders.items() if seen.get(day) != fingerprint] if folders else None
    if previous is not None and changed == [] and not change:
        return previous
    seen = {} if change.read_again else seen
    parts = source.parts(list(folders) if folders and change.read_again else changed)
    described = _collect_descriptions(spark, source, data, parts, previous, replace(change, days=changed))
    if described.rows is None:
        if previous is None:
            raise InputError(messages.NO_USABLE_DAY(uri=source.uri, reasons=described.refused))
        return replace(previous, refused=described.refused)
    facts = _summarize(described.rows)
    codes = _assign_codes(described.rows, previous.record["highway_codes"] if previous else {})
    mean = (facts["mean_latitude"], facts["mean_longitude"])
    center = data.center or mean
    rows = described.rows.withColumns(
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
        "mean_position": list(mean),
        LAYOUT_FINGERPRINT: _layout_fingerprint(sensors, [*box, *center]),
        "clusters": min(CLUSTERS, facts["positioned"]),
        "highway_codes": codes,
        "folders_seen": seen
        | {day: fingerprint for day, fingerprint in folders.items() if day not in described.refused},
    }
    return SensorTable(
        spark.createDataFrame(sensors, rows.schema).coalesce(1),
        record,
        described.refused,
        described.unknown,
        sensors_fingerprint(data, described.format, center),
    )


class _Described(NamedTuple):
    """Sensors before derived columns.

    Attributes:
        rows: One row per sensor, or None if no part can be used.
        refused: Reason for each day that is left out.
        unknown: Sensors that lost a value, by column.
        format: Formats of the files that were read, or None.
    """

    rows: DataFrame | None
    refused: dict[str, str]
    unknown: dict[str, list[str]]
    format: str | None


def _collect_descriptions(
    spark: SparkSession,
    source: Source,
    data: DataSettings,
    parts: Sequence[Part],
    previous: SensorTable | None,
    change: Change,
) -> _Described:
    """Describe the sensors of some parts and of the previous table."""
    if previous is not None and not parts:  # only derived columns change
        return _Described(previous.rows.select("sensor_id", *_DESCRIPTION, "free_flow_speed"), {}, {}, None)
    refused = dict[str, str]()
    while True:  # repeated without the day folders whose files turn out to be broken during the pass
        new, unusable, formats = _describe_sensors(spark, source, data, parts)
        refused |= unusable
        if new is None:
            return _Described(None, refused, {}, formats)
        latest = None
        if change.read_again and not change.rebuilt and change.days is not None:
            own = [part for part in parts if set(part.days or ()) & set(change.days)]
            latest, _, _ = _describe_sensors(spark, source, data, own)
            latest = new.limit(0) if latest is None else latest
        merged = new if previous is None else _merge(previous.rows, new, latest, change)
        try:
            # Rows are collected, because Spark would reuse a cached plan after the files have changed.
            with storage_errors(source.uri):
                rows = merged.collect()
                unknown = find_lost_values(previous.rows.collect(), rows, change) if previous else {}
                return _Described(spark.createDataFrame(rows, merged.schema), refused, unknown, formats)
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
) -> tuple[DataFrame | None, dict[str, str], str | None]:
    """Read parts and aggregate them by sensor.

    Returns:
        Rows with sensor_id, description and free-flow speed, or None if no part can be used; the reason for each day
        that is left out; and the formats of the files. The speed is in mph, and null if it is unknown or not configured
        per sensor.
    """
    by_name = {c.name: c for c in (*SENSOR_COLUMNS, *READING_COLUMNS)}
    read, refused = source.read_all(spark, parts)
    formats = ", ".join(sorted({str(part.format) for part, _ in read})) or None
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
        return None, refused, formats
    rows = frames[0]
    for frame in frames[1:]:
        rows = rows.unionByName(frame)
    hour = F.hour(clock.local_time("timestamp", data.zone))
    night = F.when((hour >= _NIGHT_HOURS[0]) & (hour < _NIGHT_HOURS[1]), F.col("speed"))
    free_flow = F.percentile_approx(night, 0.85) if data.free_flow_speed == "per_sensor" else F.lit(None).cast("double")
    described = rows.groupBy("sensor_id").agg(
        *(F.max(c).alias(c) for c in _DESCRIPTION), free_flow.alias("free_flow_speed")
    )
    return described, refused, formats


def _merge(previous: DataFrame, new: DataFrame, latest: DataFrame | None, change: Change) -> DataFrame:
    """Return the sensors of both tables.

    New descriptions replace old ones. Free-flow speeds are kept unless the table is rebuilt. Old values that depend on
    a changed setting are dropped.

    Args:
        previous: Rows of the previous table.
        new: Sensors of the files that were read.
        latest: Sensors of new and changed files, if `new` also comes from files that the previous table had read.
        change: What changed since the previous table.
    """
    columns = (*_DESCRIPTION, FREE_FLOW)
    both = new.join(_add_prefix(previous, columns, "old"), "sensor_id", "full")
    if latest is not None:
        both = both.join(_add_prefix(latest, columns, "latest"), "sensor_id", "left")

    def value(column: str) -> Column:
        old, read = F.col(f"old_{column}"), F.col(column)
        if column in change.stale:
            return read
        if change.rebuilt:
            return F.coalesce(read, old)
        if column == FREE_FLOW:
            return F.coalesce(old, read)
        return F.coalesce(read, old) if latest is None else F.coalesce(f"latest_{column}", old, read)

    return both.select("sensor_id", *(value(column).alias(column) for column in columns))


def _add_prefix(rows: DataFrame, columns: Sequence[str], prefix: str) -> DataFrame:
    return rows.select("sensor_id", *(F.col(c).alias(f"{prefix}_{c}") for c in columns))


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
    return short_hash(inputs)


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
