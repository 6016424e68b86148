"""A fitter without Spark, for tests of the order in which folds are fitted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize, PreparedFold
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.ml.splits.folds import Fold

Work = Callable[[int, int], None]


def nothing(*_: int) -> None:
    """Do nothing in a preparation or a fit."""


class FakeFitter(FoldFitter):
    """Fitter that records each preparation, fit and release.

    Hyperparameters are the positions of trials; the RMSE is 10 times the fold plus the position.

    Args:
        folds: Number of folds.
        on_fit: Callback for each fit, with the numbers of fold and trial.
        on_prepare: Callback for each preparation, with the number of the fold and -1.
    """

    def __init__(self, folds: int, on_fit: Work = nothing, on_prepare: Work = nothing) -> None:
        super().__init__(None, [Fold(None, None, f"fold {i}") for i in range(folds)])  # type: ignore[arg-type]
        self.on_fit, self.on_prepare = on_fit, on_prepare
        self._lock = threading.Lock()
        self.events: list[str] = []

    def record(self, event: str) -> None:
        """Append an event."""
        with self._lock:
            self.events.append(event)

    @contextmanager
    def prepare(self, number: int, size: FoldSize, fits: int = 1) -> Iterator[PreparedFold]:
        """Prepare nothing."""
        self.record(f"prepare {number}")
        self.on_prepare(number, -1)
        yield _FakeFold(size, self, number)
        self.record(f"release {number}")


class _FakeFold(PreparedFold):
    def __init__(self, size: FoldSize, fitter: FakeFitter, number: int) -> None:
        super().__init__(size)
        self.fitter, self.number = fitter, number

    def evaluate(self, hyperparameters: Any, cuts: Sequence[Any] = (), exact: int | None = None) -> list[Metrics]:
        self.fitter.record(f"fit {self.number}.{hyperparameters}")
        self.fitter.on_fit(self.number, hyperparameters)
        self.fitter.record(f"end {self.number}.{hyperparameters}")
        return [Metrics(rows=10, rmse=10 * self.number + hyperparameters, mae=1, mape=1, r2=0)]

    def predictions(self, hyperparameters: Any) -> Any:
        raise AssertionError("only metrics are needed")
