"""k-fold cross-validation and grid search on train rows, the preprocessor refitted in each fold.

    fold 0   [ judged ][ fit    ][ fit    ][ fit    ][ fit    ]
    fold 1   [ fit    ][ judged ][ fit    ][ fit    ][ fit    ]   ...

A fold is a hash of the row's key (`splits.fold_of`), so it holds the same rows everywhere. No row of the test
split ever comes here.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithms import Algorithm
from traffic_assets.ml.metrics import METRICS, Metrics, Spread, evaluate, spread
from traffic_assets.ml.preprocessing import FeatureSet
from traffic_assets.ml.splits import fold_of
from traffic_assets.ml.training import cached_vectors, fit_model, fit_preprocessor
from traffic_assets.settings.hyperparameters import Grid, Hyperparameters

_LOG = logging.getLogger(__name__)
_FOLD = "fold"


class Trial(BaseModel):
    """One set of hyperparameters, judged on every fold.

    Attributes:
        hyperparameters: what was tried.
        folds: the metrics of each fold, in order.
        summary: by metric, mean and standard deviation over the folds.
    """

    model_config = ConfigDict(frozen=True)

    hyperparameters: dict[str, Any]
    folds: list[Metrics]
    summary: dict[str, Spread]


class Search(BaseModel):
    """All trials of a lane, and the one chosen by the primary metric on cross-validation."""

    model_config = ConfigDict(frozen=True)

    primary_metric: str
    trials: list[Trial]
    chosen: int

    @property
    def best(self) -> Trial:
        """The chosen trial."""
        return self.trials[self.chosen]


def candidates(hyperparameters: Hyperparameters, grid: Grid, tune: bool) -> list[Hyperparameters]:
    """What to try: the hyperparameters alone, or with every combination of the grid over them."""
    if not tune or not grid:
        return [hyperparameters]
    kind, base = type(hyperparameters), hyperparameters.model_dump()
    return [
        kind.model_validate(base | dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())
    ]


def cross_validate(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    tried: Sequence[Hyperparameters],
    *,
    folds: int,
    seed: int,
    primary_metric: str = "rmse",
    notify: Callable[[str], None] = _LOG.info,
) -> Search:
    """Judge each set of hyperparameters on every fold and choose the best.

    Args:
        train: train rows; read once per fold, so keep them cached.
        features: columns to train on.
        algorithm: what to fit.
        tried: hyperparameters, at least one; a tie goes to the earlier.
        folds: number of folds, at least 2.
        seed: of the folds and of the fits.
        primary_metric: what chooses: rmse, mae, mape (least wins) or r2 (most wins).
        notify: told of each fold as it is done.

    Raises:
        ValueError: without hyperparameters, on an unknown metric, or where a fold has no rows.
    """
    if not tried:
        raise ValueError("nothing to try: give at least one set of hyperparameters")
    if primary_metric not in METRICS:
        raise ValueError(f"unknown metric {primary_metric!r}; the known ones are {', '.join(METRICS)}")
    folded = train.withColumn(_FOLD, fold_of(folds, seed))
    held = {row[_FOLD] for row in folded.select(_FOLD).distinct().collect()}
    if empty := sorted(set(range(folds)) - held):
        raise ValueError(f"fold {empty[0] + 1} of {folds} has no rows: train on more rows, or on fewer folds")
    judged: list[list[Metrics]] = [[] for _ in tried]
    for fold in range(folds):
        fit_rows, judged_rows = folded.where(F.col(_FOLD) != fold), folded.where(F.col(_FOLD) == fold)
        preprocessing = fit_preprocessor(fit_rows, features)
        with cached_vectors(preprocessing, fit_rows) as vectors:
            for found, hyperparameters in zip(judged, tried, strict=True):
                model = fit_model(vectors, algorithm, hyperparameters, seed)
                found.append(evaluate(model.transform(preprocessing.transform(judged_rows))))
                notify(
                    f"{algorithm.title}: fold {fold + 1} of {folds}{_trial_of(len(found), judged, tried)}, "
                    f"RMSE {found[-1].rmse:.3f} mph, R² {found[-1].r2:.5f}"
                )
    trials = [
        Trial(
            hyperparameters=hyperparameters.model_dump(),
            folds=found,
            summary={metric: spread(getattr(m, metric) for m in found) for metric in METRICS},
        )
        for hyperparameters, found in zip(tried, judged, strict=True)
    ]
    return Search(primary_metric=primary_metric, trials=trials, chosen=_best(trials, primary_metric))


def _best(trials: Sequence[Trial], metric: str) -> int:
    sign = -1 if metric == "r2" else 1
    return min(range(len(trials)), key=lambda i: (sign * trials[i].summary[metric].mean, i))


def _trial_of(done: int, judged: Sequence[Sequence[Metrics]], tried: Sequence[Hyperparameters]) -> str:
    if len(tried) == 1:
        return ""
    return f", trial {sum(len(found) >= done for found in judged)} of {len(tried)}"
