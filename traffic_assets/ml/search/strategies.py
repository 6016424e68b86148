"""Search strategies: grid, random, TPE and successive halving.

A strategy is a generator: it yields a round of trials to evaluate and receives their results. It does not depend on
Spark. `shared_fits.py` reduces the cost of a round by evaluating many trials from one fit.
"""

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from traffic_assets.messages import search as messages
from traffic_assets.ml.metrics.metrics import make_sort_key
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.base import Grid, Hyperparameters, Range, grid_points
from traffic_assets.settings.training import SearchSettings


@dataclass(frozen=True)
class Round:
    """Trials to evaluate together.

    Attributes:
        tried: Hyperparameters of the trials.
        row_share: Share of the train rows to use.
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
    """Return the configured strategy; without tuning, a single trial of the base hyperparameters.

    Args:
        search: Strategy, number of trials and reduction.
        base: Hyperparameters that the grid overrides.
        grid: Values to try or a range to sample from, by hyperparameter.
        tune: False for a single trial.
        metric: Metric to compare the trials by.
        seed: Seed for the samples.
        screen: Function that selects the grid points or samples to evaluate; it is called when the search begins.
    """
    if not tune or not grid:
        return _all_at_once([base])
    if search.strategy == "grid":
        return _all_at_once(grid_points(base, grid), screen)
    if search.strategy == "random":
        return _all_at_once(_sample_points(base, grid, search.trials, seed), screen)
    if search.strategy == "halving":
        return _halving(_list_points(base, grid, search.trials, seed), search.reduction, metric)
    return _tpe(base, grid, search.trials, search.batch, metric, seed)


def _all_at_once(points: Sequence[Hyperparameters], screen: Screen = list) -> Strategy:
    yield Round(screen(points))


def _sample_points(base: Hyperparameters, grid: Grid, trials: int, seed: int) -> list[Hyperparameters]:
    """Return different random points; fewer if the grid has fewer points."""
    generator = random.Random(seed)
    points: list[Hyperparameters] = []
    for _ in range(trials * 20):
        values = {name: _sample_value(choices, generator, base.is_integer(name)) for name, choices in grid.items()}
        if (point := type(base).model_validate(base.model_dump() | values)) not in points:
            points.append(point)
        if len(points) == trials:
            break
    return points


def _sample_value(choices: list[Any] | Range, generator: random.Random, whole: bool) -> Any:
    return choices.at(generator.random(), whole) if isinstance(choices, Range) else generator.choice(choices)


def _list_points(base: Hyperparameters, grid: Grid, trials: int, seed: int) -> list[Hyperparameters]:
    """Return every point of a grid of values, or random points if the grid has a range."""
    if any(isinstance(values, Range) for values in grid.values()):
        return _sample_points(base, grid, trials, seed)
    return grid_points(base, grid)


def _halving(tried: Sequence[Hyperparameters], reduction: int, metric: str) -> Strategy:
    """Yield the rungs of successive halving (Jamieson and Talwalkar 2016): all trials on few rows, the best on more.

    Each rung keeps one in `reduction` trials and gives them `reduction` times the rows; the last rung has all rows. A
    rung begins with the best trial of the one before, so that this trial is chosen if the time limit ends the rung.
    """
    rungs = 1
    while reduction**rungs < len(tried):
        rungs += 1
    left = list(tried)
    for rung in reversed(range(rungs)):
        trials = yield Round(left, row_share=1 / reduction**rung)
        order = sorted(range(len(trials)), key=lambda i: (make_sort_key(metric, trials[i].over_folds(metric).mean), i))
        left = [left[i] for i in order[: max(1, -(-len(left) // reduction))]]


def _tpe(base: Hyperparameters, grid: Grid, trials: int, batch: int, metric: str, seed: int) -> Strategy:
    """Yield batches from Optuna's tree-structured Parzen estimator; their size is fixed, so a seed gives one search."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError(messages.MISSING_OPTUNA(command=install_command("tpe"))) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=min(10, max(1, trials // 2)))
    study = optuna.create_study(sampler=sampler, direction="minimize")
    left = trials
    while left > 0:
        suggestions = [study.ask() for _ in range(min(batch, left))]
        points = [
            type(base).model_validate(
                base.model_dump()
                | {name: _suggest(trial, name, values, base.is_integer(name)) for name, values in grid.items()}
            )
            for trial in suggestions
        ]
        different = list(dict.fromkeys(points))
        results = yield Round(different)
        for suggestion, point in zip(suggestions, points, strict=True):
            result = results[different.index(point)]
            study.tell(suggestion, make_sort_key(metric, result.over_folds(metric).mean))
        left -= len(suggestions)


def _suggest(trial: Any, name: str, values: list[Any] | Range, whole: bool) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    if whole:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)
