"""Run of a search: cross-validation evaluates rounds of trials, and the winner gets fits of its own.

A search sees only train rows, so no test row chooses a model. It is deterministic for a seed, unless the time limit
ends it.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import search as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.metrics.metrics import known_metrics
from traffic_assets.ml.model_selection.cross_validation import CrossValidation
from traffic_assets.ml.model_selection.trials import Screened, Search, Trial, choose_best_trial
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.search.strategies import Strategy
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.ml.splits.hashing import unit_hash

_LOG = logging.getLogger(__name__)


def run_search(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    strategy: Strategy,
    *,
    name: str = "grid",
    folds: list[Fold],
    seed: int,
    primary_metric: str = "rmse",
    scratch: str | None = None,
    max_minutes: float | None = None,
    threads: int = 1,
    screened: Sequence[Screened] = (),
    notify: Callable[[str], None] = _LOG.info,
) -> Search:
    """Evaluate the trials that the strategy chooses, and confirm the best one with fits of its own.

    Args:
        train: Train rows; read once per fold, so keep them cached, unless folds are tasks (`fold_tasks.py`).
        features: Columns to train on.
        algorithm: Algorithm to fit.
        strategy: Strategy that chooses the trials.
        name: Name of the strategy, for the report.
        folds: Train and test rows of each fold, at least 2 folds.
        seed: Seed for the fits and for the rows in a share.
        primary_metric: Metric that ranks the trials: rmse, mae, mape (lower is better), r2 (higher is better) or a
            metric of an installed package.
        scratch: URI of a folder for intermediate models; None gives each trial a fit of its own.
        max_minutes: Time in minutes after which no trial begins; the best trial so far wins.
        threads: Number of concurrent fits.
        screened: Trials that the strategy leaves out, for the report.
        notify: Callback for progress messages.

    Raises:
        ValueError: If the metric is unknown, there are no trials, or a fold has no rows.
    """
    if primary_metric not in (known := known_metrics()):
        raise ValueError(messages.UNKNOWN_METRIC(metric=primary_metric, metrics=list(known)))
    started = time.monotonic()
    deadline = None if max_minutes is None else started + max_minutes * 60
    validation = CrossValidation(features, algorithm, folds, seed, scratch=scratch, threads=threads, notify=notify)
    trials, complete = _run_rounds(train, validation, strategy, deadline)
    if not trials:
        raise ValueError(messages.NO_HYPERPARAMETERS())
    stopped = None if complete else _describe_stop(max_minutes, trials, len(folds))
    chosen = choose_best_trial(trials, primary_metric)
    if len(trials) > 1 and math.isnan(trials[chosen].over_folds(primary_metric).mean):
        notify(messages.UNDEFINED_METRIC(metric=primary_metric).with_prefix(f"{algorithm.title}: "))
    confirmed = _confirm(trials[chosen], train, validation)
    if stopped:
        notify(stopped.with_prefix(f"{algorithm.title}: "))
    return Search(
        primary_metric=primary_metric,
        trials=trials,
        chosen=chosen,
        confirmed=confirmed,
        strategy=name,
        fits=validation.fits,
        seconds=round(time.monotonic() - started, 1),
        stopped=stopped,
        screened=list(screened),
    )


def _run_rounds(
    train: DataFrame, validation: CrossValidation, strategy: Strategy, deadline: float | None
) -> tuple[list[Trial], bool]:
    """Return the trials of all rounds, and False if the deadline ended the search before the strategy did."""
    trials: list[Trial] = []
    with closing(strategy):
        current = next(strategy, None)
        while current is not None:
            share = current.row_share
            rows = train if share >= 1 else train.where(unit_hash(validation.seed, "budget") < F.lit(share))
            results = validation.evaluate_trials(rows, current.tried, row_share=share, deadline=deadline)
            trials += results
            if len(results) < len(current.tried) or any(len(t.folds) < len(validation.folds) for t in results):
                return trials, False
            try:
                current = strategy.send(results)
            except StopIteration:
                break
            if deadline is not None and time.monotonic() > deadline:
                return trials, False
    return trials, True


def _confirm(winner: Trial, train: DataFrame, validation: CrossValidation) -> Trial:
    """Return the winner with a fit of its own on all train rows of every fold."""
    if winner.read_from is None and winner.row_share == 1 and len(winner.folds) == len(validation.folds):
        return winner
    algorithm = validation.algorithm
    validation.notify(f"{algorithm.title}: the best trial ({_describe(winner)}) is now fitted on every fold")
    return validation.evaluate(train, algorithm.hyperparameters.model_validate(winner.hyperparameters))


def _describe_stop(minutes: float | None, trials: list[Trial], folds: int) -> CodedText:
    complete = sum(len(trial.folds) == folds for trial in trials)
    return messages.TIME_LIMIT(minutes=minutes, complete=complete, partial=len(trials) - complete)


def _describe(trial: Trial) -> str:
    return ", ".join(f"{name} {value}" for name, value in trial.hyperparameters.items())
