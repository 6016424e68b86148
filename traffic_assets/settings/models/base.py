"""Base classes of a model's settings: hyperparameters, search grid and the section of its lane.

The settings of each model are in the module of its name next to this one.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import settings as messages
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.pydantic_errors import coded_error, error_at


class Range(BaseModel):
    """A range of values, for searches that sample.

    Attributes:
        low: Lower bound, inclusive.
        high: Upper bound, inclusive.
        log: True for a logarithmic scale, on which each order of magnitude is equally likely.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    low: float = Field(description="Lower bound, inclusive.")
    high: float = Field(description="Upper bound, inclusive.")
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(messages.RANGE_OUT_OF_ORDER(low=self.low, high=self.high))
        if self.log and self.low <= 0:
            raise ValueError(messages.LOGARITHMIC_RANGE_AT_ZERO(low=self.low))
        return self

    def at(self, share: float, whole: bool = False) -> float | int:
        """Return the value at a share of the way from low to high.

        Args:
            share: Share of the way, from 0 to 1.
            whole: True to round to the nearest integer.
        """
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if whole else value


LIST_TAG, RANGE_TAG = "[list]", "[range]"
"""Marks that pydantic puts into the path of an error in a grid; `validation.py` removes them."""


def _tag(values: Any) -> str:
    return RANGE_TAG if isinstance(values, Mapping | Range) else LIST_TAG


GridValues = Annotated[
    Annotated[list[Any], Tag(LIST_TAG)] | Annotated[Range, Tag(RANGE_TAG)],
    Discriminator(_tag),  # without it, a wrong range is reported as a wrong list too
]
Grid = Annotated[dict[str, GridValues], Field(description="Values to try, by hyperparameter: a list or a range.")]
"""Search grid by hyperparameter: values to try, or the range to sample from."""


class Hyperparameters(BaseModel):
    """Base class of an algorithm's hyperparameters: unknown names are errors, values are validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def is_integer(cls, name: str) -> bool:
        """Return whether a hyperparameter is an integer by its type, regardless of the ends of a range."""
        kinds = _kinds(cls.model_fields[name].annotation)
        return int in kinds and float not in kinds

    @classmethod
    def whole(cls, name: str) -> bool:
        """Return `is_integer`; the old name works until 1.0."""
        warn_renamed("Hyperparameters.whole", "Hyperparameters.is_integer")
        return cls.is_integer(name)


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that an annotation allows, such as int and None of `Annotated[int, ...] | None`."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return {kind for one in get_args(annotation) for kind in _kinds(one)}
    return {annotation}


H = TypeVar("H", bound=Hyperparameters)


def grid_points(base: H, grid: Grid) -> list[H]:
    """Return every combination of the grid, completed with the other hyperparameters, in the order of the grid.

    Raises:
        ValueError: If the grid contains a range, which has no last point.
    """
    if ranges := [f"grid.{name}" for name, values in grid.items() if isinstance(values, Range)]:
        raise ValueError(messages.RANGE_IN_GRID_SEARCH(settings=ranges))
    kind, others = type(base), base.model_dump()
    values = [v for v in grid.values() if not isinstance(v, Range)]
    return [kind.model_validate(others | dict(zip(grid, point, strict=True))) for point in itertools.product(*values)]


class _OldTargets:
    """Descriptor that reads the class attribute `targets` as `thresholds`."""

    def __get__(self, _: Any, owner: type["ModelSettings"]) -> GateThresholds:
        warn_renamed(f"{owner.__name__}.targets", f"{owner.__name__}.thresholds")
        return owner.default_thresholds()


class ModelSettings(BaseModel):
    """Settings of one model: its switch, hyperparameters and search grid.

    Attributes:
        thresholds: Default thresholds of the gate of the model's speed lane, in mph.
        targets: Old name of `thresholds`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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
        """Return the default thresholds of the gate, even from a class that still names them `targets`.

        Raises:
            TypeError: If a class defines them under both names, as a field, or not as thresholds.
        """
        for name in ("thresholds", "targets"):
            if name in cls.model_fields:
                raise TypeError(f"{cls.__name__}.{name} is a field. Expected ClassVar[GateThresholds]")
        for kind in cls.__mro__:
            own = {name: vars(kind)[name] for name in ("thresholds", "targets") if name in vars(kind)}
            own = {name: value for name, value in own.items() if not isinstance(value, _OldTargets)}
            if len(own) > 1:
                name = kind.__name__
                raise TypeError(messages.BOTH_NAMES(old=f"{name}.targets", new=f"{name}.thresholds"))
            for name, value in own.items():
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
        """Return the settings completed from the lanes before this one; by default, unchanged.

        Args:
            lanes: Hyperparameters of each lane before this one, by model.
        """
        return self

    def override_hyperparameters(self, given: Mapping[str, Any]) -> Hyperparameters:
        """Return hyperparameters that replace those of the profile, as configured in the Launchpad.

        Args:
            given: Value of each hyperparameter; others get the defaults of their class.

        Raises:
            pydantic.ValidationError: If a name or a value is not allowed.
        """
        return type(self.hyperparameters).model_validate(given)

    def requested(self, given: Mapping[str, Any]) -> Hyperparameters:
        """Return `override_hyperparameters`; the old name works until 1.0."""
        warn_renamed("ModelSettings.requested", "ModelSettings.override_hyperparameters")
        return self.override_hyperparameters(given)

    @model_validator(mode="after")
    def _grid_is_valid(self) -> "ModelSettings":
        errors = [error for name, values in self.grid.items() for error in self._grid_errors(name, values)]
        if errors:
            raise ValidationError.from_exception_data(type(self).__name__, errors)
        return self

    def _grid_errors(self, name: str, values: list[Any] | Range) -> Iterator[InitErrorDetails]:
        kind = type(self.hyperparameters)
        if name not in kind.model_fields:
            text = messages.UNKNOWN_HYPERPARAMETER(name=name, allowed=list(kind.model_fields))
            yield coded_error(("grid", name), text, values)
            return
        if not values:
            yield coded_error(("grid", name), messages.EMPTY_GRID_VALUES(name=name), values)
        whole = kind.is_integer(name)
        # a value in the middle reveals a range over something without values in between, such as true and false
        tried = [values.low, values.high, values.at(0.5, whole)] if isinstance(values, Range) else values
        for number, value in enumerate(tried):
            try:
                kind.model_validate(self.hyperparameters.model_dump() | {name: value})
            except ValidationError as error:
                first = error.errors()[0]
                if isinstance(values, Range):
                    yield error_at(("grid", name), first)
                    return  # one error for a range; several values may be outside
                yield error_at(("grid", name, number, *first["loc"][1:]), first)
