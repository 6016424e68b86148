"""Which cores a fit has: all of this machine, or those that Spark counts for a task."""

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyspark.sql import SparkSession

_ALL_CORES = threading.Lock()


def is_local(spark: SparkSession) -> bool:
    """Whether Spark's tasks are threads of one JVM on this machine."""
    master = spark.sparkContext.master or ""
    return master == "local" or master.startswith("local[")


def task_threads(spark: SparkSession) -> int:
    """How many threads a task may have that is alone: of a local session all cores, elsewhere `spark.task.cpus`."""
    if is_local(spark):
        return min(spark.sparkContext.defaultParallelism, os.cpu_count() or 1)
    return int(spark.sparkContext.getConf().get("spark.task.cpus") or 1)


def all_cores(spark: SparkSession) -> AbstractContextManager[Any]:
    """Held by a task that has all cores of a local session; elsewhere nothing is held.

    Of two at the same time each would wait, at every step of every tree, for a thread that the other one keeps from a
    core: folds at the same time took four times as long.
    """
    return _ALL_CORES if is_local(spark) else nullcontext()
