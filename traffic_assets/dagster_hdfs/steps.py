"""What every asset that works on storage has in common: it is retried when storage is silent, and tells its cost."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from traffic_assets.dagster_hdfs.costs import measured
from traffic_assets.dagster_hdfs.retries import retries_connection_errors

P = ParamSpec("P")
R = TypeVar("R")


def storage_step(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function whose first argument is `context`; see `retries.py` and `costs.py`."""
    return measured(retries_connection_errors(compute))
