"""Running a search: rounds of trials judged by cross-validation, the winner confirmed by fits of its own.

Nothing but train rows comes here, so no test row ever chooses. Deterministic for a seed where no time limit is hit.
"""

import logging
import time
from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
    """Judge what the strategy asks for, choose the best, and confirm it.

    Args:
        train: train rows; read once per fold, so keep them cached, unless folds are tasks (`fold_tasks.py`).
        features: columns to train on.
        algorithm: what to fit.
        strategy: what to try.
        name: of the strategy, for the report.
        folds: which rows are fitted and judged, at least 2.
        seed: of the fits and of the rows that a share keeps.
        primary_metric: what chooses: rmse, mae, mape (least wins), r2 (most wins) or a metric of an installed package.
        scratch: URI of a folder for what is saved on the way; without one, each trial is fitted by itself.
        max_minutes: no trial begins after this time; the best so far wins.
        threads: fits at the same time.
        screened: what the strategy leaves out, for the report.
        notify: told of progress.

    Raises:
        ValueError: without a trial, on an unknown metric, or where a fold has no rows.
    """
    if primary_metric not in (known := known_metrics()):
        raise ValueError(f"unknown metric {primary_metric!r}; the known ones are {', '.join(known)}")
    started = time.monotonic()
    deadline = None if max_minutes is None else started + max_minutes * 60
    validation = CrossValidation(features, algorithm, folds, seed, scratch=scratch, threads=threads, notify=notify)
    trials: list[Trial] = []
    stopped: str | None = None
    try:
        asked = next(strategy)
        while True:
            rows = train if asked.row_share >= 1 else train.where(unit_hash(seed, "budget") < F.lit(asked.row_share))
            found = validation.evaluate_trials(rows, asked.tried, row_share=asked.row_share, deadline=deadline)
            trials += found
            whole = len(found) == len(asked.tried) and all(len(t.folds) == len(folds) for t in found)
            if whole:
                asked = strategy.send(found)
            if not whole or (deadline is not None and time.monotonic() > deadline):
                stopped = _stopped(max_minutes, trials, len(folds))
                break
    except StopIteration:
        pass
    finally:
        strategy.close()
    if not trials:
        raise ValueError("nothing to try: give at least one set of hyperparameters")
    chosen = choose_best_trial(trials, primary_metric)
    winner = trials[chosen]
    if winner.read_from is not None or winner.row_share < 1 or len(winner.folds) < len(folds):
        notify(f"{algorithm.title}: {_short(winner)} leads; now fitted itself on every fold")
        confirmed = validation.evaluate(train, algorithm.hyperparameters.model_validate(winner.hyperparameters))
    else:
        confirmed = winner
    if stopped:
        notify(f"{algorithm.title}: {stopped}")
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


def _stopped(minutes: float | None, trials: list[Trial], folds: int) -> str:
    whole = sum(len(t.folds) == folds for t in trials)
    return (
        f"the search was stopped after its {minutes:g} minutes of max_training_time_minutes: {whole} trial(s) judged "
        f"on every fold, {len(trials) - whole} on some; the best so far was chosen"
    )


def _short(trial: Trial) -> str:
    return ", ".join(f"{k} {v}" for k, v in trial.hyperparameters.items())
