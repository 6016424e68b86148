"""Settings of gradient-boosted trees."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import Bins, Depth, Rows, Share, SubsetStrategy, Trees


class GradientBoostedTreesHyperparameters(Hyperparameters):
    """MLlib's GBTRegressor; the defaults are the users' plan to the letter."""

    maxIter: Trees = 100
    maxDepth: Depth = 8
    maxBins: Bins = 32
    stepSize: Share = 0.1
    minInstancesPerNode: Rows = 1
    subsamplingRate: Share = 1.0
    featureSubsetStrategy: SubsetStrategy = "all"
    lossType: Literal["squared", "absolute"] = "squared"
    earlyStopping: bool = Field(default=False, description="add no tree once the validation error stops to fall")
    validationTol: Annotated[float, Field(ge=0)] = Field(
        default=0.01, description="how much it has to fall to count, relative to the error, with earlyStopping"
    )


class GradientBoostedTreesSettings(ModelSettings):
    """Settings of the gradient_boosted_trees lane."""

    thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.9992, rmse_max=1.061)
    hyperparameters: GradientBoostedTreesHyperparameters = GradientBoostedTreesHyperparameters()
    grid: Grid = {"maxIter": [50, 100], "maxDepth": [6, 8]}


SETTINGS = GradientBoostedTreesSettings
