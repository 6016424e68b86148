"""XGBoost's trees as surrogates for MLlib's: they rank hyperparameters for `search/screening.py`.

XGBoost is an extra, so it is imported only when a search screens.
"""

import math
from typing import Any

from traffic_assets.messages import algorithms as messages
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters

BOOTSTRAP_SHARE = 0.632
"""Expected share of distinct rows in a bootstrap sample; XGBoost draws without replacement."""


def forest_surrogate(h: RandomForestHyperparameters, seed: int, slots: int) -> Any:
    """Return an unfitted forest with fit(x, y) and predict(x)."""
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


def boosting_surrogate(h: GradientBoostedTreesHyperparameters, seed: int, slots: int) -> Any:
    """Return unfitted boosted trees with fit(x, y) and predict(x)."""
    return _engine().XGBRegressor(
        n_estimators=h.maxIter,
        max_depth=h.maxDepth,
        max_bin=h.maxBins,
        learning_rate=h.stepSize,
        min_child_weight=h.minInstancesPerNode,
        subsample=h.subsamplingRate,
        colsample_bynode=subset_share(h.featureSubsetStrategy, slots, 1),  # boosting fits one tree after the other
        reg_lambda=0.0,
        tree_method="hist",
        random_state=seed,
    )


def subset_share(strategy: str, slots: int, trees: int) -> float:
    """Return MLlib's `featureSubsetStrategy` as a share of the slots.

    Args:
        strategy: Name, share or number of slots.
        slots: Number of slots.
        trees: Number of trees that are fitted together.
    """
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
        raise ImportError(messages.SCREENING_WITHOUT_XGBOOST(command=install_command("xgboost"))) from error
    return xgboost
