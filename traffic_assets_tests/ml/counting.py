"""An algorithm whose fold tasks are counted, for tests that compare them with folds on Spark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from traffic_assets.ml.algorithms import Algorithm


def counting(algorithm: Algorithm) -> tuple[Algorithm, list[Any]]:
    """The algorithm, and a list that grows by what each of its fold tasks is made of."""
    made: list[Any] = []

    def counted(*given: Any) -> Any:
        made.append(given)
        return algorithm.fold_task(*given)  # type: ignore[misc]

    return replace(algorithm, fold_task=counted), made
