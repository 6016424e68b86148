"""Old import path of hyperparameters and model settings, kept until 1.0; they are in `settings/models`."""

# ruff: noqa: F401
from typing import TYPE_CHECKING

from traffic_assets.deprecation import moved_names

if TYPE_CHECKING:
    from traffic_assets.settings.models.base import Grid, H, Hyperparameters, ModelSettings, Range, grid_points
    from traffic_assets.settings.models.ensemble import EnsembleHyperparameters, EnsembleSettings
    from traffic_assets.settings.models.gradient_boosted_trees import (
        GradientBoostedTreesHyperparameters,
        GradientBoostedTreesSettings,
    )
    from traffic_assets.settings.models.linear_regression import (
        PENALTIES,
        LinearRegressionHyperparameters,
        LinearRegressionSettings,
        Penalty,
    )
    from traffic_assets.settings.models.parameter_types import Bins, Depth, Rows, Share, SubsetStrategy, Trees
    from traffic_assets.settings.models.random_forest import RandomForestHyperparameters, RandomForestSettings
    from traffic_assets.settings.models.svr import Gamma, SVRHyperparameters, SVRSettings
    from traffic_assets.settings.models.xgboost import XGBoostHyperparameters, XGBoostSettings
else:
    _MODULES = {
        "base": ("Grid", "H", "Hyperparameters", "ModelSettings", "Range", "grid_points"),
        "parameter_types": ("Bins", "Depth", "Rows", "Share", "SubsetStrategy", "Trees"),
        "linear_regression": ("PENALTIES", "LinearRegressionHyperparameters", "LinearRegressionSettings", "Penalty"),
        "random_forest": ("RandomForestHyperparameters", "RandomForestSettings"),
        "gradient_boosted_trees": ("GradientBoostedTreesHyperparameters", "GradientBoostedTreesSettings"),
        "xgboost": ("XGBoostHyperparameters", "XGBoostSettings"),
        "svr": ("Gamma", "SVRHyperparameters", "SVRSettings"),
        "ensemble": ("EnsembleHyperparameters", "EnsembleSettings"),
    }
    __getattr__ = moved_names(
        __name__,
        {name: f"traffic_assets.settings.models.{module}" for module, names in _MODULES.items() for name in names},
    )
