"""Validation of rows on Spark: types, ranges and duplicate keys.

Bad rows get a reason for the quarantine and are not repaired. Not here: refusing whole days (`ingestion.py`).
"""

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DateType,
    MapType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from traffic_assets.catalogue import clock
from traffic_assets.catalogue.column import Column as CatalogueColumn
from traffic_assets.messages import readings as messages
from traffic_assets.readings.readers import InputError
from traffic_assets.settings.data import DataSettings

REASON = "_reason"
UNPARSABLE = "_unparsable"
"""Column with the text of an unparsable timestamp."""
UNPARSABLE_TIMESTAMP = "timestamp: unparsable"
"""Reason that makes a row with such a timestamp bad."""
KM_PER_MILE = 1.609344
_NESTED = (ArrayType, MapType, StructType, BinaryType)
_IMPOSSIBLE: dict[str, tuple[type, ...]] = {
    "string": _NESTED,
    "timestamp": (*_NESTED, BooleanType),
    "double": (*_NESTED, DateType, TimestampType, TimestampNTZType),
    "int": (*_NESTED, DateType, TimestampType, TimestampNTZType),
}
_PER_MILE = {"mph": KM_PER_MILE, "mph²": KM_PER_MILE**2}
_BEGINS_WITH_DATE = r"^\s*\d{4}-\d"  # Spark's cast accepts 12:30 too, and adds today's date
_ZONE_AFTER_TIME = r"\d:\d[\d:.]*\s*[A-Za-z+-]"
_ZONE_LETTERS = re.compile("[VzOXxZ]")


def require_columns(frame: DataFrame, required: Sequence[str], where: str) -> None:
    """Raise if required columns are missing.

    Args:
        frame: Rows with columns named as in the catalogue.
        required: Names of the columns.
        where: Location of the input for messages.

    Raises:
        InputError: If a column is missing.
    """
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise InputError(
            messages.MISSING_COLUMNS(path=where, columns=missing, required=list(required), present=frame.columns)
        )


def validate_rows(frame: DataFrame, columns: Sequence[CatalogueColumn], data: DataSettings, where: str) -> DataFrame:
    """Convert columns to the catalogue's types, and add the reason that makes a row bad.

    A column that the input lacks is null. Speeds are converted to mph. Naive timestamps are converted to UTC, and all
    are floored to the start of their local interval.

    Args:
        frame: Rows with columns named as in the catalogue, of any types.
        columns: Columns of the catalogue to return.
        data: Units, time zone and interval.
        where: Location of the input for messages.

    Returns:
        The columns; `_reason`, which is null for a good row; and `_unparsable`, the text of an unparsable timestamp.

    Raises:
        InputError: If no value of a column's type can be converted to the catalogue's type.
    """
    present = {f.name: f.dataType for f in frame.schema.fields}
    values: dict[str, Column] = {}
    reasons: list[Column] = []
    unparsable = F.lit(None)
    for column in columns:
        if column.name not in present:
            values[column.name] = F.lit(None).cast(column.spark_type)
            continue
        if isinstance(present[column.name], _IMPOSSIBLE[column.spark_type]):
            raise InputError(
                messages.WRONG_COLUMN_TYPE(
                    column=column.name,
                    path=where,
                    type=present[column.name].simpleString(),
                    allowed=column.spark_type,
                )
            )
        raw = F.col(column.name)
        if column.spark_type == "timestamp":
            value = _timestamp(raw, present[column.name], data)
        elif column.spark_type == "int":
            value = _integer(raw)
        else:
            value = raw.try_cast(column.spark_type)
        if column.unit in _PER_MILE and data.speed_unit == "km/h":
            value = value / _PER_MILE[column.unit]
        values[column.name] = value
        blank = F.trim(raw.cast("string")) == "" if isinstance(present[column.name], StringType) else F.lit(False)
        failed = raw.isNotNull() & ~blank & value.isNull()
        reasons.append(F.when(failed, F.lit(f"{column.name}: unparsable")))
        if column.spark_type == "timestamp":
            unparsable = F.when(failed, raw.cast("string"))
        reasons += _range_reasons(column, value)
        if column.role == "key":
            reasons.append(F.when(value.isNull() | (value.cast("string") == ""), F.lit(f"{column.name}: missing")))
    reason = F.coalesce(*reasons) if reasons else F.lit(None)
    return frame.select(
        *(value.alias(name) for name, value in values.items()),
        reason.cast("string").alias(REASON),
        unparsable.cast("string").alias(UNPARSABLE),
    )


def _range_reasons(column: CatalogueColumn, value: Column) -> list[Column]:
    if column.spark_type not in ("double", "int"):
        return []
    reasons = []
    if column.spark_type == "double":
        reasons.append(F.when(F.isnan(value), F.lit(f"{column.name}: NaN")))
        reasons.append(F.when(F.abs(value) == float("inf"), F.lit(f"{column.name}: infinite")))
    low = F.lit(False) if column.low is None else value < column.low
    high = F.lit(False) if column.high is None else value > column.high
    limits = (
        f"{'-inf' if column.low is None else f'{column.low:g}'}..{'inf' if column.high is None else f'{column.high:g}'}"
    )
    reasons.append(F.when(low | high, F.lit(f"{column.name}: outside {limits} {column.unit}".strip())))
    return reasons


def _timestamp(raw: Column, raw_type: object, data: DataSettings) -> Column:
    """Return UTC timestamps, floored to the local interval.

    The session's time zone is UTC, so a cast reads naive values as UTC.
    """

    def naive(value: Column) -> Column:
        return F.to_utc_timestamp(value, data.time_zone) if data.timestamps == "local" else value

    value = raw.try_cast("timestamp")
    if isinstance(raw_type, StringType):
        iso = F.when(raw.rlike(_BEGINS_WITH_DATE), value)
        formats = {f: F.try_to_timestamp(raw, F.lit(f)) for f in data.timestamp_formats}
        value = F.coalesce(
            F.when(raw.rlike(_ZONE_AFTER_TIME), iso).otherwise(naive(iso)),
            *(stamp if _has_zone(f) else naive(stamp) for f, stamp in formats.items()),
        )
    elif isinstance(raw_type, TimestampNTZType | DateType):
        value = naive(value)
    return clock.interval_start(value, data.zone, data.interval_minutes)


def _has_zone(timestamp_format: str) -> bool:
    return bool(_ZONE_LETTERS.search(re.sub("'[^']*'", "", timestamp_format)))


def _integer(raw: Column) -> Column:
    """Return an integer, including for 4.0: pandas writes integers like that if some are missing."""
    number = raw.try_cast("double")
    return F.when(number == F.rint(number), number).try_cast("int")


def mark_duplicates(frame: DataFrame, keys: Sequence[str], order: Sequence[str]) -> DataFrame:
    """Mark all good rows with the same key as bad, except the first by `order` with nulls last.

    The result does not depend on the order of the files.

    Args:
        frame: Rows with the column `_reason`.
        keys: Columns that identify a row.
        order: Columns to sort rows of the same key by.
    """
    first = Window.partitionBy(*keys, F.col(REASON).isNull()).orderBy(*(F.col(c).asc_nulls_last() for c in order))
    rank = F.row_number().over(first)
    duplicate = F.when(F.col(REASON).isNull() & (F.col("_rank") > 1), F.lit(f"duplicate key ({', '.join(keys)})"))
    return frame.withColumn("_rank", rank).withColumn(REASON, F.coalesce(F.col(REASON), duplicate)).drop("_rank")
