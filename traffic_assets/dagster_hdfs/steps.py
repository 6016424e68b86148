"""Decorators of assets that use storage: retries when storage does not answer, costs, and failures with codes."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from traffic_assets.dagster_hdfs.costs import measure_cost
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.retries import retries_connection_errors

P = ParamSpec("P")
R = TypeVar("R")


def storage_step(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function whose first argument is `context`.

    The step is retried when storage does not answer (`retries.py`), its cost is recorded (`costs.py`), and its failure
    carries the code of its message (`failures.py`).
    """
    return measure_cost(fails_with_code(retries_connection_errors(compute)))
