"""Cross-validation on train rows: the preprocessor and every model refitted in each fold.

Which rows a fold holds is said in `folds.py`, what is tried in `search/`. No row of the test split ever comes here.
"""

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.estimators.tree_arrays import judge_cuts, read_trees
from traffic_assets.ml.fitting.caching import cached_vectors
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows
from traffic_assets.ml.fitting.pipeline import fit_model, fit_preprocessor
from traffic_assets.ml.fold_tasks import fold_tasks, in_tasks
from traffic_assets.ml.folds import Fold
from traffic_assets.ml.metrics.metrics import Metrics, evaluate, spread
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, narrowed
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.search.sharing import Group, groups
from traffic_assets.ml.search.trials import Trial
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


class _Judged(NamedTuple):
    """A trial on one fold: its metrics, and how many rows were fitted on."""

    metrics: Metrics
    fitted_rows: int


class _Size(NamedTuple):
    """How many rows a fold has to fit on, and how many of them only end a fit early."""

    rows: int
    stopping: int = 0


class _Fold(NamedTuple):
    """A fold that is ready to be judged: its size, and what judges the trials of a group on it."""

    size: _Size
    judge: Callable[[Group], dict[int, Metrics]]


_Prepare = Callable[[int, _Size, int], AbstractContextManager[_Fold]]
"""Makes a fold ready: its number, its size, and how many groups are to be judged."""


class CrossValidation:
    """Judges sets of hyperparameters of one algorithm on every fold.

    Args:
        features: columns to train on.
        algorithm: what to fit.
        folds: which rows are fitted and judged.
        seed: of the fits.
        scratch: URI of a folder for models that are read on the way; without one no fit is shared.
        threads: fits at the same time, of different folds and of different trials.
        notify: told of each fold as it is done.
    """

    def __init__(
        self,
        features: FeatureSet,
        algorithm: Algorithm,
        folds: Sequence[Fold],
        seed: int,
        *,
        scratch: str | None = None,
        threads: int = 1,
        notify: Callable[[str], None] = _LOG.info,
    ) -> None:
        self.features, self.algorithm, self.folds, self.seed = features, algorithm, list(folds), seed
        self.scratch, self.threads, self.notify = scratch, threads, notify
        self._counting, self._slots = threading.Lock(), threading.BoundedSemaphore(threads)
        self.fits = 0

    def fitted(self, train: DataFrame, hyperparameters: Hyperparameters) -> Trial:
        """One set of hyperparameters, fitted itself on every fold."""
        (trial,) = self._judged(train, [hyperparameters], [Group(hyperparameters, (0,), itself=0)], 1.0, None)
        return trial

    def trials(
        self,
        train: DataFrame,
        tried: Sequence[Hyperparameters],
        *,
        row_share: float = 1.0,
        deadline: float | None = None,
    ) -> list[Trial]:
        """Each set of hyperparameters on every fold, as few fits as can answer for all of them.

        Args:
            train: train rows; read once per fold, so keep them cached, unless folds are tasks (`fold_tasks.py`).
            tried: hyperparameters, all of this algorithm.
            row_share: the share of the train rows that these are, for the record.
            deadline: by `time.monotonic()`; no fit but the first begins after it.

        Returns:
            Trials in the order of `tried`, all on the same folds; after the deadline there are fewer of both.

        Raises:
            ValueError: where a fold has no rows.
        """
        # where a fit ends early, it is not the beginning of a longer one
        early = any(self.algorithm.stops_early(h) for h in tried)
        alone = not self.scratch or early or self._in_tasks(tried)
        sharing = None if alone else self.algorithm.shared_fit
        rows = math.ceil(self.features.rows * row_share)
        return self._judged(train, tried, groups(tried, sharing, rows), row_share, deadline)

    def _judged(
        self,
        train: DataFrame,
        tried: Sequence[Hyperparameters],
        grouped: Sequence[Group],
        row_share: float,
        deadline: float | None,
    ) -> list[Trial]:
        train = with_stopping_rows(train, self.algorithm, tried, self.seed)
        with self._ready(train, tried) as (rows, folds, prepare):
            sizes = self._sizes(rows, folds)

            def judge(number: int) -> dict[int, _Judged]:
                with prepare(number, sizes[number], len(grouped)) as fold:
                    return self._fold(fold, number, tried, grouped, deadline, rows)

            by_fold = _at_once(self.threads, judge, range(len(folds)), rows)
        shared, compared = _comparable(by_fold)
        trials = []
        for group in grouped:
            for i in group.members:
                if i in compared:
                    judged = [found[i] for found in shared]
                    trials.append((i, _trial(tried[i], judged, row_share, None if i == group.itself else group.grown)))
        return [trial for _, trial in sorted(trials, key=lambda pair: pair[0])]

    def _in_tasks(self, tried: Sequence[Hyperparameters]) -> bool:
        return in_tasks(self.algorithm, tried, self.features.preparation)

    @contextmanager
    def _ready(
        self, train: DataFrame, tried: Sequence[Hyperparameters]
    ) -> Iterator[tuple[DataFrame, Sequence[Fold], _Prepare]]:
        """Train rows, the folds of them, and what makes a fold ready to be judged."""
        if not self._in_tasks(tried):
            yield train, self.folds, partial(self._prepared, train)
            return
        with fold_tasks(train, self.features, self.algorithm, self.folds) as tasks:

            @contextmanager
            def prepared(number: int, size: _Size, _: int) -> Iterator[_Fold]:
                yield _Fold(size, lambda group: {group.members[0]: tasks.judged(number, group.grown, self.seed)})

            yield tasks.rows, tasks.folds, prepared

    def _sizes(self, rows: DataFrame, folds: Sequence[Fold]) -> list[_Size]:
        """The size of each fold, all counted in one pass; refused where one fits or judges no row."""
        stops = F.col(STOP) if STOP in rows.columns else F.lit(False)
        parts = [F.count_if(part) for fold in folds for part in (fold.fit, fold.fit & stops, fold.judged)]
        row = rows.agg(*parts).collect()[0]
        sizes = [_Size(*counts) for counts in zip(row[::3], row[1::3], strict=True)]
        for fold, size, judged in zip(folds, sizes, row[2::3], strict=True):
            if not size.rows or not judged:
                raise ValueError(
                    f"{fold.title} has no rows to {'fit' if judged else 'judge'}: train on more rows, or on fewer folds"
                )
        return sizes

    @contextmanager
    def _prepared(self, train: DataFrame, number: int, size: _Size, groups: int) -> Iterator[_Fold]:
        """A fold whose preprocessor is fitted by Spark."""
        fit_rows, judged_rows = train.where(self.folds[number].fit), train.where(self.folds[number].judged)
        # what only other rows hold cannot be learned from these
        present = narrowed(self.features, fit_rows, size.rows)
        preprocessing = fit_preprocessor(fit_rows, present, scaled=not self.algorithm.scale_invariant)
        again = groups > 1 or not self.algorithm.single_pass
        with cached_vectors(preprocessing, fit_rows, self.features.target, again) as vectors:
            size = _counted(vectors) if self.features.preparation.drops else size
            judged = preprocessing.transform(judged_rows).select(VECTOR, self.features.target)
            yield _Fold(size, lambda group: self._group(group, vectors, judged, size.rows))

    def _fold(
        self,
        fold: _Fold,
        number: int,
        tried: Sequence[Hyperparameters],
        grouped: Sequence[Group],
        deadline: float | None,
        rows: DataFrame,
    ) -> dict[int, _Judged]:
        """Each group on one fold, until the deadline."""
        found: dict[int, _Judged] = {}

        def judge(group: Group) -> None:
            with self._slots:
                first = number == 0 and group is grouped[0]
                if deadline is not None and not first and time.monotonic() > deadline:
                    return
                with self._counting:
                    self.fits += 1
                judged = fold.judge(group)
            stopping = fold.size.stopping if self.algorithm.stops_early(group.grown) else 0
            found.update((i, _Judged(m, fold.size.rows - stopping)) for i, m in judged.items())
            last = found[group.members[-1]].metrics
            self.notify(
                f"{self.algorithm.title}: {self.folds[number].title}{_progress(len(found), len(tried))}, "
                f"RMSE {last.rmse:.3f} {TARGETS[self.features.target].unit}, R² {last.r2:.5f}"
            )

        _at_once(self.threads, judge, grouped, rows)  # of all folds together no more, as the slots say
        return found

    def _group(self, group: Group, vectors: DataFrame, judged: DataFrame, rows: int) -> dict[int, Metrics]:
        target = self.features.target
        model = fit_model(vectors, self.algorithm, group.grown, self.seed, target, rows)
        if not group.cuts:
            return {group.members[0]: evaluate(model.transform(judged), target)}
        sharing = self.algorithm.shared_fit
        assert sharing is not None
        trees = read_trees(model, f"{self.scratch}/{secrets.token_hex(8)}")
        whole = None if group.itself is None else group.members.index(group.itself)
        metrics = judge_cuts(judged, VECTOR, target, trees, group.cuts, sharing.average, whole)
        return dict(zip(group.members, metrics, strict=True))


def _at_once(threads: int, work: Callable[[T], R], items: Sequence[T], rows: DataFrame) -> list[R]:
    """The work on each item, begun and returned in their order, so many at the same time."""
    if threads <= 1 or len(items) == 1:
        return [work(item) for item in items]
    # each item is given properties of its own to inherit: Spark keeps the number of a query there
    inheriting = inheritable_thread_target(rows.sparkSession)
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        begun = [pool.submit(inheriting(work), item) for item in items]
        try:
            return [each.result() for each in begun]
        finally:
            pool.shutdown(cancel_futures=True)  # after a failure nothing else begins


def _comparable(by_fold: Sequence[dict[int, _Judged]]) -> tuple[list[dict[int, _Judged]], set[int]]:
    """The folds and the trials to compare: each of these trials on each of these folds.

    Where a deadline cut folds short, they are those that keep the most judgements, and of as many the most trials.
    """

    def kept(trials: set[int]) -> list[dict[int, _Judged]]:
        return [found for found in by_fold if trials <= found.keys()]

    trials = max((set(found) for found in by_fold), key=lambda some: (len(some) * len(kept(some)), len(some)))
    return kept(trials), trials


def _counted(vectors: DataFrame) -> _Size:
    """What is left of a fold where the preparation drops rows."""
    stopping = F.count_if(F.col(STOP)) if STOP in vectors.columns else F.lit(0)
    return _Size(*vectors.agg(F.count(F.lit(1)), stopping).collect()[0])


def _trial(
    hyperparameters: Hyperparameters, judged: list[_Judged], row_share: float, grown: Hyperparameters | None
) -> Trial:
    folds = [found.metrics for found in judged]
    return Trial(
        hyperparameters=hyperparameters.model_dump(),
        folds=folds,
        summary={metric: spread(m.by_name[metric] for m in folds) for metric in folds[0].by_name},
        row_share=row_share,
        read_from=grown.model_dump() if grown else None,
        fitted_rows=[found.fitted_rows for found in judged],
    )


def _progress(done: int, tried: int) -> str:
    return "" if tried == 1 else f", {done} of {tried} trials"
