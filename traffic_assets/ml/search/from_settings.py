"""What a deployment's settings ask for: its folds, its search and its learning curve.

How each of them works is in `folds.py`, `runner.py` and `learning_curves.py`; nothing is decided here.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.estimators.cores import is_local
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, learning_curve
from traffic_assets.ml.model_selection.trials import Screened, Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.search.runner import run_search
from traffic_assets.ml.search.screening import screen
from traffic_assets.ml.search.strategies import make_strategy
from traffic_assets.ml.splits.folds import Fold, make_folds
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import Hyperparameters, Range
from traffic_assets.settings.training import TrainingSettings

_LOG = logging.getLogger(__name__)
MOST_THREADS = 16
"""Each fit that is shared may bring half a gigabyte of nodes to this process while it is read (`shared_fits.py`)."""


def folds_from_settings(rows: DataFrame, training: TrainingSettings) -> list[Fold]:
    """The folds of some train rows.

    Raises:
        ValueError: as `make_folds`.
    """
    return make_folds(rows, training.fold_kind, training.folds, training.seed, training.fold_gap_minutes)


def count_searches(settings: Settings, algorithm: str) -> int:
    """How many searches a whole run has: two a lane that tunes, for its cv report and for its temporal verdict.

    Args:
        settings: of the deployment.
        algorithm: name of one that searches, also where the settings do not say so, as from the Launchpad.
    """
    tuning = {name for name, model in settings.enabled_models.items() if model.tune and model.grid} | {algorithm}
    return 2 * len(tuning) * len(settings.training.targets)


def minutes_per_search(settings: Settings, algorithm: str) -> float | None:
    """The time of one search: an even part of `max_training_time_minutes`; None where there is no limit.

    The steps of a run may be processes of their own and know nothing of each other, so time that one search leaves
    over does not go to the next.
    """
    minutes = settings.training.max_training_time_minutes
    return None if minutes is None else minutes / count_searches(settings, algorithm)


@contextmanager
def rows_from_settings(
    rows: DataFrame, features: FeatureSet, algorithm: Algorithm, settings: Settings, requested: Hyperparameters
) -> Iterator[DataFrame]:
    """The rows for a lane's search and fits: placed by key and kept inside the block, or as they come where every fold
    is judged in a task: those keep what they make of the rows themselves, in an order of their own (`fold_tasks.py`).

    Args:
        rows: train rows.
        features: columns to train on.
        algorithm: what is fitted.
        settings: of the deployment.
        requested: hyperparameters, of which a search changes those in the grid.
    """
    grid = settings.enabled_models[algorithm.name].grid
    ends = {n: [given.low, given.high] if isinstance(given, Range) else given for n, given in grid.items()}
    tried = [requested, *(requested.model_copy(update={n: value}) for n, values in ends.items() for value in values)]
    if fits_in_tasks(algorithm, tried, features.preparation):
        yield rows
        return
    with cached_rows(rows, settings.training.cache_partitions) as placed:
        yield placed


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
    """The search of one lane.

    Args:
        rows: train rows (`rows_from_settings`).
        features: columns to train on.
        algorithm: what to fit.
        settings: of the deployment.
        requested: hyperparameters; where nothing is tuned, the only trial.
        tune: whether to look for better ones.
        scratch: URI of a folder for what is saved on the way.
        notify: told of progress.

    Raises:
        ValueError: as `run_search`.
    """
    training, metric = settings.training, settings.evaluation.primary_metric
    wanted, screened, started = training.search, list[Screened](), time.monotonic()

    context = rows.sparkSession.sparkContext
    alone = algorithm.uses_all_cores(requested) and is_local(rows.sparkSession)
    grid = settings.enabled_models[algorithm.name].grid
    minutes = minutes_per_search(settings, algorithm.name) if tune and grid else None

    def let_through(tried: Sequence[Hyperparameters]) -> Sequence[Hyperparameters]:
        if wanted.screen is None:
            return tried
        if algorithm.surrogate is None:
            notify(f"training.search.screen does nothing for {algorithm.title}, which has no fast engine")
            return tried
        ranking = screen(
            rows,
            features,
            algorithm,
            tried,
            keep=wanted.screen,
            rows=wanted.screen_rows,
            seed=training.seed,
            metric=metric,
            deadline=None if minutes is None else started + minutes * 60,
            notify=notify,
        )
        screened.extend(ranking.screened)
        return ranking.kept

    if tune and not grid:
        notify(f"there is nothing to search, since models.{algorithm.name}.grid is empty")
    if minutes is not None:
        notify(
            f"the search has {minutes:g} of the {training.max_training_time_minutes:g} minutes of "
            f"training.max_training_time_minutes: {count_searches(settings, algorithm.name)} searches share them"
        )
    return run_search(
        rows,
        features,
        algorithm,
        make_strategy(wanted, requested, grid, tune, metric, training.seed, let_through),
        name=wanted.strategy if tune else "none",
        folds=folds_from_settings(rows, training),
        seed=training.seed,
        primary_metric=metric,
        scratch=scratch if wanted.share_fits else None,
        max_minutes=minutes,
        threads=choose_threads(training, context.defaultParallelism, notify, algorithm.title if alone else None),
        screened=screened,
        notify=notify,
    )


def choose_threads(
    training: TrainingSettings, cores: int, notify: Callable[[str], None] = _LOG.info, alone: str | None = None
) -> int:
    """How many fits there are at the same time; tells it where `parallel_training` is on.

    Args:
        training: of the settings.
        cores: that Spark has; more fits than these would wait for each other.
        notify: told of it.
        alone: what is fitted, where one fit takes all cores by itself.
    """
    if not training.parallel_training:
        return 1
    if alone:
        notify(f"training.parallel_training does nothing here, since one fit of {alone} takes all cores")
        return 1
    threads = min(cores, MOST_THREADS)
    notify(
        f"training.parallel_training: up to {threads} fits at the same time"
        if threads > 1
        else "training.parallel_training does nothing here, since Spark has one core"
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
    """The learning curve of the hyperparameters that a search chose; None where none is asked for.

    Raises:
        ValueError: as `learning_curve`.
    """
    shares = settings.evaluation.diagnostics.learning_curve
    if not shares:
        return None
    chosen = algorithm.hyperparameters.model_validate(search.best.hyperparameters)
    folds, seed = folds_from_settings(rows, settings.training), settings.training.seed
    return learning_curve(rows, features, algorithm, chosen, folds, shares, seed, notify=notify)
