"""The hyperparameters of each algorithm: names, ranges and the defaults of the users' plan.

Names are Spark MLlib's own. These classes are the one source for the settings files, the Launchpad and the
search grids; how an estimator is built from them lives in `ml/algorithms`.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from traffic_assets.settings.gate import Targets


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _width(value: str) -> str:
    try:
        good = value in ("scale", "auto") or 0 < float(value) < math.inf
    except ValueError:
        good = False
    if not good:
        raise ValueError("scale, auto or a number above 0 is allowed")
    return value


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
Gamma = Annotated[
    str,
    BeforeValidator(_number_as_text),
    AfterValidator(_width),
    Field(description="of rbf and poly: scale (1 / (slots x variance)), auto (1 / slots) or a number"),
]
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

    def at(self, share: float, whole: bool = False) -> float | int:
        """The value at a share of the way from low to high; the nearest whole number where only those are allowed."""
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if whole else value


Grid = dict[str, list[Any] | Range]
"""By hyperparameter: the values to try, or the range to draw from."""


class Hyperparameters(BaseModel):
    """Base of an algorithm's hyperparameters: unknown names are errors, values are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def whole(cls, name: str) -> bool:
        """Whether a hyperparameter is a whole number by its type, whatever the ends of a range of it are."""
        kinds = _kinds(cls.model_fields[name].annotation)
        return int in kinds and float not in kinds


def _kinds(annotation: Any) -> set[Any]:
    """The types that an annotation allows, such as int and None of `Annotated[int, ...] | None`."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return {kind for one in get_args(annotation) for kind in _kinds(one)}
    return {annotation}


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
    num_workers: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Spark tasks that fit together; one has all cores of a local session"
    )


class SVRHyperparameters(Hyperparameters):
    """scikit-learn's SVR on a bounded sample of the train rows; names are scikit-learn's own.

    The target is brought to mean 0 and deviation 1 for the fit, so that `C` and `epsilon` mean the same for every
    target: an epsilon of 0.05 leaves errors under 5 % of the target's standard deviation unpunished.
    """

    kernel: Literal["linear", "rbf", "poly"] = "rbf"
    C: Annotated[float, Field(gt=0)] = Field(default=10.0, description="how much an error weighs against flatness")
    epsilon: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="errors up to this are free; in standard deviations of the target"
    )
    gamma: Gamma = "scale"
    degree: Annotated[int, Field(ge=1, le=10)] = Field(default=3, description="of poly")
    coef0: float = Field(default=0.0, description="of poly: what is added to the product")
    max_rows: Annotated[int, Field(ge=2, le=100_000)] = Field(
        default=10_000, description="train rows that are fitted, drawn by hash; the time grows with their square"
    )


MEMBERS: dict[str, type[Hyperparameters]] = {
    "linear_regression": LinearRegressionHyperparameters,
    "random_forest": RandomForestHyperparameters,
    "gradient_boosted_trees": GradientBoostedTreesHyperparameters,
    "xgboost": XGBoostHyperparameters,
    "svr": SVRHyperparameters,
}
"""What an ensemble may be made of, with the hyperparameters of each."""


class EnsembleHyperparameters(Hyperparameters):
    """A weighted sum of other models' predictions.

    Attributes:
        method: weighted (an average) or stacking (weights by least squares, none below 0, on predictions for rows
            that the members were not fitted on).
        members: by algorithm, its hyperparameters; in a settings file those that are not given are the lane's own.
        weights: of weighted, by member; only their ratios count. The inverse mean squared error if absent.
        folds: how many parts the rows are cut into for predictions on rows that a member was not fitted on.
    """

    method: Literal["weighted", "stacking"] = "stacking"
    members: dict[str, dict[str, Any]] = {"linear_regression": {}, "random_forest": {}}
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    folds: Annotated[int, Field(ge=2, le=20)] = 3

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @field_validator("members")
    @classmethod
    def _members_are_valid(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if len(value) < 2:
            raise ValueError(f"an ensemble needs at least 2 members; the algorithms are {', '.join(MEMBERS)}")
        problems, checked = [], {}
        for name, given in value.items():
            if name not in MEMBERS:
                problems.append(f"{name}: not an algorithm for an ensemble; allowed: {', '.join(MEMBERS)}")
                continue
            try:
                checked[name] = MEMBERS[name].model_validate(given).model_dump(exclude_unset=True)
            except ValidationError as error:
                allowed = f"not a hyperparameter of it; allowed: {', '.join(MEMBERS[name].model_fields)}"
                problems += [
                    f"{name}.{'.'.join(map(str, e['loc']))}: given {e['input']!r}; "
                    f"{allowed if e['type'] == 'extra_forbidden' else e['msg']}"
                    for e in error.errors()
                ]
        if problems:
            raise ValueError("; ".join(problems))
        return checked

    @model_validator(mode="after")
    def _weights_are_of_the_members(self) -> "EnsembleHyperparameters":
        if self.weights is None:
            return self
        if self.method != "weighted":
            raise ValueError(f"weights are for the method 'weighted'; {self.method!r} finds its own: leave them out")
        if set(self.weights) != set(self.members):
            raise ValueError(f"weights are of {', '.join(self.weights)}; the members are {', '.join(self.members)}")
        if not sum(self.weights.values()):
            raise ValueError("every weight is 0; give at least one above")
        return self

    @property
    def validated(self) -> dict[str, Hyperparameters]:
        """The members' hyperparameters, each of its own class."""
        return {name: MEMBERS[name].model_validate(given) for name, given in self.members.items()}

    def filled(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleHyperparameters":
        """The same ensemble, whose members take what is not given from these.

        Raises:
            pydantic.ValidationError: where what is given does not go with what is filled in.
        """
        members = {n: (lanes[n].model_dump() if n in lanes else {}) | given for n, given in self.members.items()}
        return type(self).model_validate(self.model_dump() | {"members": members})


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
    """One lane's algorithm: whether it runs, with which hyperparameters, and what a search would try.

    Attributes:
        targets: what its gate asks for where `evaluation.targets` says nothing; for the speed, in mph.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: ClassVar[Targets] = Targets()
    enabled: bool = True
    hyperparameters: Hyperparameters
    tune: bool = Field(default=False, description="search `grid` by cross-validation before the final fit")
    grid: Grid = Field(default_factory=dict, description="values to try, by hyperparameter")

    def requested(self, given: Mapping[str, Any]) -> Hyperparameters:
        """What someone asks for instead of the profile's hyperparameters, as in the Launchpad.

        Raises:
            pydantic.ValidationError: naming what is wrong.
        """
        return type(self.hyperparameters).model_validate(given)

    @model_validator(mode="after")
    def _grid_is_valid(self) -> "ModelSettings":
        kind = type(self.hyperparameters)
        problems = []
        for name, values in self.grid.items():
            if name not in kind.model_fields:
                problems.append(f"grid.{name}: not a hyperparameter; allowed: {', '.join(kind.model_fields)}")
            elif not values:
                problems.append(f"grid.{name}: given no values; give at least one")
            if name not in kind.model_fields:
                continue
            whole = kind.whole(name)
            # its middle tells a range of what has no values between, such as true and false
            tried = [values.low, values.high, values.at(0.5, whole)] if isinstance(values, Range) else values
            for value in tried:
                try:
                    kind.model_validate(self.hyperparameters.model_dump() | {name: value})
                except ValidationError as error:
                    problems.append(f"grid.{name}: given {value!r}; {error.errors()[0]['msg']}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True)
class Penalty:
    """What a penalty's name means for MLlib's two numbers, regParam (how strong) and elasticNetParam (the mixture).

    Attributes:
        means: what it sets where the settings say nothing.
        holds: whether regParam and elasticNetParam are of this penalty.
        rule: that in words.
        grid: what a search tries.
    """

    means: dict[str, float]
    holds: Callable[[float, float], bool]
    rule: str
    grid: dict[str, list[float]]


_STRENGTHS = [0.001, 0.01, 0.1, 1.0]
PENALTIES = {
    "none": Penalty({"regParam": 0.0}, lambda strength, _: strength == 0, "regParam 0", {}),
    "ridge": Penalty(
        {"elasticNetParam": 0.0},
        lambda strength, mixture: strength > 0 and mixture == 0,
        "regParam above 0 and elasticNetParam 0",
        {"regParam": _STRENGTHS},
    ),
    "lasso": Penalty(
        {"elasticNetParam": 1.0},
        lambda strength, mixture: strength > 0 and mixture == 1,
        "regParam above 0 and elasticNetParam 1",
        {"regParam": _STRENGTHS},
    ),
    "elastic_net": Penalty(
        {"elasticNetParam": 0.5},
        lambda strength, mixture: strength > 0 and 0 < mixture < 1,
        "regParam above 0 and elasticNetParam between 0 and 1",
        {"regParam": _STRENGTHS, "elasticNetParam": [0.2, 0.5, 0.8]},
    ),
}
"""Penalties by name: ordinary least squares, squares of the coefficients, their absolute values, both."""


class LinearRegressionSettings(ModelSettings):
    """Settings of the linear_regression lane. The targets here and of both kinds of trees are the users' plan's."""

    targets: ClassVar[Targets] = Targets(r2_min=0.90, rmse_max=5.0, mae_max=3.0)
    hyperparameters: LinearRegressionHyperparameters = LinearRegressionHyperparameters()
    penalty: Literal["none", "ridge", "lasso", "elastic_net"] | None = Field(
        default=None, description="by name; sets regParam, elasticNetParam and the grid where they are not given"
    )
    grid: Grid = {"regParam": [0.0, 0.01, 0.1], "elasticNetParam": [0.0, 0.5]}

    @model_validator(mode="before")
    @classmethod
    def _penalty_fills_in(cls, given: Any) -> Any:
        penalty = PENALTIES.get(str(given.get("penalty"))) if isinstance(given, dict) else None
        if penalty is None or not isinstance(given.get("hyperparameters", {}), dict):
            return given
        hyperparameters = {**penalty.means, **given.get("hyperparameters", {})}
        return {"grid": penalty.grid, **given, "hyperparameters": hyperparameters}

    @model_validator(mode="after")
    def _penalty_holds(self) -> "LinearRegressionSettings":
        if self.penalty is None:
            return self
        h, penalty = self.hyperparameters, PENALTIES[self.penalty]
        tried = [("hyperparameters", h.regParam, h.elasticNetParam)]
        for name, values in self.grid.items():
            for value in [values.low, values.high] if isinstance(values, Range) else values:
                point = h.model_copy(update={name: float(value)})
                tried.append((f"grid.{name}", point.regParam, point.elasticNetParam))
        for where, strength, mixture in tried:
            if not penalty.holds(strength, mixture):
                raise ValueError(
                    f"penalty {self.penalty!r} means {penalty.rule}; {where} has regParam {strength:g} and "
                    f"elasticNetParam {mixture:g}: leave them to the penalty, or leave the penalty out"
                )
        return self


class RandomForestSettings(ModelSettings):
    """Settings of the random_forest lane."""

    targets: ClassVar[Targets] = Targets(
        r2_min=0.9996, rmse_max=0.752, mae_max=0.289, cv_r2_mean_min=0.999, cv_r2_std_max=0.001
    )
    hyperparameters: RandomForestHyperparameters = RandomForestHyperparameters()
    grid: Grid = {"numTrees": [50, 100, 150], "maxDepth": [8, 10, 12], "minInstancesPerNode": [1, 2, 5]}


class XGBoostSettings(ModelSettings):
    """Settings of the xgboost lane, which is off unless it is enabled: it needs the extra `xgboost`."""

    enabled: bool = False
    hyperparameters: XGBoostHyperparameters = XGBoostHyperparameters()
    grid: Grid = {"max_depth": [6, 8, 10], "learning_rate": [0.05, 0.1, 0.2]}


class SVRSettings(ModelSettings):
    """Settings of the svr lane, which is off unless it is enabled: it needs the extra `svr`."""

    enabled: bool = False
    hyperparameters: SVRHyperparameters = SVRHyperparameters()
    grid: Grid = {"C": [1.0, 10.0, 100.0], "epsilon": [0.01, 0.05]}


class EnsembleSettings(ModelSettings):
    """Settings of the ensemble lane, which is off unless it is enabled."""

    enabled: bool = False
    hyperparameters: EnsembleHyperparameters = EnsembleHyperparameters()
    grid: Grid = {"method": ["weighted", "stacking"]}
    _lanes: dict[str, Hyperparameters] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _weights_leave_no_default_grid(cls, given: Any) -> Any:
        """Weights that are given hold for one method; the default grid tries the other too."""
        hyperparameters = given.get("hyperparameters") if isinstance(given, dict) else None
        if isinstance(hyperparameters, EnsembleHyperparameters):
            hyperparameters = hyperparameters.model_dump()
        weighted = isinstance(hyperparameters, dict) and hyperparameters.get("weights") is not None
        return {"grid": {}, **given} if weighted else given

    def filled(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleSettings":
        """The same settings, whose members take from these lanes what is not given, in the Launchpad too."""
        grid = dict(self.grid)
        if isinstance(tried := grid.get("members"), list):
            given = self.hyperparameters.model_dump()
            grid["members"] = [
                EnsembleHyperparameters.model_validate(given | {"members": m}).filled(lanes).members for m in tried
            ]
        made = self.model_copy(update={"hyperparameters": self.hyperparameters.filled(lanes), "grid": grid})
        made._lanes = dict(lanes)
        return made

    def requested(self, given: Mapping[str, Any]) -> Hyperparameters:
        return EnsembleHyperparameters.model_validate(given).filled(self._lanes)


class GradientBoostedTreesSettings(ModelSettings):
    """Settings of the gradient_boosted_trees lane."""

    targets: ClassVar[Targets] = Targets(r2_min=0.9992, rmse_max=1.061)
    hyperparameters: GradientBoostedTreesHyperparameters = GradientBoostedTreesHyperparameters()
    grid: Grid = {"maxIter": [50, 100], "maxDepth": [6, 8]}
