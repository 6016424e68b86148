"""What makes a row bad: types, ranges and duplicate keys, decided on Spark row by row.

Bad rows are quarantined with a reason, not repaired. Which days are then refused is decided in `ingestion.py`.
"""

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, MapType, StringType, StructType, TimestampNTZType

from traffic_assets.features.catalogue import Column as CatalogueColumn
from traffic_assets.features.readers import InputError
from traffic_assets.settings.schema import DataSettings

REASON = "_reason"
KM_PER_MILE = 1.609344
_HAS_ZONE = r"(Z|[+-]\d{2}:?\d{2}|[A-Za-z]+/[A-Za-z_]+)\s*$"


def require_columns(frame: DataFrame, required: Iterable[str], where: str) -> None:
    """Refuse input without the columns that nothing can be done without.

    Raises:
        InputError: naming the input, what is missing, and what is there.
    """
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise InputError(
            f"{where}: missing column(s) {', '.join(missing)}; found {', '.join(frame.columns)}. "
            f"Add them, or name what stands for them in data.aliases"
        )


def checked(frame: DataFrame, columns: Sequence[CatalogueColumn], data: DataSettings, where: str) -> DataFrame:
    """The columns in their types, and for each row the reason that makes it bad, or null.

    A column that the input lacks comes out null. Speeds are converted to mph, naive timestamps to UTC and
    floored to the start of their interval.

    Args:
        frame: rows under our column names, of any types.
        columns: what to take from the catalogue.
        data: units, time zone, interval.
        where: the input's name for messages.

    Returns:
        The columns and `_reason`.

    Raises:
        InputError: where a column has a type that no value of it could be.
    """
    present = {f.name: f.dataType for f in frame.schema.fields}
    values: dict[str, Column] = {}
    reasons: list[Column] = []
    for column in columns:
        if column.name not in present:
            values[column.name] = F.lit(None).cast(column.spark_type)
            continue
        if isinstance(present[column.name], ArrayType | MapType | StructType | BinaryType):
            raise InputError(
                f"{where}: column {column.name} is {present[column.name].simpleString()}; "
                f"{column.spark_type} is allowed"
            )
        given = F.col(column.name)
        value = (
            _timestamp(given, present[column.name], data)
            if column.spark_type == "timestamp"
            else given.try_cast(column.spark_type)
        )
        if column.name == "speed" and data.speed_unit == "km/h":
            value = value / KM_PER_MILE
        values[column.name] = value
        blank = F.trim(given.cast("string")) == "" if isinstance(present[column.name], StringType) else F.lit(False)
        reasons.append(F.when(given.isNotNull() & ~blank & value.isNull(), F.lit(f"{column.name}: unparsable")))
        reasons += _range_reasons(column, value)
        if column.role == "key":
            reasons.append(F.when(value.isNull() | (value.cast("string") == ""), F.lit(f"{column.name}: missing")))
    reason = F.coalesce(*reasons) if reasons else F.lit(None)
    return frame.select(*(v.alias(n) for n, v in values.items()), reason.cast("string").alias(REASON))


def _range_reasons(column: CatalogueColumn, value: Column) -> list[Column]:
    if column.spark_type not in ("double", "int"):
        return []
    found = []
    if column.spark_type == "double":
        found.append(F.when(F.isnan(value), F.lit(f"{column.name}: NaN")))
    low = F.lit(False) if column.low is None else value < column.low
    high = F.lit(False) if column.high is None else value > column.high
    limits = (
        f"{'-inf' if column.low is None else f'{column.low:g}'}..{'inf' if column.high is None else f'{column.high:g}'}"
    )
    found.append(F.when(low | high, F.lit(f"{column.name}: outside {limits} {column.unit}".strip())))
    return found


def _timestamp(given: Column, given_type: object, data: DataSettings) -> Column:
    """UTC, floored to the interval. The session's time zone is UTC, so a cast reads naive values as UTC."""
    value = given.try_cast("timestamp")
    naive = F.lit(False)
    if isinstance(given_type, StringType):
        formats = [F.try_to_timestamp(given, F.lit(f)) for f in data.timestamp_formats]
        value = F.coalesce(value, *formats)
        naive = ~given.rlike(_HAS_ZONE)
    elif isinstance(given_type, TimestampNTZType):
        naive = F.lit(True)
    if data.timestamps == "local":
        value = F.when(naive, F.to_utc_timestamp(value, data.time_zone)).otherwise(value)
    seconds = 60 * data.interval_minutes
    return F.timestamp_seconds(F.floor(value.cast("long") / seconds) * seconds)


def mark_duplicates(frame: DataFrame, keys: Sequence[str], order: Sequence[str]) -> DataFrame:
    """Give every good row but one of the same key a reason.

    The one that stays is the first by `order` with nulls last, whatever the order of the files.
    """
    first = Window.partitionBy(*keys, F.col(REASON).isNull()).orderBy(*(F.col(c).asc_nulls_last() for c in order))
    rank = F.row_number().over(first)
    duplicate = F.when(F.col(REASON).isNull() & (F.col("_rank") > 1), F.lit(f"duplicate key ({', '.join(keys)})"))
    return frame.withColumn("_rank", rank).withColumn(REASON, F.coalesce(F.col(REASON), duplicate)).drop("_rank")
