"""Settings of the random forest."""

from typing import ClassVar

from pydantic import Field

from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import Bins, Depth, Rows, Share, SubsetStrategy, Trees


class RandomForestHyperparameters(Hyperparameters):
    """Hyperparameters of MLlib's RandomForestRegressor."""

    numTrees: Trees = 100
    maxDepth: Depth = 10
    maxBins: Bins = 32
    minInstancesPerNode: Rows = 1
    featureSubsetStrategy: SubsetStrategy = "auto"
    subsamplingRate: Share = Field(default=1.0, description="Share of the rows drawn for each tree.")


class RandomForestSettings(ModelSettings):
    """Settings of the random_forest lane."""

    thresholds: ClassVar[GateThresholds] = GateThresholds(
        r2_min=0.9996, rmse_max=0.752, mae_max=0.289, cv_r2_mean_min=0.999, cv_r2_std_max=0.001
    )
    hyperparameters: RandomForestHyperparameters = RandomForestHyperparameters()
    grid: Grid = {"numTrees": [50, 100, 150], "maxDepth": [8, 10, 12], "minInstancesPerNode": [1, 2, 5]}


SETTINGS = RandomForestSettings
