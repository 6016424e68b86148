"""The base class of every section of the settings."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import settings as messages

Name = Annotated[str, Field(min_length=1)]
LARGEST_INTEGER = 2**31 - 1
"""Largest integer that a parameter of Spark can have."""


class Section(BaseModel):
    """A section of the settings: unknown keys are errors, and values do not change after loading.

    Attributes:
        old_names: Current name of each renamed key, by old name; both are accepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    old_names: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or cls.old_names.keys().isdisjoint(values):
            return values
        return cls._with_current_names(values)

    @classmethod
    def _with_current_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        for old, new in cls.old_names.items():
            if old in values and new in values:
                raise ValueError(messages.BOTH_NAMES(old=old, new=new))
        return {cls.old_names.get(key, key): value for key, value in values.items()}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with new values, as pydantic does; old names are replaced by the current ones.

        Args:
            update: New value by key. Pydantic does not validate them.
            deep: True to copy the values too.

        Raises:
            ValueError: If a value has both its old and its current name.
        """
        update, section = update or {}, type(self).__name__
        for old in self.old_names.keys() & update.keys():
            warn_renamed(f"{section}.{old}", f"{section}.{self.old_names[old]}")
        return super().model_copy(update=self._with_current_names(update), deep=deep)


S = TypeVar("S", bound=BaseModel)


def subsection(kind: type[BaseModel]) -> tuple[Any, Any]:
    """Return the definition of a field with a section, which is all defaults unless configured."""
    return kind, Field(default_factory=kind)


def with_fields(fields: Mapping[str, tuple[Any, Any]]) -> Callable[[type[S]], type[S]]:
    """Return a class decorator that adds fields to a section.

    Args:
        fields: Type and default of each field by name, as for `pydantic.create_model`.
    """

    def extend(section: type[S]) -> type[S]:
        name, module, doc = section.__name__, section.__module__, section.__doc__
        definitions: dict[str, Any] = dict(fields)
        return create_model(name, __base__=section, __module__=module, __doc__=doc, **definitions)

    return extend
