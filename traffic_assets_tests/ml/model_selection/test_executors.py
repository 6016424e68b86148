"""Executors: the calling thread, and threads that inherit Spark's properties."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from traffic_assets.ml.model_selection.executors import CallingThread, SparkThreads, executor_for

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_the_calling_thread_runs_each_call_immediately() -> None:
    with CallingThread() as executor:
        future = executor.submit(threading.get_ident)
        assert future.done()
        assert future.result() == threading.get_ident()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_calling_thread_ends_the_submission(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error("no result")

    with CallingThread() as executor, pytest.raises(error, match="no result"):
        executor.submit(fail)


def test_threads_inherit_properties_and_each_call_has_its_own(spark: SparkSession) -> None:
    """Run two calls in two threads, neither of which sees what the other sets."""
    context = spark.sparkContext
    both = threading.Barrier(2, timeout=60)

    def change(value: str) -> tuple[str | None, str | None]:
        inherited = context.getLocalProperty("test.inherited")
        context.setLocalProperty("test.own", value)
        both.wait()
        return inherited, context.getLocalProperty("test.own")

    context.setLocalProperty("test.inherited", "yes")
    try:
        with SparkThreads(spark, 2) as executor:
            futures = [executor.submit(change, value) for value in ("a", "b")]
            assert [future.result() for future in futures] == [("yes", "a"), ("yes", "b")]
        assert context.getLocalProperty("test.own") is None
    finally:
        context.setLocalProperty("test.inherited", None)  # type: ignore[arg-type]


def test_one_thread_is_the_calling_one(spark: SparkSession) -> None:
    assert isinstance(executor_for(spark, 1), CallingThread)
    with executor_for(spark, 2) as executor:
        assert isinstance(executor, SparkThreads)
