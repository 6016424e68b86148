"""Cores: a fit has all cores of a local session, and on a cluster those that Spark assigns to a task."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.ml.estimators.cores import all_cores, is_local, task_threads

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _session(master: str | None, parallelism: int = 8, **conf: str) -> Any:
    """Return a fake session. Real ones would require a cluster of each kind."""
    options = {key.replace("_", "."): value for key, value in conf.items()}
    context = SimpleNamespace(master=master, defaultParallelism=parallelism, getConf=lambda: options)
    return SimpleNamespace(sparkContext=context)


@pytest.mark.parametrize(
    ("master", "local"),
    [
        ("local", True),
        ("local[2]", True),
        ("local[*]", True),
        ("local-cluster[2,1,1024]", False),
        ("spark://host:7077", False),
        ("yarn", False),
        (None, False),
    ],
)
def test_a_local_session_is_one_jvm_on_this_machine(master: str | None, local: bool) -> None:
    assert is_local(_session(master)) == local


def test_a_local_task_has_all_cores(spark: SparkSession) -> None:
    assert task_threads(spark) == min(spark.sparkContext.defaultParallelism, os.cpu_count() or 1)
    assert task_threads(_session("local[1000]", 1000)) == os.cpu_count(), "at most the cores of the machine"
    assert task_threads(_session("local[1]", 1)) == 1


def test_a_task_on_a_cluster_has_the_cores_that_spark_assigns() -> None:
    assert task_threads(_session("spark://host:7077")) == 1
    assert task_threads(_session("spark://host:7077", spark_task_cpus="4")) == 4


def test_tasks_with_all_cores_of_a_local_session_run_one_at_a_time() -> None:
    entered = threading.Event()

    def other(session: Any) -> threading.Thread:
        def enter() -> None:
            with all_cores(session):
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        return thread

    with all_cores(_session("local[2]")):
        on_cluster = other(_session("spark://host:7077"))
        assert entered.wait(60), "on a cluster tasks have cores of their own"
        on_cluster.join(60)
        entered.clear()
        waiting = other(_session("local[2]"))
        waiting.join(0.5)
        assert waiting.is_alive() and not entered.is_set()
    waiting.join(60)
    assert entered.is_set()
