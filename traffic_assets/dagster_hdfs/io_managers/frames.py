"""Spark DataFrames as Parquet."""

from collections.abc import Sequence
from typing import Any

from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.reading import read_generations, read_schema, recorded_schema


class DataFrameIOManager(HdfsIOManager):
    """Spark DataFrames as Parquet.

    With a partition column, the DataFrame contains that column, and one Spark job writes every partition. A partition
    without rows is published as a file of 0 rows with the schema.
    """

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        from pyspark.sql import functions as F

        column = self.partition_column
        if column is None:
            value.write.parquet(folder)
            rows = {partitions[0]: value.sparkSession.read.parquet(folder).count()}  # from the footers
            schema = value.schema
        else:
            # one file for each partition: hash the rows of a partition to one task
            selected = value.where(F.col(column).isin(list(partitions)))
            selected.repartition(len(partitions), column).write.partitionBy(column).parquet(folder)
            schema = value.drop(column).schema
            reader = value.sparkSession.read.schema(value.select(*schema.names, column).schema)
            rows = {r[column]: r["count"] for r in reader.parquet(folder).groupBy(column).count().collect()}
            for key in partitions:
                if key not in rows:
                    empty = value.sparkSession.createDataFrame([], schema)
                    empty.coalesce(1).write.parquet(self._folder(folder, key))
        return {key: {"rows": rows.get(key, 0), "schema": recorded_schema(schema)} for key in partitions}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        spark = self.storage.spark.session
        if subfolder is not None:
            (generation,) = generations
            return spark.read.schema(read_schema(spark, generation)).parquet(f"{generation.uri}/{subfolder}")
        return read_generations(spark, generations)
