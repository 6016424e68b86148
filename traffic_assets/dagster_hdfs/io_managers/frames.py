"""Spark DataFrames as Parquet."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from traffic_assets.dagster_hdfs.generation import ROWS, TIMESTAMP, TIMESTAMP_RANGE
from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.reading import read_schema, recorded_schema, require_rows, scan_generations

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DataFrameIOManager(HdfsIOManager):
    """Spark DataFrames as Parquet.

    With a partition column, the DataFrame contains that column, and one Spark job writes every partition. A partition
    without rows is published as a file of 0 rows with the schema.
    """

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        from pyspark.sql import functions as F

        column, spark = self.partition_column, value.sparkSession
        if column is None:
            schema = value.schema
            value.write.parquet(folder)
            facts = _read_facts(spark.read.schema(schema).parquet(folder), F.lit(partitions[0]))
        else:
            # one file for each partition: hash the rows of a partition to one task
            selected = value.where(F.col(column).isin(list(partitions)))
            selected.repartition(len(partitions), column).write.partitionBy(column).parquet(folder)
            schema = value.drop(column).schema
            reader = spark.read.schema(value.select(*schema.names, column).schema)
            facts = _read_facts(reader.parquet(folder), F.col(column))
            for key in partitions:
                if key not in facts:
                    empty = spark.createDataFrame([], schema)
                    empty.coalesce(1).write.parquet(self._folder(folder, key))
        no_rows = {ROWS: 0, TIMESTAMP_RANGE: None} if _has_timestamp(schema) else {ROWS: 0}
        return {key: {**facts.get(key, no_rows), "schema": recorded_schema(schema)} for key in partitions}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        spark = self.storage.spark.session
        require_rows(spark, generations)
        if subfolder is not None:
            (generation,) = generations
            return spark.read.schema(read_schema(spark, generation)).parquet(f"{generation.uri}/{subfolder}")
        return scan_generations(spark, generations)


def _read_facts(written: Any, partition: Any) -> dict[str, dict[str, Any]]:
    """Return the number of rows and the range of `timestamp` of each partition that has rows, in one Spark job.

    Without a column `timestamp`, Spark only reads the Parquet footers.

    Args:
        written: Rows as stored.
        partition: Column expression of the partition key.
    """
    from pyspark.sql import functions as F

    aggregates = {ROWS: F.count(F.lit(1))}
    if has_range := _has_timestamp(written.schema):
        aggregates |= {"first": F.unix_micros(F.min(TIMESTAMP)), "last": F.unix_micros(F.max(TIMESTAMP))}
    columns = [aggregate.alias(name) for name, aggregate in aggregates.items()]
    facts: dict[str, dict[str, Any]] = {}
    for row in written.groupBy(partition.alias("partition")).agg(*columns).collect():
        facts[row["partition"]] = {ROWS: row[ROWS]}
        if has_range:
            limits = [_EPOCH + timedelta(microseconds=row[at]) for at in ("first", "last") if row[at] is not None]
            facts[row["partition"]][TIMESTAMP_RANGE] = [at.isoformat() for at in limits] or None
    return facts


def _has_timestamp(schema: Any) -> bool:
    return any(field.name == TIMESTAMP and field.dataType.typeName() == "timestamp" for field in schema)
