"""Ingestion of some days of input: good rows, quarantined rows, their counts, and refused days.

One Spark pass reads the input and caches it for the writes that follow. Not here: reading files (`readers.py`),
validating rows (`validation.py`), and publishing (the IO manager).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import feature_table_columns
from traffic_assets.catalogue.readings import KEYS, READING_COLUMNS, REQUIRED_READING_COLUMNS
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.messages import readings as messages
from traffic_assets.readings.completeness import Completeness
from traffic_assets.readings.readers import (
    InputError,
    Part,
    Source,
    find_broken_parts,
    problem_text,
    require_same_types,
)
from traffic_assets.readings.validation import (
    REASON,
    UNPARSABLE,
    UNPARSABLE_TIMESTAMP,
    mark_duplicates,
    require_columns,
    validate_rows,
)
from traffic_assets.settings.data import DataSettings


@dataclass(frozen=True)
class Ingested:
    """Validated days.

    Bad rows `without_day` in `counts` are counted with the first day, but may belong to any.

    Attributes:
        rows: Good rows with `date`, in the catalogue's columns and types.
        quarantined: Bad rows with `date` and `_reason`.
        counts: Number of good rows, bad rows, bad rows by reason, and rows without the target, by day.
        completeness: Completeness of the good rows, by day.
        target_completeness: Completeness of the good rows with the target, by day.
        refused: Reason for each day that must not be published.
        missing_columns: Columns of the catalogue that at least one day lacks.
        missing_by_day: Those that a day lacks, by day.
        cut_off: Text files that end within a row.
        cached: Rows to unpersist once `rows` and `quarantined` are written.
        formats: Format of the files by day; days without files are absent.
    """

    rows: DataFrame
    quarantined: DataFrame
    counts: dict[str, dict[str, Any]]
    completeness: dict[str, Completeness]
    target_completeness: dict[str, Completeness]
    refused: dict[str, str]
    missing_columns: list[str]
    missing_by_day: dict[str, list[str]]
    cut_off: list[str]
    cached: DataFrame
    formats: dict[str, str]


@dataclass(frozen=True)
class _Input:
    """Source and days to read, and the columns to validate.

    Attributes:
        spark: Spark session.
        source: Files that users provide.
        days: Local days to read.
        data: Settings of the input.
        columns: Columns of the catalogue to return.
        required: Columns that every file must have.
    """

    spark: SparkSession
    source: Source
    days: Sequence[str]
    data: DataSettings
    columns: Sequence[Column]
    required: Sequence[str]


def ingest_readings(spark: SparkSession, source: Source, days: Sequence[str], data: DataSettings) -> Ingested:
    """Read and validate the readings of some local days.

    Raises:
        InputError: If the source itself cannot be used. Problems of a single day are in `refused`.
    """
    return _ingest(_Input(spark, source, days, data, READING_COLUMNS, REQUIRED_READING_COLUMNS))


def ingest_feature_table(spark: SparkSession, source: Source, days: Sequence[str], data: DataSettings) -> Ingested:
    """Read a ready-made feature table's rows of some local days, and validate types and ranges.

    Only key and target are required; a feature that the table lacks is null and listed in `missing_columns`.
    Categorical columns are returned as text, because such a table may have names, codes or booleans.

    Raises:
        InputError: If the source itself cannot be used, as for `ingest_readings`.
    """
    columns = [replace(c, spark_type="string") if c.role == "categorical" else c for c in feature_table_columns()]
    return _ingest(_Input(spark, source, days, data, columns, REQUIRED_READING_COLUMNS))


def _ingest(request: _Input) -> Ingested:
    parts = request.source.parts(request.days)
    refused: dict[str, str] = {}
    missing: dict[str, set[str]] = {day: set() for day in request.days}
    while True:  # repeated without the day folders whose files turn out to be broken during the pass
        marked, unreadable, absent, formats = _mark_rows(request, parts)
        refused |= unreadable
        missing |= absent
        # Unpersist first: Spark finds a cached plan by its paths, and the files may have changed since.
        cached = marked.where(F.col("date").isin(list(request.days))).unpersist().persist()
        try:
            with storage_errors(request.source.uri):
                counted = _count_rows(cached)
            break
        except StorageError as error:
            cached.unpersist()
            broken = find_broken_parts(parts, error)
            if not broken:
                require_same_types(error)
                raise
            refused |= {day: problem_text(error) for part in broken for day in part.days or ()}
            parts = [part for part in parts if part not in broken]
    counts, own_reasons = _summarize_counts(counted, request.days, by_folder=all(part.days for part in parts))
    good = F.col(REASON).isNull()
    completeness, target_completeness = _measure_completeness(counted, request)
    return Ingested(
        rows=cached.where(good).drop(REASON, UNPARSABLE),
        quarantined=cached.where(~good).drop(UNPARSABLE),
        counts=counts,
        completeness=completeness,
        target_completeness=target_completeness,
        refused=_refuse_by_counts(request, counts, own_reasons, _list_unparsable(counted)) | refused,
        missing_columns=sorted(set().union(*missing.values())),
        missing_by_day={day: sorted(columns) for day, columns in missing.items()},
        cut_off=_find_cut_off(request.source, parts, refused),
        cached=cached,
        formats=formats,
    )


def _find_cut_off(source: Source, parts: Sequence[Part], refused: Mapping[str, str]) -> list[str]:
    """Return the text files that end within a row, of the days that are not refused anyway."""
    read = [part for part in parts if part.days is None or not set(part.days) & refused.keys()]
    return [file for part in read for file in source.find_cut_off(part)]


def _count_rows(rows: DataFrame) -> list[Row]:
    """Count the rows and sensors of each day and reason, in one pass."""
    by_sensor = rows.groupBy("date", REASON, "sensor_id").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(F.col("speed").isNull()).alias("without_target"),
        F.count_if(F.col("timestamp").isNull()).alias("without_timestamp"),
        F.min(UNPARSABLE).alias("unparsable"),
    )
    with_target = F.col("rows") > F.col("without_target")
    sums = [F.sum(name).alias(name) for name in ("rows", "without_target", "without_timestamp")]
    return (
        by_sensor.groupBy("date", REASON)
        .agg(
            *sums,
            F.count("sensor_id").alias("sensors"),
            F.count_if(with_target & F.col("sensor_id").isNotNull()).alias("sensors_with_target"),
            F.min("unparsable").alias("unparsable"),
        )
        .collect()
    )


def _measure_completeness(
    counted: Sequence[Row], request: _Input
) -> tuple[dict[str, Completeness], dict[str, Completeness]]:
    """Return the completeness of each day's good rows, and of those with the target."""
    zone, minutes = request.data.zone, request.data.interval_minutes
    intervals = {day: clock.intervals_of_day(day, zone, minutes) for day in request.days}
    every = {day: Completeness(0, 0, number) for day, number in intervals.items()}
    with_target = dict(every)
    for row in counted:
        if row[REASON] is None:
            number = intervals[row["date"]]
            every[row["date"]] = Completeness(row["rows"], row["sensors"], number)
            rows = row["rows"] - row["without_target"]
            with_target[row["date"]] = Completeness(rows, row["sensors_with_target"], number)
    return every, with_target


def _list_unparsable(counted: Sequence[Row]) -> dict[str, str]:
    """Return the text of an unparsable timestamp, for each day with one."""
    return {row["date"]: row["unparsable"] for row in counted if row["unparsable"] is not None}


def _summarize_counts(
    counted: Sequence[Row], days: Sequence[str], by_folder: bool
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, int]]]:
    """Summarize the counts of `_count_rows` by day.

    Args:
        counted: Number of rows by day and reason.
        days: Local days, including those without rows.
        by_folder: True if a row's day is known from its folder even without a timestamp.

    Returns:
        The counts of each day, and the reasons of those bad rows that certainly belong to it.
    """
    counts: dict[str, dict[str, Any]] = {
        day: {"rows": 0, "quarantined": 0, "without_target": 0, "without_day": 0, "reasons": {}} for day in days
    }
    own_reasons: dict[str, dict[str, int]] = {day: {} for day in days}
    for row in counted:
        count = counts[row["date"]]
        if row[REASON] is None:
            count["rows"] += row["rows"]
            count["without_target"] += row["without_target"]
        else:
            count["quarantined"] += row["rows"]
            count["reasons"][row[REASON]] = row["rows"]
            without_day = 0 if by_folder else row["without_timestamp"]
            count["without_day"] += without_day
            if row["rows"] > without_day:
                own_reasons[row["date"]][row[REASON]] = row["rows"] - without_day
    return counts, own_reasons


def _refuse_by_counts(
    request: _Input,
    counts: Mapping[str, Mapping[str, Any]],
    own_reasons: Mapping[str, Mapping[str, int]],
    unparsable: Mapping[str, str],
) -> dict[str, str]:
    """Return the days with too many bad rows, or all days if no timestamp can be read, with the reason.

    Args:
        request: Source, days and settings.
        counts: Number of rows by day.
        own_reasons: Reasons of the bad rows that certainly belong to a day.
        unparsable: Text of an unparsable timestamp, by day.
    """
    without_day = sum(count["without_day"] for count in counts.values())
    if without_day == sum(count["rows"] + count["quarantined"] for count in counts.values()) > 0:
        value = next(iter(unparsable.values()), None)
        text = messages.UNREADABLE_TIMESTAMPS(rows=without_day, uri=request.source.uri, value=value)
        return dict.fromkeys(request.days, text)
    refused: dict[str, str] = {}
    allowed = request.data.max_bad_share
    for day, reasons in own_reasons.items():
        bad = sum(reasons.values())
        total = counts[day]["rows"] + bad
        if bad > allowed * total:
            worst_first = [f"{n} x {reason}" for reason, n in sorted(reasons.items(), key=lambda item: -item[1])]
            facts = {"bad": bad, "rows": total, "reasons": worst_first, "allowed": allowed}
            if UNPARSABLE_TIMESTAMP in reasons and day in unparsable:
                formats = request.data.timestamp_formats
                refused[day] = messages.UNPARSABLE_TIMESTAMPS(**facts, value=unparsable[day], formats=formats)
            else:
                refused[day] = messages.TOO_MANY_BAD_ROWS(**facts)
    return refused


def _mark_rows(
    request: _Input, parts: Sequence[Part]
) -> tuple[DataFrame, dict[str, str], dict[str, set[str]], dict[str, str]]:
    """Read and validate parts.

    Returns:
        Every row with its local day and the reason that makes it bad; the reason for each refused day; the catalogue's
        columns that each day lacks; and the format of the files by day.

    Raises:
        InputError: If a part without days cannot be used.
    """
    read, refused = request.source.read_all(request.spark, parts)
    names = [c.name for c in request.columns]
    frames: list[DataFrame] = []
    formats = {day: str(part.format) for part, _ in read for day in part.days or request.days}
    missing: dict[str, set[str]] = {}
    for part, frame in read:
        try:
            require_columns(frame, request.required, part.place)
            validated = validate_rows(frame, request.columns, request.data, part.place)
        except InputError as error:
            if part.days is None:
                raise
            refused |= {day: problem_text(error) for day in part.days}
            continue
        missing |= {day: set(names) - set(frame.columns) for day in part.days or request.days}
        frames.append(_add_local_day(validated, part, request.days, request.data))
    if frames:
        rows = frames[0]
        for frame in frames[1:]:
            rows = rows.unionByName(frame)
    else:
        schema = ", ".join(f"{c.name} {c.spark_type}" for c in request.columns)
        rows = request.spark.createDataFrame([], f"{schema}, {REASON} string, {UNPARSABLE} string, date string")
    order = [name for name in names if name not in KEYS]
    return mark_duplicates(rows, KEYS, order), refused, missing, formats


def _add_local_day(rows: DataFrame, part: Part, days: Sequence[str], data: DataSettings) -> DataFrame:
    """Add the local day to every row, so that each is counted.

    A row in a day folder belongs to that day, and is bad if its timestamp is on another day. In other layouts, a row
    with an unreadable timestamp is counted with the first of `days`. It does not count in that day's share of bad rows.
    """
    own_day = clock.local_day("timestamp", data.zone)
    if part.days is None:
        return rows.withColumn("date", F.coalesce(own_day, F.lit(days[0])))
    folder_day = F.regexp_extract(F.input_file_name(), r"date=(\d{4}-\d{2}-\d{2})", 1)
    if len(part.days) == 1:
        folder_day = F.lit(part.days[0])
    elsewhere = F.when(own_day != folder_day, F.lit("timestamp: not of the folder's local day"))
    return rows.withColumns({"date": folder_day, REASON: F.coalesce(F.col(REASON), elsewhere)})
