"""Settings of gradient-boosted trees."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import Bins, Depth, Rows, Share, SubsetStrategy, Trees


class GradientBoostedTreesHyperparameters(Hyperparameters):
    """Hyperparameters of MLlib's GBTRegressor."""

    maxIter: Trees = 100
    maxDepth: Depth = 8
    maxBins: Bins = 32
    stepSize: Share = Field(default=0.1, description="Learning rate.")
    minInstancesPerNode: Rows = 1
    subsamplingRate: Share = Field(default=1.0, description="Share of the rows drawn for each tree.")
    featureSubsetStrategy: SubsetStrategy = "all"
    lossType: Literal["squared", "absolute"] = Field(default="squared", description="Loss function.")
    earlyStopping: bool = Field(default=False, description="Stop adding trees when the validation error stops falling.")
    validationTol: Annotated[float, Field(ge=0)] = Field(
        default=0.01,
        description="Smallest relative decrease in the validation error that counts as progress, with `earlyStopping`.",
    )


class GradientBoostedTreesSettings(ModelSettings):
    """Settings of the gradient_boosted_trees lane."""

    thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.9992, rmse_max=1.061)
    hyperparameters: GradientBoostedTreesHyperparameters = GradientBoostedTreesHyperparameters()
    grid: Grid = {"maxIter": [50, 100], "maxDepth": [6, 8]}


SETTINGS = GradientBoostedTreesSettings
