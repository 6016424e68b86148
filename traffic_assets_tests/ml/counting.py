"""Variants of an algorithm with fold tasks, for tests that compare them with folds on Spark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from traffic_assets.ml.algorithm import Algorithm, OwnThreads


def counting(algorithm: Algorithm) -> tuple[Algorithm, list[Any]]:
    """Return the algorithm, and a list that gets the arguments of each of its fold tasks."""
    own, made = algorithm.own_threads, list[Any]()
    assert own is not None and own.fold_task is not None
    make = own.fold_task

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return make(*arguments)

    return replace(algorithm, own_threads=OwnThreads(own.applies, counted)), made


def on_spark(algorithm: Algorithm) -> Algorithm:
    """Return the algorithm without its fold task."""
    assert algorithm.own_threads is not None
    return replace(algorithm, own_threads=OwnThreads(algorithm.own_threads.applies))
