"""Storage calls in parallel."""

import threading

import pytest

from traffic_assets.dagster_hdfs.threads import THREADS, map_in_threads


def test_results_are_in_the_order_of_the_arguments() -> None:
    assert map_in_threads(lambda number: -number, range(100)) == [-number for number in range(100)]
    assert map_in_threads(lambda number: -number, [3]) == [-3]
    assert map_in_threads(lambda number: -number, []) == []


def test_calls_run_at_the_same_time() -> None:
    barrier = threading.Barrier(THREADS, timeout=60)
    assert sorted(map_in_threads(lambda _: barrier.wait(), range(THREADS))) == list(range(THREADS))


def test_the_first_error_is_raised_and_stops_further_calls() -> None:
    called: list[int] = []

    def fail(number: int) -> None:
        called.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^0$"):
        map_in_threads(fail, range(10_000))
    assert len(called) < 10_000
