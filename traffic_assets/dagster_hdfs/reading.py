"""Reading of published generations with Spark, for IO managers and for notebooks.

`publish.py` determines the current generation of a partition. This module does not import dagster, and imports pyspark
only inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.errors import storage_errors
from traffic_assets.dagster_hdfs.generation import ROWS, TIMESTAMP, generations_within
from traffic_assets.dagster_hdfs.inventory import damage_error, require_whole
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.uris import redact, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


def read_current(
    spark: SparkSession,
    uri: str,
    start: str | None = None,
    end: str | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> DataFrame:
    """Return the current data of a dataset, as one DataFrame with the partition key as a string column.

    Args:
        spark: Session to read with.
        uri: Root of the dataset, such as `hdfs://namenode:9000/traffic-data/processed/ml-features`.
        start: First partition key, inclusive; None for the first published one.
        end: Last partition key, inclusive; None for the last published one.
        since: First `timestamp`, inclusive, with a time zone; None for no limit. Partitions without a row from then on
            are not read.
        until: Last `timestamp`, exclusive, with a time zone; None for no limit.

    Raises:
        FileNotFoundError: If no partition between the two keys is published.
        ValueError: If `since` or `until` has no time zone.
        StorageError: If storage refuses a call or does not answer, or files are not as they were published.
    """
    if naive := [limit for limit in (since, until) if limit is not None and limit.tzinfo is None]:
        raise ValueError(messages.NAIVE_TIME(times=naive))
    dataset = Dataset(uri, filesystem_for(uri, lambda: spark))
    keys = dataset.partitions()
    chosen = [key for key in keys if (start is None or start <= key) and (end is None or key <= end)]
    if not keys:
        raise FileNotFoundError(messages.NOTHING_PUBLISHED(uri=redact(uri)))
    if not chosen:
        raise FileNotFoundError(
            messages.NOTHING_IN_RANGE(
                uri=redact(uri), start=start or keys[0], end=end or keys[-1], first=keys[0], last=keys[-1]
            )
        )
    generations = list(dataset.current_generations(chosen).values())
    rows = read_generations(spark, generations_within(generations, since, until) or generations[-1:])
    return _select_times(rows, since, until)


def read_generations(spark: SparkSession, generations: Sequence[Generation]) -> DataFrame:
    """Return the data of several generations of one dataset in one scan.

    The columns are those of the last generation; columns that an earlier one lacks are null there. The partition
    column, if the dataset has one, is added as a string. Folders that begin with `_` inside a generation are not read.

    Args:
        spark: Session to read with.
        generations: One or more generations of one dataset.

    Raises:
        ValueError: If the list is empty, or the generations have different roots or partition columns.
        StorageError: If storage refuses a call or does not answer, or files are not as they were published. Spark reads
            data when an action runs, so the action belongs in a `storage_errors` block too.
    """
    root, _ = _require_one_layout(generations)
    require_whole(generations, filesystem_for(root, lambda: spark))
    rows = scan_generations(spark, generations)
    require_rows(spark, generations)
    return rows


def scan_generations(spark: SparkSession, generations: Sequence[Generation]) -> DataFrame:
    """Return what `read_generations` returns, without a comparison of the files with the records."""
    from pyspark.sql.types import StringType, StructType

    root, column = _require_one_layout(generations)
    # an explicit schema saves Spark from opening every folder, and keeps the key 007 a string
    schema = read_schema(spark, generations[-1])
    with storage_errors(root):
        reader = spark.read
        if column:
            schema = StructType([field for field in schema if field.name != column]).add(column, StringType())
            reader = reader.option("basePath", root)
        return reader.schema(schema).parquet(*(generation.uri for generation in generations))


def require_rows(spark: SparkSession, generations: Sequence[Generation]) -> None:
    """Raise if a generation of earlier code, whose record lists no files, has another number of rows than its record.

    Spark counts the rows by the Parquet footers.

    Raises:
        StorageError: If a number of rows differs, storage refuses a call, or it does not answer.
    """
    recorded = {g.uri: g.record[ROWS] for g in generations if g.files is None and ROWS in g.record}
    unlisted = [generation for generation in generations if generation.uri in recorded]
    if not unlisted or _count_rows(spark, unlisted) == sum(recorded.values()):
        return
    counts = {generation.uri: _count_rows(spark, [generation]) for generation in unlisted}
    wrong = {uri: f"{count} rows, {recorded[uri]} recorded" for uri, count in counts.items() if count != recorded[uri]}
    raise damage_error(generations, {uri: {uri: text} for uri, text in wrong.items()})


def _count_rows(spark: SparkSession, generations: Sequence[Generation]) -> int:
    with storage_errors(generations[0].uri):
        return scan_generations(spark, generations).count()


def recorded_schema(schema: StructType) -> list[dict[str, str]]:
    """Return name and type of each column, as a record stores them."""
    return [{"name": field.name, "type": field.dataType.simpleString()} for field in schema.fields]


def read_schema(spark: SparkSession, generation: Generation) -> StructType:
    """Return the columns of a generation of DataFrames from its record, otherwise from its files.

    Raises:
        StorageError: If storage refuses a call or does not answer while the files are read.
    """
    from pyspark.errors import ParseException
    from pyspark.sql.types import StructType

    if recorded := generation.record.get("schema"):
        quoted = ", ".join(f"`{c['name'].replace('`', '``')}` {c['type']}" for c in recorded)
        with suppress(ParseException):  # a user-defined type, such as a vector, has no name in SQL
            schema = StructType.fromDDL(quoted)
            assert isinstance(schema, StructType)
            return schema
    with storage_errors(generation.uri):
        return spark.read.parquet(generation.uri).schema


def _select_times(rows: DataFrame, since: datetime | None, until: datetime | None) -> DataFrame:
    from pyspark.sql import functions as F

    if since is not None:
        rows = rows.where(F.col(TIMESTAMP) >= F.lit(since))
    if until is not None:
        rows = rows.where(F.col(TIMESTAMP) < F.lit(until))
    return rows


def _require_one_layout(generations: Sequence[Generation]) -> tuple[str, str]:
    """Return the root and the partition column of some generations ("" without one), or raise if they differ."""
    layouts = {_layout(generation) for generation in generations}
    if not layouts:
        raise ValueError(messages.NO_GENERATIONS())
    if len(layouts) > 1:
        described = sorted(f"{redact(root)} by {column or 'no column'}" for root, column in layouts)
        raise ValueError(messages.DIFFERENT_LAYOUTS(count=len(generations), layouts=described))
    return layouts.pop()


def _layout(generation: Generation) -> tuple[str, str]:
    """Return the folder of all generations, and the partition column ("" if there is none)."""
    folder, _ = split(generation.uri)
    root, partition_dir = split(folder)
    return root, partition_dir.removesuffix(generation.partition).removesuffix("=")
