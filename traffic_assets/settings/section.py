"""The base class of every section of the settings."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A section: unknown keys are errors, values never change after loading.

    Attributes:
        old_names: The current name of each key that was renamed, by its old name; both are accepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    old_names: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or cls.old_names.keys().isdisjoint(given):
            return given
        for old, new in cls.old_names.items():
            if old in given and new in given:
                raise ValueError(both_names(old, new))
        return {cls.old_names.get(key, key): value for key, value in given.items()}


S = TypeVar("S", bound=BaseModel)


def both_names(old: str, new: str) -> str:
    """Return the message for a key that is given under its old and under its current name."""
    return f"{old}: the old name of {new}, and both are given. Expected one. Fix: move its values to {new}"


def subsection(kind: type[BaseModel]) -> tuple[Any, Any]:
    """Return the definition of a field that holds a section, by default with its defaults."""
    return kind, Field(default_factory=kind)


def with_fields(fields: Mapping[str, tuple[Any, Any]]) -> Callable[[type[S]], type[S]]:
    """Return a class decorator that adds fields to a section.

    Args:
        fields: The type and the default of each field, as for `pydantic.create_model`.
    """

    def extend(section: type[S]) -> type[S]:
        name, module, doc = section.__name__, section.__module__, section.__doc__
        definitions: dict[str, Any] = dict(fields)
        return create_model(name, __base__=section, __module__=module, __doc__=doc, **definitions)

    return extend
