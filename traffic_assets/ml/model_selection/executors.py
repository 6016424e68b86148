"""Executors for work on Spark: threads that inherit the caller's Spark properties, or the calling thread itself."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession


class CallingThread(Executor):
    """Executor that runs each call immediately, in the thread that submits it.

    An error or an interrupt ends the call and `submit`, as it would without an executor.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call and return its result as a completed future."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class SparkThreads(ThreadPoolExecutor):
    """Thread pool whose calls inherit Spark's local properties and tags from the thread that submits them."""

    def __init__(self, spark: SparkSession, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="spark-fit")
        self._spark = spark

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue the call with a copy of the properties, because Spark stores the id of a query there."""
        return super().submit(inheritable_thread_target(self._spark)(fn), *args, **kwargs)


def executor_for(spark: SparkSession, threads: int) -> Executor:
    """Return an executor for this number of concurrent calls."""
    return SparkThreads(spark, threads) if threads > 1 else CallingThread()
