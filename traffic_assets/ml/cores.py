"""Which cores a fit has: all of this machine, or those that Spark counts for a task."""

import os

from pyspark.sql import SparkSession


def is_local(spark: SparkSession) -> bool:
    """Whether Spark's tasks are threads of one JVM on this machine."""
    master = spark.sparkContext.master or ""
    return master == "local" or master.startswith("local[")


def threads_of_a_task(spark: SparkSession) -> int:
    """How many threads a task may have that is alone: of a local session all cores, elsewhere `spark.task.cpus`."""
    if is_local(spark):
        return min(spark.sparkContext.defaultParallelism, os.cpu_count() or 1)
    return int(spark.sparkContext.getConf().get("spark.task.cpus") or 1)
