"""Folds, search and learning curve as the settings of a deployment configure them.

`splits/folds.py`, `runner.py` and `learning_curves.py` implement them.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame

from traffic_assets.messages import search as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.estimators.cores import is_local
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, learning_curve
from traffic_assets.ml.model_selection.trials import Screened, Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.search.runner import run_search
from traffic_assets.ml.search.screening import screen
from traffic_assets.ml.search.strategies import Screen, make_strategy
from traffic_assets.ml.splits.folds import Fold, make_folds
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import Hyperparameters, Range
from traffic_assets.settings.training import TrainingSettings

_LOG = logging.getLogger(__name__)

MOST_THREADS = 16
"""Maximum number of concurrent fits. Each shared fit may take half a gigabyte of this process while its nodes
are read (`shared_fits.py`)."""


def folds_from_settings(rows: DataFrame, training: TrainingSettings) -> list[Fold]:
    """Return the configured folds of the train rows.

    Raises:
        ValueError: If there are too few rows for these folds (`make_folds`).
    """
    return make_folds(rows, training.fold_kind, training.folds, training.seed, training.fold_gap_minutes)


def count_searches(settings: Settings, algorithm: str) -> int:
    """Count the searches of a full run: two per tuned lane, for its cross-validation report and its temporal holdout.

    Args:
        settings: Settings of the deployment.
        algorithm: Name of an algorithm that is tuned in any case, for example by the configuration of a run.
    """
    tuning = {name for name, model in settings.enabled_models.items() if model.tune and model.grid} | {algorithm}
    return 2 * len(tuning) * len(settings.training.targets)


def minutes_per_search(settings: Settings, algorithm: str) -> float | None:
    """Return the time limit of one search, an equal part of `max_training_time_minutes`; None without a limit.

    The steps of a run may be separate processes, so the next search does not get the time that one leaves over.
    """
    minutes = settings.training.max_training_time_minutes
    return None if minutes is None else minutes / count_searches(settings, algorithm)


@contextmanager
def rows_from_settings(
    rows: DataFrame, features: FeatureSet, algorithm: Algorithm, settings: Settings, requested: Hyperparameters
) -> Iterator[DataFrame]:
    """Prepare the rows for the search and the fits of a lane.

    The rows are ordered by key and kept inside the block. If every fold is fitted in a task, they are returned as they
    are, because such folds keep and order their rows themselves (`fold_tasks.py`).

    Args:
        rows: Train rows.
        features: Columns to train on.
        algorithm: Algorithm to fit.
        settings: Settings of the deployment.
        requested: Hyperparameters; a search changes those in the grid.
    """
    grid = settings.enabled_models[algorithm.name].grid
    choices = {n: [values.low, values.high] if isinstance(values, Range) else values for n, values in grid.items()}
    tried = [requested, *(requested.model_copy(update={n: value}) for n, values in choices.items() for value in values)]
    if fits_in_tasks(algorithm, tried, features.preparation):
        yield rows
        return
    with cached_rows(rows, settings.training.cache_partitions) as ordered:
        yield ordered


def search_from_settings(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    settings: Settings,
    requested: Hyperparameters,
    tune: bool,
    scratch: str,
    notify: Callable[[str], None] = _LOG.info,
) -> Search:
    """Run the search of one lane.

    Args:
        rows: Train rows (`rows_from_settings`).
        features: Columns to train on.
        algorithm: Algorithm to fit.
        settings: Settings of the deployment.
        requested: Hyperparameters; the only trial without tuning.
        tune: True to search for better hyperparameters.
        scratch: URI of a folder for intermediate models.
        notify: Callback for progress messages.

    Raises:
        ValueError: If the metric is unknown, there are no trials, or a fold has no rows (`run_search`).
    """
    training, metric = settings.training, settings.evaluation.primary_metric
    grid = settings.enabled_models[algorithm.name].grid
    minutes = minutes_per_search(settings, algorithm.name) if tune and grid else None
    screened: list[Screened] = []
    screen_trials = _make_screen(rows, features, algorithm, settings, minutes, screened, notify)
    if tune and not grid:
        notify(messages.EMPTY_GRID(algorithm=algorithm.name))
    if minutes is not None:
        notify(
            f"the search has {minutes:g} of the {training.max_training_time_minutes:g} minutes of "
            f"training.max_training_time_minutes: {count_searches(settings, algorithm.name)} searches share them"
        )
    spark = rows.sparkSession
    takes_all_cores = algorithm.uses_all_cores(requested) and is_local(spark)
    return run_search(
        rows,
        features,
        algorithm,
        make_strategy(training.search, requested, grid, tune, metric, training.seed, screen_trials),
        name=training.search.strategy if tune else "none",
        folds=folds_from_settings(rows, training),
        seed=training.seed,
        primary_metric=metric,
        scratch=scratch if training.search.share_fits else None,
        max_minutes=minutes,
        threads=choose_threads(
            training, spark.sparkContext.defaultParallelism, notify, algorithm.title if takes_all_cores else None
        ),
        screened=screened,
        notify=notify,
    )


def _make_screen(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    settings: Settings,
    minutes: float | None,
    screened: list[Screened],
    notify: Callable[[str], None],
) -> Screen:
    """Return the configured screening; it appends the trials that it leaves out to `screened`.

    Its time counts from now, so that ranking and cross-validation share the time limit.
    """
    training, search = settings.training, settings.training.search
    deadline = None if minutes is None else time.monotonic() + minutes * 60

    def screen_trials(tried: Sequence[Hyperparameters]) -> Sequence[Hyperparameters]:
        if search.screen is None:
            return tried
        if algorithm.surrogate is None:
            notify(messages.UNUSED_SCREENING(title=algorithm.title))
            return tried
        ranking = screen(
            rows,
            features,
            algorithm,
            tried,
            keep=search.screen,
            rows=search.screen_rows,
            seed=training.seed,
            metric=settings.evaluation.primary_metric,
            deadline=deadline,
            notify=notify,
        )
        screened.extend(ranking.screened)
        return ranking.kept

    return screen_trials


def choose_threads(
    training: TrainingSettings, cores: int, notify: Callable[[str], None] = _LOG.info, alone: str | None = None
) -> int:
    """Return the number of concurrent fits, and report it if `parallel_training` is on.

    Args:
        training: Settings of the training.
        cores: Number of Spark's cores; more fits than cores would wait for each other.
        notify: Callback for the number, or for the reason why there is only one.
        alone: Title of the algorithm, if one of its fits takes all cores.
    """
    if not training.parallel_training:
        return 1
    if alone:
        notify(messages.PARALLEL_WITH_ALL_CORES(title=alone))
        return 1
    threads = min(cores, MOST_THREADS)
    notify(
        f"training.parallel_training: up to {threads} fits at the same time"
        if threads > 1
        else messages.PARALLEL_ON_ONE_CORE()
    )
    return threads


def learning_curve_from_settings(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    settings: Settings,
    search: Search,
    notify: Callable[[str], None] = _LOG.info,
) -> LearningCurve | None:
    """Return the learning curve of the hyperparameters that a search chose; None if it is not configured.

    Raises:
        ValueError: If a share has no rows to fit on (`learning_curve`).
    """
    shares = settings.evaluation.diagnostics.learning_curve
    if not shares:
        return None
    chosen = algorithm.hyperparameters.model_validate(search.best.hyperparameters)
    folds, seed = folds_from_settings(rows, settings.training), settings.training.seed
    return learning_curve(rows, features, algorithm, chosen, folds, shares, seed, notify=notify)
