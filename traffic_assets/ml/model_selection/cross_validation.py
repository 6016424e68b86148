"""Cross-validation on train rows: preprocessor and model are fitted again in each fold.

`splits/folds.py` defines the rows of a fold, `search/` chooses the trials, `fitting/` fits a fold, and
`fit_scheduler.py` orders the fits. No row of the test split is used.
"""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import NamedTuple

from pyspark.sql import DataFrame

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.messages import model_selection as messages
from traffic_assets.messages.algorithms import ONLY_VALIDATION_ROWS
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize
from traffic_assets.ml.fitting.fold_fitter_factory import open_fold_fitter
from traffic_assets.ml.metrics.metrics import Metrics, compute_spread, format_r2
from traffic_assets.ml.model_selection.executors import executor_for
from traffic_assets.ml.model_selection.fit_scheduler import FitResult, FitScheduler
from traffic_assets.ml.model_selection.shared_fits import TrialGroup, group_trials, single_group
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)


class TrialOnFold(NamedTuple):
    """Evaluation of a trial on one fold.

    Attributes:
        metrics: Metrics on the test rows.
        fitted_rows: Number of rows fitted on.
    """

    metrics: Metrics
    fitted_rows: int


class CrossValidation:
    """Evaluation of one algorithm's hyperparameters on every fold.

    Args:
        features: Columns to train on.
        algorithm: Algorithm to fit.
        folds: Train and test rows of each fold.
        seed: Seed for the fits.
        scratch: URI of a folder for intermediate models; without it, no fit is shared.
        threads: Number of concurrent fits, of different folds and of different trials.
        notify: Callback for a progress message after each fit.

    Attributes:
        fits: Number of fits begun so far.
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
        self.fits = 0

    def evaluate(self, train: DataFrame, hyperparameters: Hyperparameters) -> Trial:
        """Return the trial of one set of hyperparameters, with a fit of its own on every fold.

        Args:
            train: Train rows, as in `evaluate_trials`.
            hyperparameters: Hyperparameters of this algorithm.

        Raises:
            ValueError: If a fold has no train or no test rows.
        """
        with self._open_fitter(train, [hyperparameters]) as fitter:
            groups = [single_group(hyperparameters)]
            by_fold = self._run_fits(fitter, groups, 1, None)
        (trial,) = _make_trials([hyperparameters], groups, by_fold, 1.0)
        return trial

    def evaluate_trials(
        self,
        train: DataFrame,
        tried: Sequence[Hyperparameters],
        *,
        row_share: float = 1.0,
        deadline: float | None = None,
    ) -> list[Trial]:
        """Evaluate each set of hyperparameters on every fold, with as few fits as possible.

        Args:
            train: Train rows; read once per fold, so keep them cached, unless folds are tasks (`fold_tasks.py`).
            tried: Hyperparameters, all of this algorithm.
            row_share: Share of the train rows that `train` contains, for the record.
            deadline: Time by `time.monotonic()` after which no fit begins, except the first.

        Returns:
            Trials in the order of `tried`, all on the same folds. After the deadline there are fewer of both.

        Raises:
            ValueError: If a fold has no train or no test rows.
        """
        with self._open_fitter(train, tried) as fitter:
            groups = group_trials(tried, fitter.sharing, math.ceil(self.features.rows * row_share))
            by_fold = self._run_fits(fitter, groups, len(tried), deadline)
        return _make_trials(tried, groups, by_fold, row_share)

    def _open_fitter(self, train: DataFrame, tried: Sequence[Hyperparameters]) -> AbstractContextManager[FoldFitter]:
        return open_fold_fitter(
            train, self.features, self.algorithm, self.folds, tried, self.seed, scratch=self.scratch
        )

    def _run_fits(
        self, fitter: FoldFitter, groups: Sequence[TrialGroup], trials: int, deadline: float | None
    ) -> list[dict[int, TrialOnFold]]:
        """Return the evaluations of each fold, by position of the trial."""
        sizes = fitter.fold_sizes()
        require_fold_rows(self.folds, sizes)
        by_fold: list[dict[int, TrialOnFold]] = [{} for _ in self.folds]
        workers = min(self.threads, len(self.folds) * len(groups))
        with executor_for(fitter.rows.sparkSession, workers) as executor:
            scheduler = FitScheduler(fitter, sizes, groups, executor, workers, deadline)
            with closing(scheduler.results()) as results:
                for result in results:
                    by_fold[result.fold].update(self._evaluations(result))
                    self._report_progress(result, len(by_fold[result.fold]), trials)
            self.fits += scheduler.fits
        return by_fold

    def _evaluations(self, result: FitResult) -> dict[int, TrialOnFold]:
        """Return the evaluations of a fit's trials, by position of the trial."""
        stopping = result.size.stopping if self.algorithm.stops_early(result.group.superset) else 0
        fitted_rows = result.size.train - stopping
        evaluations = (TrialOnFold(metrics, fitted_rows) for metrics in result.metrics)
        return dict(zip(result.group.members, evaluations, strict=True))

    def _report_progress(self, result: FitResult, done: int, trials: int) -> None:
        progress = "" if trials == 1 else f", {done} of {trials} trials"
        last = result.metrics[-1]
        self.notify(
            f"{self.algorithm.title}: {self.folds[result.fold].title}{progress}, "
            f"RMSE {last.rmse:.3f} {TARGETS[self.features.target].unit}, R² {format_r2(last.r2)}"
        )


def require_fold_rows(folds: Sequence[Fold], sizes: Sequence[FoldSize]) -> None:
    """Raise if a fold has no rows to fit on or no test rows.

    Raises:
        ValueError: If a fold has no train or no test rows, or all its train rows only stop a fit early.
    """
    for fold, size in zip(folds, sizes, strict=True):
        if not size.train or not size.test:
            raise ValueError(messages.EMPTY_FOLD(purpose="test" if size.train else "train", fold=fold.title))
        if size.train == size.stopping:
            raise ValueError(ONLY_VALIDATION_ROWS())


def select_comparable(by_fold: Sequence[dict[int, TrialOnFold]]) -> tuple[list[dict[int, TrialOnFold]], set[int]]:
    """Return the folds and the trials to compare: each of these trials was evaluated on each of these folds.

    If a deadline cut folds short, the choice keeps the most evaluations and, if several do, the most trials.
    """
    candidates = (set(evaluations) for evaluations in by_fold)
    trials = max(candidates, key=lambda some: (len(some) * len(_folds_with(some, by_fold)), len(some)))
    return _folds_with(trials, by_fold), trials


def _folds_with(trials: set[int], by_fold: Sequence[dict[int, TrialOnFold]]) -> list[dict[int, TrialOnFold]]:
    return [evaluations for evaluations in by_fold if trials <= evaluations.keys()]


def _make_trials(
    tried: Sequence[Hyperparameters],
    groups: Sequence[TrialGroup],
    by_fold: Sequence[dict[int, TrialOnFold]],
    row_share: float,
) -> list[Trial]:
    """Return the trials that can be compared, in the order of `tried`."""
    folds, trials = select_comparable(by_fold)
    groups_by_trial = {position: group for group in groups for position in group.members}
    return [_make_trial(position, tried, groups_by_trial[position], folds, row_share) for position in sorted(trials)]


def _make_trial(
    position: int,
    tried: Sequence[Hyperparameters],
    group: TrialGroup,
    folds: Sequence[dict[int, TrialOnFold]],
    row_share: float,
) -> Trial:
    evaluations = [evaluations[position] for evaluations in folds]
    metrics = [evaluation.metrics for evaluation in evaluations]
    return Trial(
        hyperparameters=tried[position].model_dump(),
        folds=metrics,
        summary={name: compute_spread(one.by_name[name] for one in metrics) for name in metrics[0].by_name},
        row_share=row_share,
        read_from=None if position == group.exact_member else group.superset.model_dump(),
        fitted_rows=[evaluation.fitted_rows for evaluation in evaluations],
    )
