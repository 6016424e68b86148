"""The algorithms, one file and one spec each.

`ALGORITHMS` lists those that are built in; `algorithms()` adds what installed packages bring, and is what lanes,
registry and command line go by.
"""

from traffic_assets.ml.algorithms.ensemble import ENSEMBLE
from traffic_assets.ml.algorithms.gradient_boosted_trees import GRADIENT_BOOSTED_TREES
from traffic_assets.ml.algorithms.linear_regression import LINEAR_REGRESSION
from traffic_assets.ml.algorithms.random_forest import RANDOM_FOREST
from traffic_assets.ml.algorithms.spec import ROW, Algorithm
from traffic_assets.ml.algorithms.support_vector_regression import SVR
from traffic_assets.ml.algorithms.xgboost import XGBOOST
from traffic_assets.settings.plugins import ALGORITHM_GROUP, usable

ALGORITHMS: dict[str, Algorithm] = {
    a.name: a for a in (LINEAR_REGRESSION, RANDOM_FOREST, GRADIENT_BOOSTED_TREES, XGBOOST, SVR, ENSEMBLE)
}

__all__ = ["ALGORITHMS", "ROW", "Algorithm", "algorithm_named", "algorithms"]


def algorithms() -> dict[str, Algorithm]:
    """Every algorithm by name: the built-in ones, then those of installed packages."""
    return ALGORITHMS | usable(ALGORITHM_GROUP)


def algorithm_named(name: str) -> Algorithm:
    """The algorithm of this name.

    Raises:
        ValueError: naming those that there are.
    """
    known = algorithms()
    if name not in known:
        raise ValueError(f"unknown algorithm {name!r}; the known ones are {', '.join(known)}")
    return known[name]
