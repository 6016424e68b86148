"""Which trials are judged, and in which order: grid, random, TPE, successive halving.

A strategy is a generator: it yields a round of trials to judge and is sent them back judged. It knows nothing of
Spark. What a round costs is decided elsewhere: `shared_fits.py` lets one fit answer for many trials.
"""

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from traffic_assets.ml.metrics.metrics import better_first
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.settings.extras import installing
from traffic_assets.settings.models.base import Grid, Hyperparameters, Range, grid_points
from traffic_assets.settings.training import SearchSettings


@dataclass(frozen=True)
class Round:
    """Trials to judge together.

    Attributes:
        tried: their hyperparameters.
        row_share: share of the train rows to judge them with.
    """

    tried: Sequence[Hyperparameters]
    row_share: float = 1.0


Strategy = Generator[Round, list[Trial], None]
Screen = Callable[[Sequence[Hyperparameters]], Sequence[Hyperparameters]]


def make_strategy(
    search: SearchSettings,
    base: Hyperparameters,
    grid: Grid,
    tune: bool,
    metric: str,
    seed: int,
    screen: Screen = list,
) -> Strategy:
    """The strategy that the settings name; without tuning, the one trial of the hyperparameters as they are.

    Args:
        search: strategy, number of trials, reduction.
        base: hyperparameters that the grid is laid over.
        grid: by hyperparameter, the values to try, or a range to draw from.
        tune: whether to search at all.
        metric: what the trials are compared by.
        seed: of whatever is drawn.
        screen: which of the points of a grid, or of the draws, are judged at all; asked when the search begins.
    """
    if not tune or not grid:
        return _all_at_once([base])
    if search.strategy == "grid":
        return _all_at_once(grid_points(base, grid), screen)
    if search.strategy == "random":
        return _all_at_once(_drawn(base, grid, search.trials, seed), screen)
    if search.strategy == "halving":
        return _halving(_all_or_drawn(base, grid, search.trials, seed), search.reduction, metric)
    return _tpe(base, grid, search.trials, search.batch, metric, seed)


def _all_at_once(points: Sequence[Hyperparameters], screen: Screen = list) -> Strategy:
    yield Round(screen(points))


def _drawn(base: Hyperparameters, grid: Grid, trials: int, seed: int) -> list[Hyperparameters]:
    """Different draws; fewer where the grid holds fewer points."""
    draw = random.Random(seed)
    found: list[Hyperparameters] = []
    for _ in range(trials * 20):
        given = {name: _one(values, draw, base.whole(name)) for name, values in grid.items()}
        if (point := type(base).model_validate(base.model_dump() | given)) not in found:
            found.append(point)
        if len(found) == trials:
            break
    return found


def _one(values: list[Any] | Range, draw: random.Random, whole: bool) -> Any:
    return values.at(draw.random(), whole) if isinstance(values, Range) else draw.choice(values)


def _all_or_drawn(base: Hyperparameters, grid: Grid, trials: int, seed: int) -> list[Hyperparameters]:
    """Every point of a grid of values alone, or draws where it has a range."""
    if any(isinstance(values, Range) for values in grid.values()):
        return _drawn(base, grid, trials, seed)
    return grid_points(base, grid)


def _halving(tried: Sequence[Hyperparameters], reduction: int, metric: str) -> Strategy:
    """Successive halving (Jamieson and Talwalkar 2016): all on few rows, the best of them on more.

    Each rung keeps the best of `reduction` and gives them `reduction` times the rows; the last has them all. A rung
    begins with what led the one before, so that this is what is chosen where time runs out in its midst.
    """
    rungs = 1
    while reduction**rungs < len(tried):
        rungs += 1
    left = list(tried)
    for rung in reversed(range(rungs)):
        judged = yield Round(left, row_share=1 / reduction**rung)
        order = sorted(range(len(judged)), key=lambda i: (better_first(metric, judged[i].over_folds(metric).mean), i))
        left = [left[i] for i in order[: max(1, -(-len(left) // reduction))]]


def _tpe(base: Hyperparameters, grid: Grid, trials: int, batch: int, metric: str, seed: int) -> Strategy:
    """Optuna's tree-structured Parzen estimator, asked in batches of a fixed size: the same seed, the same search."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError(f"training.search.strategy 'tpe' needs Optuna: {installing('tpe')}") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=min(10, max(1, trials // 2)))
    study = optuna.create_study(sampler=sampler, direction="minimize")
    left = trials
    while left > 0:
        asked = [study.ask() for _ in range(min(batch, left))]
        points = [
            type(base).model_validate(
                base.model_dump()
                | {name: _suggested(trial, name, values, base.whole(name)) for name, values in grid.items()}
            )
            for trial in asked
        ]
        different = list(dict.fromkeys(points))
        judged = yield Round(different)
        for trial, point in zip(asked, points, strict=True):
            found = judged[different.index(point)]
            study.tell(trial, better_first(metric, found.over_folds(metric).mean))
        left -= len(asked)


def _suggested(trial: Any, name: str, values: list[Any] | Range, whole: bool) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    if whole:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)
