"""Screening: a fast engine ranks many hyperparameters on few rows, and only the best of them go on to Spark.

XGBoost grows the same kinds of trees by histograms, and on a bounded sample of the train rows it takes a hundredth of
the time. It ranks and nothing else: those that are let through are cross-validated by MLlib, which decides. What one
fit can answer for anyway (`shared_fits.py`) needs no screening; it pays for bins, subsets and steps.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cached
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.metrics.metrics import MAPE_FLOOR
from traffic_assets.ml.model_selection.trials import Screened
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, select_present_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters

TEST_SHARE = 0.2
_TELL_EVERY = 100
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ranking:
    """What screening let through, in the order given, and what it did not."""

    kept: list[Hyperparameters]
    screened: list[Screened]


def screen(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    tried: Sequence[Hyperparameters],
    *,
    keep: int,
    rows: int,
    seed: int,
    metric: str = "rmse",
    deadline: float | None = None,
    notify: Callable[[str], None] = _LOG.info,
) -> Ranking:
    """Rank hyperparameters by a fast engine on a sample of the train rows, and keep the best.

    Args:
        train: train rows.
        features: columns to train on.
        algorithm: whose hyperparameters they are; one with a `quick` engine.
        tried: what to rank.
        keep: how many go on.
        rows: rows of the sample at most, drawn by hash; all that ever comes to this process.
        seed: of the hash and the fits.
        metric: what chooses in the end. MAE and MAPE rank here too; for R², which orders as RMSE does, and for a metric
            of an installed package, which Spark alone computes, the RMSE ranks.
        deadline: by `time.monotonic()`; after it only so many are ranked as are to go on.
        notify: told of the outcome.

    Raises:
        ImportError: where the engine is not installed, with the command.
        ValueError: where the algorithm has no fast engine.
    """
    if algorithm.surrogate is None:
        raise ValueError(f"{algorithm.name} has no fast engine to screen by: set training.search.screen to null")
    if len(tried) <= keep:
        return Ranking(list(tried), [])
    fit, judged = _sample(train, features, rows, seed, scaled=not algorithm.scale_invariant)
    errors, ranks = list[float](), list[float]()
    ranked_by = metric if metric in ("mae", "mape") else "rmse"
    for hyperparameters in tried:
        if deadline is not None and len(errors) >= keep and time.monotonic() > deadline:
            break
        model = algorithm.surrogate(hyperparameters, seed, fit[0].shape[1])
        predicted = model.fit(*fit).predict(judged[0])
        errors.append(_error("rmse", judged[1], predicted))
        ranks.append(_error(ranked_by, judged[1], predicted))
        if len(errors) % _TELL_EVERY == 0:
            notify(f"{algorithm.title}: {len(errors)} of {len(tried)} trials screened")
    looked_at = len(errors)
    best = set(sorted(range(looked_at), key=lambda i: (ranks[i], i))[:keep])
    late = f", {len(tried) - looked_at} not for want of time" if looked_at < len(tried) else ""
    notify(
        f"{algorithm.title}: {looked_at} trials screened by XGBoost on {len(fit[1]) + len(judged[1]):,} train rows"
        f"{late}; the {keep} best by {ranked_by.upper()} go on"
    )
    return Ranking(
        [tried[i] for i in sorted(best)],
        [Screened(hyperparameters=tried[i].model_dump(), rmse=errors[i]) for i in range(looked_at) if i not in best],
    )


def _error(metric: str, observed: NDArray[np.float64], predicted: NDArray[np.float32]) -> float:
    """As `metrics.py` defines it; infinite where a relative error can be told of no row."""
    error = np.abs(predicted - observed)
    if metric == "mae":
        return float(error.mean())
    if metric == "mape":
        counted = np.abs(observed) >= MAPE_FLOOR
        return float((error[counted] / np.abs(observed[counted])).mean()) if counted.any() else math.inf
    return float(np.sqrt(np.mean(error**2)))


Rows = tuple[NDArray[np.float32], NDArray[np.float64]]


def _sample(train: DataFrame, features: FeatureSet, rows: int, seed: int, scaled: bool) -> tuple[Rows, Rows]:
    """Vectors and targets of the fitted and of the judged part: shapes (rows, slots) and (rows,)."""
    share = min(1.0, rows / max(features.rows, 1))
    # in an order of its own: XGBoost draws by the place of a row
    drawn = train.where(unit_hash(seed, "screen") < share).orderBy(unit_hash(seed, "screen"), *KEYS).limit(rows)
    drawn = drawn.withColumn("judged", unit_hash(seed, "screen fold") < TEST_SHARE)
    with cached(drawn):
        counts = {row["judged"]: row["count"] for row in drawn.groupBy("judged").count().collect()}
        if len(counts) < 2:
            number = sum(counts.values())
            raise ValueError(f"{number} sampled rows are too few to screen by: set training.search.screen to null")
        fitted = drawn.where(~F.col("judged"))
        # what only other rows hold cannot be learned from these
        preprocessing = fit_preprocessor(fitted, select_present_features(features, fitted), scaled)
        vectors = preprocessing.transform(drawn).select(
            vector_to_array(F.col(VECTOR), "float32").alias("x"), F.col(features.target).alias("y"), "judged"
        )
        found: Any = vectors.toPandas()
    x, y, mask = np.stack(found["x"]), found["y"].to_numpy(), found["judged"].to_numpy()
    return (x[~mask], y[~mask]), (x[mask], y[mask])
