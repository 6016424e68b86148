"""Some days of input, validated: good rows, quarantined rows, the count of each, and the days refused.

One Spark pass over the input, kept for the writes that follow. The parts of it are in `readers.py` and
`validation.py`; publishing is the IO manager's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import feature_table_columns
from traffic_assets.catalogue.readings import KEYS, READING_COLUMNS, REQUIRED_READING_COLUMNS
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.messages import readings as messages
from traffic_assets.readings.readers import InputError, Part, Source, parts_named, problem_text
from traffic_assets.readings.validation import REASON, checked, mark_duplicates, require_columns
from traffic_assets.settings.data import DataSettings


@dataclass(frozen=True)
class Ingested:
    """Validated days.

    Attributes:
        rows: the good rows with `date`, in the catalogue's columns and types.
        quarantined: the bad rows with `date` and `_reason`.
        counts: by day, the number of good rows, bad rows, bad rows by reason, and rows without the target; of the
            bad rows those `without_day` are told with the first day, but may belong to any.
        refused: by day, why it is not to be published.
        missing_columns: catalogue columns that the input lacks in at least one day.
        cached: what to unpersist when rows and quarantined have been written.
    """

    rows: DataFrame
    quarantined: DataFrame
    counts: dict[str, dict[str, Any]]
    refused: dict[str, str]
    missing_columns: list[str]
    cached: DataFrame


def ingest_readings(spark: SparkSession, source: Source, days: Sequence[str], data: DataSettings) -> Ingested:
    """Raw readings of some local days.

    Raises:
        InputError: where the source itself cannot be used; what concerns one day only is in `refused`.
    """
    return _ingest(spark, source, days, data, READING_COLUMNS, REQUIRED_READING_COLUMNS)


def ingest_feature_table(spark: SparkSession, source: Source, days: Sequence[str], data: DataSettings) -> Ingested:
    """A ready-made feature table's rows of some local days, taken as they are and checked by type and range.

    Only key and target are required; a feature that the table lacks comes out null and is named. Categorical
    columns come out as text, since such a table may hold names, codes or booleans.

    Raises:
        InputError: as `ingest_readings`.
    """
    columns = [replace(c, spark_type="string") if c.role == "categorical" else c for c in feature_table_columns()]
    return _ingest(spark, source, days, data, columns, REQUIRED_READING_COLUMNS)


def _ingest(
    spark: SparkSession,
    source: Source,
    days: Sequence[str],
    data: DataSettings,
    columns: Sequence[Column],
    required: Sequence[str],
) -> Ingested:
    parts = source.parts(days)
    refused: dict[str, str] = {}
    missing: set[str] = set()
    while True:  # once, and once more for each day whose files break in the middle of the pass
        marked, unreadable, absent = _marked(spark, source, parts, days, data, columns, required)
        refused |= unreadable
        missing |= absent
        # unpersist first: Spark knows a cached plan by its paths, and the files may have changed since
        cached = marked.where(F.col("date").isin(list(days))).unpersist().persist()
        try:
            with storage_errors(source.uri):
                counted = (
                    cached.groupBy("date", REASON)
                    .agg(
                        F.count(F.lit(1)).alias("rows"),
                        F.count_if(F.col("speed").isNull()).alias("without_target"),
                        F.count_if(F.col("timestamp").isNull()).alias("without_timestamp"),
                    )
                    .collect()
                )
            break
        except StorageError as error:
            cached.unpersist()
            broken = parts_named(parts, error)
            if not broken:
                raise
            refused |= {day: problem_text(error) for part in broken for day in part.days or ()}
            parts = [part for part in parts if part not in broken]
    counts: dict[str, dict[str, Any]] = {
        day: {"rows": 0, "quarantined": 0, "without_target": 0, "without_day": 0, "reasons": {}} for day in days
    }
    own_reasons: dict[str, dict[str, int]] = {day: {} for day in days}
    folders = all(part.days for part in parts)
    for row in counted:
        count = counts[row["date"]]
        if row[REASON] is None:
            count["rows"] += row["rows"]
            count["without_target"] += row["without_target"]
        else:
            count["quarantined"] += row["rows"]
            count["reasons"][row[REASON]] = row["rows"]
            without_day = 0 if folders else row["without_timestamp"]
            count["without_day"] += without_day
            if row["rows"] > without_day:
                own_reasons[row["date"]][row[REASON]] = row["rows"] - without_day
    for day, reasons in own_reasons.items():
        bad = sum(reasons.values())
        total = counts[day]["rows"] + bad
        if bad > data.max_bad_share * total:
            worst = [f"{n} x {r}" for r, n in sorted(reasons.items(), key=lambda x: -x[1])]
            text = messages.TOO_MANY_BAD_ROWS(bad=bad, rows=total, reasons=worst, allowed=data.max_bad_share)
            refused.setdefault(day, text)
    without_day = sum(count["without_day"] for count in counts.values())
    if without_day == sum(count["rows"] + count["quarantined"] for count in counts.values()) > 0:
        refused |= dict.fromkeys(days, messages.UNREADABLE_TIMESTAMPS(rows=without_day, uri=source.uri))
    good = F.col(REASON).isNull()
    return Ingested(
        rows=cached.where(good).drop(REASON),
        quarantined=cached.where(~good),
        counts=counts,
        refused=refused,
        missing_columns=sorted(missing),
        cached=cached,
    )


def _marked(
    spark: SparkSession,
    source: Source,
    parts: Sequence[Part],
    days: Sequence[str],
    data: DataSettings,
    columns: Sequence[Column],
    required: Sequence[str],
) -> tuple[DataFrame, dict[str, str], set[str]]:
    """Every row with its local day and the reason that makes it bad; days refused; columns absent."""
    read, refused = source.read_all(spark, parts)
    names = [c.name for c in columns]
    frames: list[DataFrame] = []
    missing: set[str] = set()
    for part, frame in read:
        try:
            require_columns(frame, required, part.place)
            typed = checked(frame, columns, data, part.place)
        except InputError as error:
            if part.days is None:
                raise
            refused |= {day: problem_text(error) for day in part.days}
            continue
        missing |= set(names) - set(frame.columns)
        frames.append(_placed(typed, part, days, data))
    if frames:
        every = frames[0]
        for frame in frames[1:]:
            every = every.unionByName(frame)
    else:
        schema = ", ".join(f"{c.name} {c.spark_type}" for c in columns)
        every = spark.createDataFrame([], f"{schema}, {REASON} string, date string")
    order = [c.name for c in columns if c.name not in KEYS]
    return mark_duplicates(every, KEYS, order), refused, missing


def _placed(rows: DataFrame, part: Part, days: Sequence[str], data: DataSettings) -> DataFrame:
    """The rows with their local day. None is lost without being counted.

    A row in a day folder belongs to that day, and is bad where its timestamp says another. Elsewhere a row
    whose timestamp cannot be read is told with the first day asked for, whose share of bad rows it is none of.
    """
    own_day = clock.local_day("timestamp", data.zone)
    if part.days is None:
        return rows.withColumn("date", F.coalesce(own_day, F.lit(days[0])))
    folder_day = F.regexp_extract(F.input_file_name(), r"date=(\d{4}-\d{2}-\d{2})", 1)
    if len(part.days) == 1:
        folder_day = F.lit(part.days[0])
    elsewhere = F.when(own_day != folder_day, F.lit("timestamp: not of the folder's local day"))
    return rows.withColumns({"date": folder_day, REASON: F.coalesce(F.col(REASON), elsewhere)})
