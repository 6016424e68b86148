"""The temporal verdict: a second fit on the first part of the window's time, judged on the rest.

A random split of autocorrelated rows flatters a model, since it has seen the neighbours of every test row (Roberts
et al. 2017); this verdict says by how much. It chooses nothing.

    time ->   fit fit fit fit fit fit fit fit | judged judged
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached
from traffic_assets.ml.fitting.early_stopping import with_stopping_rows
from traffic_assets.ml.fitting.pipeline import fit_pipeline
from traffic_assets.ml.fold_tasks import fold_tasks, in_tasks
from traffic_assets.ml.folds import Fold
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET, Metrics, evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, narrowed
from traffic_assets.ml.search.trials import Search
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)


class TemporalVerdict(BaseModel):
    """How a lane does on time it has not seen.

    Attributes:
        boundary: rows before this instant were fitted on, the others judged.
        fit_rows: rows fitted on.
        metrics: on the rows judged.
        hyperparameters: of the fit.
        search: what chose them, on the rows fitted on; None where they were given.
        instants: of the rows judged, seconds since 1970, in order.
        losses: mean squared error at each of them; what tests of difference compare.
    """

    model_config = ConfigDict(frozen=True)

    boundary: datetime
    fit_rows: int
    metrics: Metrics
    hyperparameters: dict[str, Any]
    search: Search | None = None
    instants: list[int] = []
    losses: list[float] = []


def temporal_verdict(
    rows: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    choose: Callable[[DataFrame, FeatureSet], Hyperparameters | Search],
    *,
    share: float,
    seed: int,
    notify: Callable[[str], None] = _LOG.info,
) -> TemporalVerdict:
    """Fit on the first part of the rows in time and judge on the rest.

    Args:
        rows: all rows of the window, whatever their split; those of train are among them.
        features: columns to train on, as they are in train.
        algorithm: what to fit.
        choose: the hyperparameters for the first part and its features, or a search for them, which sees no more.
        share: the first part's share of the rows.
        seed: of the fit.
        notify: told of progress.

    Raises:
        ValueError: where one of the parts would be empty.
    """
    seconds = F.col("timestamp").cast("long")
    boundary, number, total = _boundary(rows, seconds, share)
    earlier = rows.where(seconds < boundary)
    if not number:
        raise ValueError(
            f"no rows lie before {datetime.fromtimestamp(boundary, UTC):%Y-%m-%d %H:%M} UTC, where the later part "
            f"begins: the window holds too few instants for a temporal verdict"
        )
    # what only later rows hold cannot be learned from the earlier ones
    features = narrowed(features, earlier, number, others=total - features.rows)
    given = choose(earlier, features)
    if isinstance(given, Search):
        search, chosen = given, algorithm.hyperparameters.model_validate(given.best.hyperparameters)
    else:
        search, chosen = None, given
    fold = Fold(seconds < boundary, seconds >= boundary, "later time")
    with _predicted(rows, fold, features, algorithm, chosen, seed) as judged:
        metrics = evaluate(judged, features.target)
        instants, losses = losses_in_time(judged, features.target)
    unit = TARGETS[features.target].unit
    notify(f"{algorithm.title}: temporal verdict, RMSE {metrics.rmse:.3f} {unit}, R² {metrics.r2:.5f}")
    return TemporalVerdict(
        boundary=datetime.fromtimestamp(boundary, UTC),
        fit_rows=features.rows,
        metrics=metrics,
        hyperparameters=chosen.model_dump(),
        search=search,
        instants=instants,
        losses=losses,
    )


def _boundary(rows: DataFrame, seconds: Column, share: float) -> tuple[int, int, int]:
    """The instant before which this share of the rows lies, or less by those of one instant; how many do, and of what.

    One line an instant comes back.

    Raises:
        ValueError: without rows.
    """
    found = rows.groupBy(seconds.alias("at")).count().orderBy("at").collect()
    if not found:
        raise ValueError("no rows to split in time: the training window is empty")
    until = np.cumsum([row["count"] for row in found])
    at = int(np.searchsorted(until, share * until[-1]))
    return found[at]["at"], int(until[at] - found[at]["count"]), int(until[-1])


@contextmanager
def _predicted(
    rows: DataFrame,
    fold: Fold,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    seed: int,
) -> Iterator[DataFrame]:
    """The rows judged with timestamp, target and prediction, of a fit on the others, kept inside the block."""
    if in_tasks(algorithm, [hyperparameters], features.preparation):
        marked = with_stopping_rows(rows, algorithm, [hyperparameters], seed)
        with (
            fold_tasks(marked, features, algorithm, [fold], told=["timestamp"]) as tasks,
            tasks.kept(0, hyperparameters, seed) as judged,
        ):
            yield judged
        return
    pipeline = fit_pipeline(rows.where(fold.fit), features, algorithm, hyperparameters, seed)
    predicted = pipeline.transform(rows.where(fold.judged))
    with cached(predicted.select("timestamp", features.target, PREDICTION)) as judged:
        yield judged


def losses_in_time(predicted: DataFrame, target: str = TARGET) -> tuple[list[int], list[float]]:
    """Instants (seconds since 1970) and the mean squared error at each, in order; one line an instant comes back."""
    loss = F.col(PREDICTION) - F.col(target)
    at = F.col("timestamp").cast("long").alias("at")
    rows = predicted.groupBy(at).agg(F.avg(loss * loss).alias("loss")).orderBy("at").collect()
    return [row["at"] for row in rows], [row["loss"] for row in rows]
