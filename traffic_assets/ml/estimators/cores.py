"""Cores of a fit: all of this machine, or those that Spark assigns to a task."""

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyspark.sql import SparkSession

_ALL_CORES = threading.Lock()


def is_local(spark: SparkSession) -> bool:
    """Return True if Spark's tasks are threads of one JVM on this machine."""
    master = spark.sparkContext.master or ""
    return master == "local" or master.startswith("local[")


def task_threads(spark: SparkSession) -> int:
    """Return the threads of a task that runs alone: all cores in a local session, otherwise `spark.task.cpus`."""
    if is_local(spark):
        return min(spark.sparkContext.defaultParallelism, os.cpu_count() or 1)
    return int(spark.sparkContext.getConf().get("spark.task.cpus") or 1)


def all_cores(spark: SparkSession) -> AbstractContextManager[Any]:
    """Return the lock on all cores in a local session; otherwise a context manager that does nothing.

    Two concurrent fits that use all cores delay each other at every step of every tree: folds took four times as long.
    """
    return _ALL_CORES if is_local(spark) else nullcontext()
