"""Base classes of a model's settings: hyperparameters, the search grid and the section of its lane.

The settings of each model are in the module of its name beside this one.
"""

import itertools
import math
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from traffic_assets.deprecation import warn_renamed
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.section import both_names


class Range(BaseModel):
    """Values between two ends, for searches that draw.

    Attributes:
        low: least value.
        high: greatest value.
        log: whether each order of magnitude is as likely as the next.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float = Field(description="Lower bound, inclusive.")
    high: float = Field(description="Upper bound, inclusive.")
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


Grid = Annotated[
    dict[str, list[Any] | Range], Field(description="Values to try, by hyperparameter: a list or a range.")
]
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


class _OldTargets:
    """Reads the class attribute `targets` as `thresholds`."""

    def __get__(self, _: Any, owner: type["ModelSettings"]) -> GateThresholds:
        warn_renamed(f"{owner.__name__}.targets", f"{owner.__name__}.thresholds")
        return owner.default_thresholds()


class ModelSettings(BaseModel):
    """One lane's algorithm: whether it runs, with which hyperparameters, and what a search would try.

    Attributes:
        thresholds: The default thresholds of the lane's gate for the speed, in mph.
        targets: The old name of `thresholds`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    thresholds: ClassVar[GateThresholds] = GateThresholds()
    targets: ClassVar[Any] = _OldTargets()
    enabled: bool = Field(default=True, description="Train this model.")
    hyperparameters: Hyperparameters
    tune: bool = Field(default=False, description="Search `grid` by cross-validation before the final fit.")
    grid: Grid = Field(default_factory=dict)

    @classmethod
    def hyperparameters_class(cls) -> type[Hyperparameters]:
        """Return the class of the hyperparameters."""
        kind: Any = cls.model_fields["hyperparameters"].annotation
        return kind

    @classmethod
    def default_thresholds(cls) -> GateThresholds:
        """Return the default thresholds of the gate, also where a class still calls them `targets`.

        Raises:
            TypeError: If a class gives them under both names, as a field, or not as thresholds.
        """
        for name in ("thresholds", "targets"):
            if name in cls.model_fields:
                raise TypeError(f"{cls.__name__}.{name} is a field. Expected ClassVar[GateThresholds]")
        for kind in cls.__mro__:
            given = {name: vars(kind)[name] for name in ("thresholds", "targets") if name in vars(kind)}
            given = {name: value for name, value in given.items() if not isinstance(value, _OldTargets)}
            if len(given) > 1:
                raise TypeError(f"{kind.__name__}.{both_names('targets', 'thresholds')}")
            for name, value in given.items():
                if name == "targets":
                    warn_renamed(f"{kind.__name__}.targets", f"{kind.__name__}.thresholds")
                try:
                    return GateThresholds.model_validate(value)
                except ValidationError as error:
                    problem = error.errors()[0]
                    key = ".".join(map(str, (kind.__name__, name, *problem["loc"])))
                    raise TypeError(f"{key}: {problem['msg']}. Expected GateThresholds") from error
        raise AssertionError("ModelSettings has thresholds")

    def with_lanes(self, lanes: Mapping[str, Hyperparameters]) -> "ModelSettings":
        """Return the settings completed from the lanes before this one; these by default depend on none.

        Args:
            lanes: The hyperparameters of each lane before this one, by model.
        """
        return self

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
