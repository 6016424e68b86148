"""The built-in models: one line each here, and the settings of each in the module of its name.

A built-in model registers like a plugin: by its name and the entry point of its `Algorithm`. Modules are imported when
they are needed, and nothing here imports `traffic_assets.ml`.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traffic_assets.settings.models.base import ModelSettings

BUILT_IN: dict[str, str] = {
    "linear_regression": "traffic_assets.ml.algorithms.linear_regression:LINEAR_REGRESSION",
    "random_forest": "traffic_assets.ml.algorithms.random_forest:RANDOM_FOREST",
    "gradient_boosted_trees": "traffic_assets.ml.algorithms.gradient_boosted_trees:GRADIENT_BOOSTED_TREES",
    "xgboost": "traffic_assets.ml.algorithms.xgboost:XGBOOST",
    "svr": "traffic_assets.ml.algorithms.support_vector_regression:SVR",
    "ensemble": "traffic_assets.ml.algorithms.ensemble:ENSEMBLE",  # last: it reads the settings of the lanes above
}
"""Entry point of each built-in model by name, in the order of the lanes."""


@cache
def built_in_settings() -> dict[str, type["ModelSettings"]]:
    """Return the settings class of each built-in model by name: `SETTINGS` of the module of that name."""
    return {name: import_module(f"{__name__}.{name}").SETTINGS for name in BUILT_IN}
