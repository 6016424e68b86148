"""The sensor table: position, highway and lanes of each sensor, and what is fixed for it.

One row a sensor with its codes, cluster, scaled position, distance from the centre and free-flow speed. Codes
never move: a newcomer's is appended. Its storage belongs to the `sensor_table` asset.
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
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.messages import features as messages
from traffic_assets.readings.readers import InputError, Part, Source, parts_named, problem_text
from traffic_assets.readings.validation import REASON, checked, require_columns
from traffic_assets.settings.data import DataSettings

CLUSTERS = 8
CLUSTER_SEED = 42
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
_NIGHT_HOURS = (0, 5)  # local; traffic flows freely
_GEOMETRY = ("lat_normalized", "lon_normalized", "distance_from_center", "highway_encoded", "sensor_cluster")
_GEOMETRY_DIGITS = 9  # what is summed in another order differs behind them
_DESCRIPTION = [c.name for c in SENSOR_COLUMNS if c.name != "sensor_id"]


@dataclass(frozen=True)
class SensorTable:
    """The sensor table and the facts that went into it.

    Attributes:
        rows: one row a sensor.
        record: number of sensors, bounding box, centre, clusters, the code of every highway there ever was, the
            `geometry` that tells tables apart whose features must not be mixed, and the fingerprints of the day folders
            seen so far (one that cannot be read is not seen, and tried again).
        refused: by day whose folder was left out of this build, why.
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
    """The sensor table from metadata or readings, extending the one before it.

    A source of day folders is read incrementally: only folders that are new, or whose files have changed in name,
    size or time. One that cannot be read or used is left out, so that it costs its own day only.

    Args:
        spark: the session.
        source: sensor metadata, or readings that carry the same columns.
        data: free-flow, centre and time-zone settings.
        previous: the table so far; its codes are kept, and its sensors where the source has them no more.

    Raises:
        InputError: where the source has no sensor_id, or nothing of it can be used.
        StorageError: where storage fails in a way that no single day folder is to blame for.
    """
    folders = source.fingerprints()
    # a table of an earlier version, without a geometry, is built from all folders again
    seen = previous.record["folders_seen"] if previous and "geometry" in previous.record else {}
    changed = [day for day, fingerprint in folders.items() if seen.get(day) != fingerprint] if folders else None
    if previous is not None and changed == []:
        return previous
    parts, refused = source.parts(changed), dict[str, str]()
    while True:  # once, and once more for each day whose files break in the middle of the pass
        new, unusable = _described(spark, source, data, parts)
        refused |= unusable
        if new is None:
            if previous is None:
                raise InputError(messages.NO_USABLE_DAY(uri=source.uri, reasons=refused))
            return replace(previous, refused=refused)
        merged = new if previous is None else _merged(previous.rows, new)
        try:
            with storage_errors(source.uri):  # a cached plan would be found again after the files have changed
                described = spark.createDataFrame(merged.collect(), merged.schema)
            break
        except StorageError as error:
            broken = parts_named(parts, error)
            if not broken:
                raise
            refused |= {day: problem_text(error) for part in broken for day in part.days or ()}
            parts = [part for part in parts if part not in broken]
    summary = described.agg(
        F.count(F.lit(1)).alias("sensors"),
        *(
            f(c).alias(f"{n}_{c}")
            for c in ("latitude", "longitude")
            for n, f in (("min", F.min), ("max", F.max), ("mean", F.avg))
        ),
        F.count_if(_has_position()).alias("positioned"),
        F.count_if(F.col("lanes").isNull()).alias("without_lanes"),
    )
    facts = summary.collect()[0].asDict()
    codes = _codes(described, previous.record["highway_codes"] if previous else {})
    center = data.center or (facts["mean_latitude"], facts["mean_longitude"])
    rows = described.withColumns(
        {
            "lat_normalized": _scaled("latitude", facts["min_latitude"], facts["max_latitude"]),
            "lon_normalized": _scaled("longitude", facts["min_longitude"], facts["max_longitude"]),
            "distance_from_center": _great_circle_km(center) if None not in center else F.lit(None).cast("double"),
        }
    )
    coded = spark.createDataFrame(list(codes.items()), "highway string, highway_encoded int")
    rows = _with_clusters(rows.join(F.broadcast(coded), "highway", "left"), facts["positioned"])
    sensors = rows.orderBy("sensor_id").collect()
    box = [facts[k] for k in ("min_latitude", "min_longitude", "max_latitude", "max_longitude")]
    record = {
        "sensors": facts["sensors"],
        "sensors_without_position": facts["sensors"] - facts["positioned"],
        "sensors_without_lanes": facts["without_lanes"],
        "bounding_box": box,
        "center": list(center),
        "geometry": _layout_fingerprint(sensors, [*box, *center]),
        "clusters": min(CLUSTERS, facts["positioned"]),
        "highway_codes": codes,
        "folders_seen": seen | {day: fingerprint for day, fingerprint in folders.items() if day not in refused},
    }
    return SensorTable(spark.createDataFrame(sensors, rows.schema).coalesce(1), record, refused)


def _described(
    spark: SparkSession, source: Source, data: DataSettings, parts: Sequence[Part]
) -> tuple[DataFrame | None, dict[str, str]]:
    """sensor_id, its description and free-flow speed (mph, null where it is not asked for or not known).

    None where no day can be used; and by day that cannot, why.
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
            good = checked(frame, columns, data, part.place).where(F.col(REASON).isNull())
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
    every = frames[0]
    for frame in frames[1:]:
        every = every.unionByName(frame)
    hour = F.hour(clock.local_time("timestamp", data.zone))
    night = F.when((hour >= _NIGHT_HOURS[0]) & (hour < _NIGHT_HOURS[1]), F.col("speed"))
    free_flow = F.percentile_approx(night, 0.85) if data.free_flow_speed == "per_sensor" else F.lit(None).cast("double")
    described = every.groupBy("sensor_id").agg(
        *(F.max(c).alias(c) for c in _DESCRIPTION), free_flow.alias("free_flow_speed")
    )
    return described, refused


def _merged(previous: DataFrame, new: DataFrame) -> DataFrame:
    """Sensors of both; a new description wins, a known free-flow speed stays."""
    old = previous.select("sensor_id", *(F.col(c).alias(f"old_{c}") for c in (*_DESCRIPTION, "free_flow_speed")))
    both = new.join(old, "sensor_id", "full")
    return both.select(
        "sensor_id",
        *(F.coalesce(c, f"old_{c}").alias(c) for c in _DESCRIPTION),
        F.coalesce("old_free_flow_speed", "free_flow_speed").alias("free_flow_speed"),
    )


def _codes(rows: DataFrame, known: dict[str, int]) -> dict[str, int]:
    """Codes in name order at the first build; later names follow in name order behind all that were ever given."""
    found = {row["highway"] for row in rows.select("highway").distinct().collect()}
    newcomers = sorted(found - {None} - known.keys())
    return known | {highway: code for code, highway in enumerate(newcomers, max(known.values(), default=-1) + 1)}


def _with_clusters(rows: DataFrame, positioned: int) -> DataFrame:
    """k-means on position (Spark MLlib, k-means||, seed 42); null without a position."""
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
    """A short hash of what the features of position and highway are made from.

    Args:
        sensors: the rows of the table in the order of their names.
        frame: box and centre.
    """

    def rounded(values: Sequence[Any]) -> list[Any]:
        return [round(v, _GEOMETRY_DIGITS) if isinstance(v, float) else v for v in values]

    made_of = [rounded(frame), *([row["sensor_id"], *rounded([row[c] for c in _GEOMETRY])] for row in sensors)]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


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
    distance = 2 * EARTH_RADIUS_KM * F.asin(F.sqrt(F.least(h, F.lit(1.0))))
    return F.when(_has_position(), distance)  # of null and 1, the least is 1
