"""Which failures a step is run again for: storage that did not answer, by name, and nothing else.

What the names mean is in `errors.py`. A crashed worker is the instance's business (`run_retries` in dagster.yaml).
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
    """Ask Dagster to run the step again when storage did not answer; all other errors pass as they are.

    Raises:
        dagster.RetryRequested: for the connection errors that `StorageError.retryable` names.
        StorageError: for what a retry does not mend.
    """
    try:
        with storage_errors(uri):
            yield
    except StorageError as error:
        if error.retryable:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=SECONDS_BETWEEN) from error
        raise


def retries_connection_errors(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function: its step runs again when storage does not answer while it works."""

    @functools.wraps(compute)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        with retried_connection_errors("the storage of this run"):
            return compute(*args, **kwargs)

    return retried
