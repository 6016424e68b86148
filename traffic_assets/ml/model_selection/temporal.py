"""Evaluation on the temporal holdout: a second fit on the earlier part of the window, evaluated on the later part.

    time ->   train train train train train train | test test

A random split is optimistic for autocorrelated rows, because the neighbours of every test row are in train (Roberts et
al. 2017). The temporal holdout shows by how much. No model is chosen by it.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.messages import model_selection as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.fitting.fold_fitter import FoldSize
from traffic_assets.ml.fitting.fold_fitter_factory import open_fold_fitter
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET, Metrics, evaluate, format_r2
from traffic_assets.ml.model_selection.cross_validation import require_fold_rows
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, select_present_features
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)
FEW_ROWS = 100
"""Number of rows from which on it does not happen that all of them only stop a fit early, which is a tenth of them."""


class TemporalEvaluation(BaseModel):
    """Evaluation of a lane on the temporal holdout.

    Attributes:
        boundary: First instant of the evaluated rows; earlier rows were fitted on.
        fit_rows: Number of rows fitted on.
        metrics: Metrics on the test rows.
        hyperparameters: Hyperparameters of the fit.
        search: Search that chose them on the rows fitted on; None if no search was run.
        instants: Instants of the test rows, seconds since 1970, in order.
        losses: Mean squared error at each instant, which significance tests compare.
    """

    model_config = ConfigDict(frozen=True)

    boundary: datetime
    fit_rows: int
    metrics: Metrics
    hyperparameters: dict[str, Any]
    search: Search | None = None
    instants: list[int] = []
    losses: list[float] = []


def evaluate_temporal_holdout(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    choose: Callable[[DataFrame, FeatureSet], Hyperparameters | Search],
    *,
    share: float,
    seed: int,
    notify: Callable[[str], None] = _LOG.info,
) -> TemporalEvaluation:
    """Fit on the earlier part of the rows and evaluate on the later part.

    Args:
        rows: All rows of the window, of every split.
        features: Columns to train on, as they are in train.
        algorithm: Algorithm to fit.
        choose: Function that returns hyperparameters, or a search for them, from the earlier rows and their features.
        share: Share of the rows in the earlier part.
        seed: Seed for the fit.
        notify: Callback for a progress message.

    Raises:
        ValueError: If one of the parts would be empty.
    """
    seconds = F.col("timestamp").cast("long")
    boundary, earlier_rows, total = _find_boundary(rows, seconds, share)
    earlier = rows.where(seconds < boundary)
    if not earlier_rows:
        raise ValueError(messages.NO_EARLIER_ROWS(boundary=datetime.fromtimestamp(boundary, UTC)))
    # a feature without a value in the earlier rows cannot be learned from them
    features = select_present_features(features, earlier, earlier_rows, others=total - features.rows)
    choice = choose(earlier, features)
    if isinstance(choice, Search):
        search, chosen = choice, algorithm.hyperparameters.model_validate(choice.best.hyperparameters)
    else:
        search, chosen = None, choice
    fold = Fold(seconds < boundary, seconds >= boundary, "temporal holdout")
    size = FoldSize(earlier_rows, test=total - earlier_rows)
    with open_fold_fitter(rows, features, algorithm, [fold], [chosen], seed, extra_columns=["timestamp"]) as fitter:
        if earlier_rows < FEW_ROWS and STOP in fitter.rows.columns:
            require_fold_rows([fold], fitter.fold_sizes())
        with fitter.prepare(0, size) as prepared, prepared.predictions(chosen) as predicted:
            metrics = evaluate(predicted, features.target)
            instants, losses = losses_by_instant(predicted, features.target)
    unit = TARGETS[features.target].unit
    notify(f"{algorithm.title}: temporal holdout, RMSE {metrics.rmse:.3f} {unit}, R² {format_r2(metrics.r2)}")
    return TemporalEvaluation(
        boundary=datetime.fromtimestamp(boundary, UTC),
        fit_rows=features.rows,
        metrics=metrics,
        hyperparameters=chosen.model_dump(),
        search=search,
        instants=instants,
        losses=losses,
    )


def _find_boundary(rows: DataFrame, seconds: Column, share: float) -> tuple[int, int, int]:
    """Return the first instant of the later part, the number of rows before it, and the number of all rows.

    The earlier part has at most this share of the rows, because an instant is not divided. Spark returns one line per
    instant.

    Raises:
        ValueError: If there are no rows.
    """
    counts = rows.groupBy(seconds.alias("at")).count().orderBy("at").collect()
    if not counts:
        raise ValueError(messages.NO_ROWS_IN_WINDOW())
    until = np.cumsum([row["count"] for row in counts])
    at = int(np.searchsorted(until, share * until[-1]))
    return counts[at]["at"], int(until[at] - counts[at]["count"]), int(until[-1])


def losses_by_instant(predicted: DataFrame, target: str = TARGET) -> tuple[list[int], list[float]]:
    """Return instants (seconds since 1970) and the mean squared error at each; Spark returns one line per instant."""
    loss = F.col(PREDICTION) - F.col(target)
    at = F.col("timestamp").cast("long").alias("at")
    rows = predicted.groupBy(at).agg(F.avg(loss * loss).alias("loss")).orderBy("at").collect()
    return [row["at"] for row in rows], [row["loss"] for row in rows]
