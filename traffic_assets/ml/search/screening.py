"""Screening: a surrogate ranks many hyperparameters on few rows, and Spark cross-validates only the best of them.

XGBoost grows the same kinds of trees by histograms. On a bounded sample of the train rows it takes a hundredth of the
time. It only ranks; the cross-validation with MLlib decides. Trials that share a fit (`shared_fits.py`) need no
screening; it is worthwhile for bins, subsets and step sizes.
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
from traffic_assets.messages import search as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.caching import cache_frame
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.metrics.metrics import MAPE_FLOOR
from traffic_assets.ml.model_selection.trials import Screened
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, select_present_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters

TEST_SHARE = 0.2
_NOTIFY_EVERY = 100
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ranking:
    """Outcome of a screening.

    Attributes:
        kept: Hyperparameters to cross-validate, in their original order.
        screened: Hyperparameters that were ranked too low.
    """

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
    """Rank hyperparameters with a surrogate on a sample of the train rows, and keep the best.

    The ranking is by MAE or MAPE if that is the metric, otherwise by RMSE. R² orders trials as RMSE does. Metrics of
    installed packages need Spark.

    Args:
        train: Train rows.
        features: Columns to train on.
        algorithm: Algorithm with a surrogate.
        tried: Hyperparameters of this algorithm.
        keep: Number of hyperparameters to keep.
        rows: Maximum number of sampled rows; they are collected in this process.
        seed: Seed for the sample and the fits.
        metric: Metric that chooses among the trials in cross-validation.
        deadline: Time by `time.monotonic()` after which the ranking stops, unless fewer than `keep` are ranked.
        notify: Callback for progress messages.

    Raises:
        ImportError: If the surrogate is not installed; the message has the command.
        ValueError: If the algorithm has no surrogate, or the sample is too small.
    """
    if algorithm.surrogate is None:
        raise ValueError(messages.NO_SURROGATE(algorithm=algorithm.name))
    if len(tried) <= keep:
        return Ranking(list(tried), [])
    train_part, test_part = _sample(train, features, rows, seed, scaled=not algorithm.scale_invariant)
    errors, ranks = list[float](), list[float]()
    ranked_by = metric if metric in ("mae", "mape") else "rmse"
    for hyperparameters in tried:
        if deadline is not None and len(errors) >= keep and time.monotonic() > deadline:
            break
        model = algorithm.surrogate(hyperparameters, seed, train_part[0].shape[1])
        predicted = model.fit(*train_part).predict(test_part[0])
        errors.append(_error("rmse", test_part[1], predicted))
        ranks.append(_error(ranked_by, test_part[1], predicted))
        if len(errors) % _NOTIFY_EVERY == 0:
            notify(f"{algorithm.title}: {len(errors)} of {len(tried)} trials screened")
    ranked = len(errors)
    best = set(sorted(range(ranked), key=lambda i: (ranks[i], i))[:keep])
    late = f", {len(tried) - ranked} not screened because of the time limit" if ranked < len(tried) else ""
    notify(
        f"{algorithm.title}: {ranked} trials screened by XGBoost on {len(train_part[1]) + len(test_part[1]):,} train "
        f"rows{late}; the best {keep} by {ranked_by.upper()} are cross-validated"
    )
    return Ranking(
        [tried[i] for i in sorted(best)],
        [Screened(hyperparameters=tried[i].model_dump(), rmse=errors[i]) for i in range(ranked) if i not in best],
    )


def _error(metric: str, observed: NDArray[np.float64], predicted: NDArray[np.float32]) -> float:
    """Return the metric as `metrics.py` defines it; infinity if no row has a relative error."""
    error = np.abs(predicted - observed)
    if metric == "mae":
        return float(error.mean())
    if metric == "mape":
        counted = np.abs(observed) >= MAPE_FLOOR
        return float((error[counted] / np.abs(observed[counted])).mean()) if counted.any() else math.inf
    return float(np.sqrt(np.mean(error**2)))


Rows = tuple[NDArray[np.float32], NDArray[np.float64]]


def _sample(train: DataFrame, features: FeatureSet, rows: int, seed: int, scaled: bool) -> tuple[Rows, Rows]:
    """Return vectors and targets of the train and the test part: shapes (rows, slots) and (rows,)."""
    share = min(1.0, rows / max(features.rows, 1))
    # the order is fixed, because XGBoost samples by the position of a row
    sample = train.where(unit_hash(seed, "screen") < share).orderBy(unit_hash(seed, "screen"), *KEYS).limit(rows)
    sample = sample.withColumn("is_test", unit_hash(seed, "screen fold") < TEST_SHARE)
    with cache_frame(sample):
        counts = {row["is_test"]: row["count"] for row in sample.groupBy("is_test").count().collect()}
        if len(counts) < 2:
            raise ValueError(messages.TOO_FEW_ROWS_TO_SCREEN(rows=sum(counts.values())))
        fitted = sample.where(~F.col("is_test"))
        # a feature without a value in the train part cannot be learned from it
        preprocessing = fit_preprocessor(fitted, select_present_features(features, fitted), scaled)
        vectors = preprocessing.transform(sample).select(
            vector_to_array(F.col(VECTOR), "float32").alias("x"), F.col(features.target).alias("y"), "is_test"
        )
        frame: Any = vectors.toPandas()
    x, y, is_test = np.stack(frame["x"]), frame["y"].to_numpy(), frame["is_test"].to_numpy()
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])
