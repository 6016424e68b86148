"""XGBoost's trees as fast stand-ins of MLlib's: they rank hyperparameters for `search/screening.py`, no more.

An extra: nothing here is imported unless a search screens.
"""

import math
from typing import Any

from traffic_assets.settings.extras import installing
from traffic_assets.settings.hyperparameters import GradientBoostedTreesHyperparameters, RandomForestHyperparameters

BOOTSTRAP_SHARE = 0.632
"""Different rows in a bootstrap sample; XGBoost draws without putting back."""


def quick_forest(h: RandomForestHyperparameters, seed: int, slots: int) -> Any:
    """An unfitted forest with fit(x, y) and predict(x)."""
    return _engine().XGBRFRegressor(
        n_estimators=h.numTrees,
        max_depth=h.maxDepth,
        max_bin=h.maxBins,
        min_child_weight=h.minInstancesPerNode,
        subsample=BOOTSTRAP_SHARE * h.subsamplingRate,
        colsample_bynode=subset_share(h.featureSubsetStrategy, slots, h.numTrees),
        reg_lambda=0.0,
        tree_method="hist",
        random_state=seed,
    )


def quick_boosting(h: GradientBoostedTreesHyperparameters, seed: int, slots: int) -> Any:
    """Unfitted boosted trees with fit(x, y) and predict(x)."""
    return _engine().XGBRegressor(
        n_estimators=h.maxIter,
        max_depth=h.maxDepth,
        max_bin=h.maxBins,
        learning_rate=h.stepSize,
        min_child_weight=h.minInstancesPerNode,
        subsample=h.subsamplingRate,
        colsample_bynode=subset_share(h.featureSubsetStrategy, slots, 1),  # boosting grows one tree after the other
        reg_lambda=0.0,
        tree_method="hist",
        random_state=seed,
    )


def subset_share(strategy: str, slots: int, trees: int) -> float:
    """MLlib's `featureSubsetStrategy` for so many trees grown at once as a share of the slots."""
    named = {"auto": 1 / 3 if trees > 1 else 1.0, "all": 1.0, "onethird": 1 / 3, "sqrt": math.sqrt(slots) / slots}
    if strategy in named:
        return named[strategy]
    if strategy == "log2":
        return max(1.0, math.log2(slots)) / slots
    value = float(strategy)
    return value if value <= 1 and "." in strategy else min(1.0, value / slots)


def _engine() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise ImportError(
            f"training.search.screen needs XGBoost: {installing('xgboost')}, or set it to null"
        ) from error
    return xgboost
