"""Reading published generations with Spark: what outsiders and IO managers use.

Which generation is current is decided in `publish.py`. Imports no dagster; pyspark only inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.errors import storage_errors
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.uris import redact, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


def read_current(spark: SparkSession, uri: str, start: str | None = None, end: str | None = None) -> DataFrame:
    """The current data of a dataset, as one DataFrame with the partition key as a string column.

    Args:
        spark: the session to read with.
        uri: the dataset's root, such as `hdfs://namenode:9000/traffic-data/processed/ml-features`.
        start: the first partition key, inclusive; None for the first published.
        end: the last partition key, inclusive; None for the last published.

    Raises:
        FileNotFoundError: nothing is published there between the two keys.
        StorageError: storage refused or did not answer.
    """
    dataset = Dataset(uri, filesystem_for(uri, lambda: spark))
    keys = dataset.partitions()
    chosen = [key for key in keys if (start is None or start <= key) and (end is None or key <= end)]
    if not chosen:
        there = f"published are {keys[0]} to {keys[-1]}" if keys else "no partition is published there"
        raise FileNotFoundError(
            f"Nothing is published in {redact(uri)} from {start or 'the first'} to "
            f"{end or 'the last'} partition: {there}"
        )
    return read_generations(spark, list(dataset.current_generations(chosen).values()))


def read_generations(spark: SparkSession, generations: Sequence[Generation]) -> DataFrame:
    """The data of generations of one dataset in one scan.

    Columns are those of the last generation: what an earlier one lacks is null there. Where the dataset has a
    partition column, it is added as a string. Folders that begin with `_` inside a generation are not read.

    Args:
        spark: the session to read with.
        generations: at least one, of one dataset.

    Raises:
        ValueError: there is none, or they do not share a root and partition column.
        StorageError: storage refused or did not answer. Spark reads data when an action runs, so put the
            action into `storage_errors` too.
    """
    from pyspark.sql.types import StringType, StructType

    layouts = {_layout(generation) for generation in generations}
    if len(layouts) != 1:
        raise ValueError(
            f"{len(generations)} generations with {len(layouts)} layouts (root and partition "
            f"column) cannot be read as one: {sorted(map(str, layouts))}; give one dataset's"
        )
    root, column = layouts.pop()
    # a given schema saves Spark a look into every folder, and keeps the key 007 from becoming a number
    schema = schema_of(spark, generations[-1])
    with storage_errors(root):
        reader = spark.read
        if column:
            schema = StructType([field for field in schema if field.name != column]).add(column, StringType())
            reader = reader.option("basePath", root)
        return reader.schema(schema).parquet(*(generation.uri for generation in generations))


def recorded_schema(schema: StructType) -> list[dict[str, str]]:
    """Columns as a record holds them, for `schema_of` and for people: name and type."""
    return [{"name": field.name, "type": field.dataType.simpleString()} for field in schema.fields]


def schema_of(spark: SparkSession, generation: Generation) -> StructType:
    """The columns of a generation of DataFrames, as its record has them, or else as its files do.

    Raises:
        StorageError: storage refused or did not answer, where the files are looked at.
    """
    from pyspark.errors import ParseException
    from pyspark.sql.types import StructType

    if recorded := generation.record.get("schema"):
        quoted = ", ".join(f"`{c['name'].replace('`', '``')}` {c['type']}" for c in recorded)
        with suppress(ParseException):  # a type of a user's own, such as a vector, has no name in SQL
            found = StructType.fromDDL(quoted)
            assert isinstance(found, StructType)
            return found
    with storage_errors(generation.uri):
        return spark.read.parquet(generation.uri).schema


def _layout(generation: Generation) -> tuple[str, str]:
    """The folder of all generations, and the partition column ("" where there is none)."""
    folder, _ = split(generation.uri)
    root, partition_dir = split(folder)
    return root, partition_dir.removesuffix(generation.partition).removesuffix("=")
