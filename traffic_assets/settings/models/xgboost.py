"""Settings of XGBoost."""

from typing import Annotated

from pydantic import Field

from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import Bins, Depth, Share, Trees


class XGBoostHyperparameters(Hyperparameters):
    """xgboost.spark's SparkXGBRegressor; names are XGBoost's own."""

    n_estimators: Trees = 300
    max_depth: Depth = 8
    learning_rate: Share = 0.1
    min_child_weight: Annotated[float, Field(ge=0)] = 1.0
    subsample: Share = 1.0
    colsample_bytree: Share = 1.0
    reg_lambda: Annotated[float, Field(ge=0)] = 1.0
    max_bin: Bins = 256
    early_stopping_rounds: Annotated[int, Field(ge=1)] | None = Field(
        default=20, description="end when the validation error has not fallen for so many trees; null grows them all"
    )
    num_workers: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Spark tasks that fit together; one has all cores of a local session"
    )


class XGBoostSettings(ModelSettings):
    """Settings of the xgboost lane, which is off unless it is enabled: it needs the extra `xgboost`."""

    enabled: bool = False
    hyperparameters: XGBoostHyperparameters = XGBoostHyperparameters()
    grid: Grid = {"max_depth": [6, 8, 10], "learning_rate": [0.05, 0.1, 0.2]}


SETTINGS = XGBoostSettings
