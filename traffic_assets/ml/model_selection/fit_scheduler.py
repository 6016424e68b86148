"""Order of fits: folds are prepared, fitted and released on one executor.

A worker that is free takes the next fit of a prepared fold; otherwise it prepares the next fold:

    worker 0   [prepare 0][fit 0.0][fit 0.2][prepare 2][fit 2.0] ...
    worker 1   [prepare 1][fit 0.1][fit 1.0][fit 1.1][fit 1.2] ...
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize, PreparedFold
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.ml.model_selection.shared_fits import TrialGroup


class FitResult(NamedTuple):
    """Result of one fit.

    Attributes:
        fold: Number of the fold.
        group: Trials that are evaluated from the fit.
        metrics: Metrics of each of them, in order.
        size: Row counts of the fold.
    """

    fold: int
    group: TrialGroup
    metrics: list[Metrics]
    size: FoldSize


@dataclass
class _OpenFold:
    """A fold between the start of its preparation and its release.

    Attributes:
        resources: Cached rows and files, released when the fold is finished.
        fits_left: Number of fits that have not ended.
        prepared: The fold once it is prepared.
    """

    resources: ExitStack
    fits_left: int
    prepared: PreparedFold | None = None


class FitScheduler:
    """Scheduler of one fit for each group of trials on each fold.

    Work is submitted only when a worker is free, so an error or the deadline stops everything that has not begun. Fits
    take precedence over preparations, so no more folds than workers keep rows in Spark's memory. All state is changed
    in the calling thread.

    Args:
        fitter: Fitter of the folds.
        sizes: Row counts of the folds.
        groups: Trials by fit.
        executor: Executor of preparations and fits.
        workers: Maximum number of concurrent preparations and fits.
        deadline: Time by `time.monotonic()` after which no fit begins, except the first of the first fold.

    Attributes:
        fits: Number of fits begun.
    """

    def __init__(
        self,
        fitter: FoldFitter,
        sizes: Sequence[FoldSize],
        groups: Sequence[TrialGroup],
        executor: Executor,
        workers: int = 1,
        deadline: float | None = None,
    ) -> None:
        self._fitter, self._sizes, self._groups = fitter, sizes, groups
        self._executor, self._workers, self._deadline = executor, workers, deadline
        self._folds_to_prepare = deque(range(len(fitter.folds)))
        self._fits_to_begin: deque[tuple[int, int]] = deque()
        self._open: dict[int, _OpenFold] = {}
        self._running: dict[Future[Any], Callable[[Any], FitResult | None]] = {}
        self.fits = 0

    def results(self) -> Generator[FitResult, None, None]:
        """Yield the result of each fit as it ends.

        Raises:
            Exception: If a preparation or a fit fails; the first error is raised after all that had begun have ended.
        """
        try:
            self._begin_work()
            while self._running:
                wait(self._running, return_when=FIRST_COMPLETED)
                for future in [future for future in self._running if future.done()]:
                    handle = self._running.pop(future)
                    result = handle(future.result())
                    if result is not None:
                        yield result
                self._begin_work()
        finally:
            wait(self._running)
            for number in list(self._open):
                self._release(number)

    def _begin_work(self) -> None:
        while len(self._running) < self._workers:
            if self._fits_to_begin:
                self._begin_fit(*self._fits_to_begin.popleft())
            elif self._folds_to_prepare:
                self._begin_preparation(self._folds_to_prepare.popleft())
            else:
                return

    def _begin_preparation(self, number: int) -> None:
        if number != 0 and self._is_late():
            return
        fold = self._open[number] = _OpenFold(ExitStack(), len(self._groups))
        context = self._fitter.prepare(number, self._sizes[number], len(self._groups))
        future = self._executor.submit(fold.resources.enter_context, context)
        self._running[future] = partial(self._handle_preparation, number)

    def _handle_preparation(self, number: int, prepared: PreparedFold) -> None:
        self._open[number].prepared = prepared
        self._fits_to_begin.extend((number, index) for index in range(len(self._groups)))

    def _begin_fit(self, number: int, index: int) -> None:
        if (number, index) != (0, 0) and self._is_late():
            self._end_fit(number)
            return
        group, prepared = self._groups[index], self._open[number].prepared
        assert prepared is not None
        self.fits += 1
        future = self._executor.submit(prepared.evaluate, group.superset, group.cuts, group.exact_position)
        self._running[future] = partial(self._handle_fit, number, group, prepared.size)

    def _handle_fit(self, number: int, group: TrialGroup, size: FoldSize, metrics: list[Metrics]) -> FitResult:
        self._end_fit(number)
        return FitResult(number, group, metrics, size)

    def _end_fit(self, number: int) -> None:
        self._open[number].fits_left -= 1
        if not self._open[number].fits_left:
            self._release(number)

    def _release(self, number: int) -> None:
        self._open.pop(number).resources.close()

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline
