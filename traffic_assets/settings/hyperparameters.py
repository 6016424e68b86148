"""The hyperparameters of each algorithm: names, ranges and the defaults of the users' plan.

Names are Spark MLlib's own. These classes are the one source for the settings files, the Launchpad and the
search grids; how an estimator is built from them lives in `ml/algorithms`.
"""

import itertools
import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


SubsetStrategy = Annotated[
    str,
    BeforeValidator(_number_as_text),
    Field(
        pattern=r"^(auto|all|onethird|sqrt|log2|0?\.\d*[1-9]\d*|1\.0|[1-9]\d*)$",
        description="features tried at each split: auto, all, onethird, sqrt, log2, a share or a number",
    ),
]
Trees = Annotated[int, Field(ge=1, le=10_000)]
Depth = Annotated[int, Field(ge=1, le=30, description="MLlib grows at most 30 levels")]
Bins = Annotated[int, Field(ge=2, le=65_536, description="candidate thresholds a feature")]
Rows = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Range(BaseModel):
    """Values between two ends, for searches that draw.

    Attributes:
        low: least value.
        high: greatest value.
        log: whether each order of magnitude is as likely as the next.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0; given low {self.low:g}")
        return self

    @property
    def whole(self) -> bool:
        """Whether both ends are whole numbers, and so every value."""
        return self.low.is_integer() and self.high.is_integer()

    def at(self, share: float) -> float | int:
        """The value at a share of the way from low to high."""
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if self.whole else value


Grid = dict[str, list[Any] | Range]
"""By hyperparameter: the values to try, or the range to draw from."""


class Hyperparameters(BaseModel):
    """Base of an algorithm's hyperparameters: unknown names are errors, values are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


H = TypeVar("H", bound=Hyperparameters)


class LinearRegressionHyperparameters(Hyperparameters):
    """Least squares with an elastic-net penalty (MLlib's LinearRegression)."""

    maxIter: Annotated[int, Field(ge=1)] = 100
    regParam: Annotated[float, Field(ge=0)] = 0.01
    elasticNetParam: Annotated[float, Field(ge=0, le=1)] = 0.0
    fitIntercept: bool = True


class RandomForestHyperparameters(Hyperparameters):
    """MLlib's RandomForestRegressor; the defaults are the users' plan to the letter."""

    numTrees: Trees = 100
    maxDepth: Depth = 10
    maxBins: Bins = 32
    minInstancesPerNode: Rows = 1
    featureSubsetStrategy: SubsetStrategy = "auto"
    subsamplingRate: Share = 1.0


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
    num_workers: Annotated[int, Field(ge=1)] = Field(default=1, description="Spark tasks that fit together")


def grid_points(base: H, grid: Grid) -> list[H]:
    """Every combination of the grid over the other hyperparameters, in the order of the file.

    Raises:
        ValueError: where the grid holds a range, which has no last point.
    """
    if ranges := [name for name, values in grid.items() if isinstance(values, Range)]:
        raise ValueError(
            f"grid.{ranges[0]} is a range: the strategy 'grid' tries every value of a list; give a list, or choose "
            f"random, tpe or halving"
        )
    kind, given = type(base), base.model_dump()
    values = [v for v in grid.values() if not isinstance(v, Range)]
    return [kind.model_validate(given | dict(zip(grid, point, strict=True))) for point in itertools.product(*values)]


class ModelSettings(BaseModel):
    """One lane's algorithm: whether it runs, with which hyperparameters, and what a search would try."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    hyperparameters: Hyperparameters
    tune: bool = Field(default=False, description="search `grid` by cross-validation before the final fit")
    grid: Grid = Field(default_factory=dict, description="values to try, by hyperparameter")

    @model_validator(mode="after")
    def _grid_is_valid(self) -> "ModelSettings":
        kind = type(self.hyperparameters)
        problems = []
        for name, values in self.grid.items():
            if name not in kind.model_fields:
                problems.append(f"grid.{name}: not a hyperparameter; allowed: {', '.join(kind.model_fields)}")
            elif not values:
                problems.append(f"grid.{name}: given no values; give at least one")
            tried = [values.at(0), values.at(1)] if isinstance(values, Range) else values
            for value in tried if name in kind.model_fields else ():
                try:
                    kind.model_validate(self.hyperparameters.model_dump() | {name: value})
                except ValidationError as error:
                    problems.append(f"grid.{name}: given {value!r}; {error.errors()[0]['msg']}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class LinearRegressionSettings(ModelSettings):
    """Settings of the linear_regression lane."""

    hyperparameters: LinearRegressionHyperparameters = LinearRegressionHyperparameters()
    grid: Grid = {"regParam": [0.0, 0.01, 0.1], "elasticNetParam": [0.0, 0.5]}


class RandomForestSettings(ModelSettings):
    """Settings of the random_forest lane."""

    hyperparameters: RandomForestHyperparameters = RandomForestHyperparameters()
    grid: Grid = {"numTrees": [50, 100, 150], "maxDepth": [8, 10, 12], "minInstancesPerNode": [1, 2, 5]}


class XGBoostSettings(ModelSettings):
    """Settings of the xgboost lane, which is off unless it is enabled: it needs the extra `xgboost`."""

    enabled: bool = False
    hyperparameters: XGBoostHyperparameters = XGBoostHyperparameters()
    grid: Grid = {"max_depth": [6, 8, 10], "learning_rate": [0.05, 0.1, 0.2]}


class GradientBoostedTreesSettings(ModelSettings):
    """Settings of the gradient_boosted_trees lane."""

    hyperparameters: GradientBoostedTreesHyperparameters = GradientBoostedTreesHyperparameters()
    grid: Grid = {"maxIter": [50, 100], "maxDepth": [6, 8]}
