"""Settings of XGBoost."""

from typing import Annotated

from pydantic import Field

from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import Bins, Depth, Share, Trees
from traffic_assets.settings.section import LARGEST_INTEGER


class XGBoostHyperparameters(Hyperparameters):
    """Hyperparameters of xgboost.spark's SparkXGBRegressor, under XGBoost's names."""

    n_estimators: Trees = 300
    max_depth: Depth = 8
    learning_rate: Share = Field(default=0.1, description="Learning rate.")
    min_child_weight: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="Minimum sum of row weights in a child node."
    )
    subsample: Share = Field(default=1.0, description="Share of the rows drawn for each tree.")
    colsample_bytree: Share = Field(default=1.0, description="Share of the slots drawn for each tree.")
    reg_lambda: Annotated[float, Field(ge=0)] = Field(default=1.0, description="L2 penalty on leaf weights.")
    max_bin: Bins = 256
    early_stopping_rounds: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = Field(
        default=20,
        description="Stop when the validation error has not fallen for this many trees. `null` grows all trees.",
    )
    num_workers: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] = Field(
        default=1, description="Spark tasks that share a fit. One task uses all cores of a local session."
    )


class XGBoostSettings(ModelSettings):
    """Settings of the xgboost lane, which is off by default. It needs the extra `xgboost`."""

    enabled: bool = Field(default=False, description="Train this model.")
    hyperparameters: XGBoostHyperparameters = XGBoostHyperparameters()
    grid: Grid = {"max_depth": [6, 8, 10], "learning_rate": [0.05, 0.1, 0.2]}


SETTINGS = XGBoostSettings
