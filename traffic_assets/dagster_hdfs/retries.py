"""Retries of a step: only if storage did not answer.

The kinds of failures are in `errors.py`. Crashed workers are retried by the instance (`run_retries` in dagster.yaml).
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import dagster as dg

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors

RETRIES, SECONDS_BETWEEN = 2, 10.0
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def retried_connection_errors(uri: str) -> Iterator[None]:
    """Request a retry of the step if storage does not answer inside the block; other errors pass unchanged.

    Args:
        uri: URI that the block works on.

    Raises:
        dagster.RetryRequested: If a storage failure is retryable.
        StorageError: If a retry does not fix the storage failure.
    """
    try:
        with storage_errors(uri):
            yield
    except StorageError as error:
        if error.retryable:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=SECONDS_BETWEEN) from error
        raise


def retries_connection_errors(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function: its step runs again if storage does not answer while it runs."""

    @functools.wraps(compute)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with retried_connection_errors("the storage of this run"):
            return compute(*args, **kwargs)

    return run
