"""Keys of the settings: the allowed ones at a path, their old names, and suggestions for misspelled ones."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from traffic_assets.settings.plugins import settings_class
from traffic_assets.settings.section import Section
from traffic_assets.settings.sklearn_config.tables import names_at


def keys_at(path: Iterable[Any]) -> list[str]:
    """Return the keys of the section at a path; none if there is no section."""
    model = _model_at(path)
    return [name for name in model.model_fields if name != "profile"] if model else []


def old_names_at(path: Sequence[Any]) -> dict[str, str]:
    """Return the current name of each key that may also have another name at a path.

    These are renamed keys and keys of a scikit-learn-style configuration. The current name of a key that is now in
    another section is its full path.
    """
    model = _model_at(path)
    return names_at(tuple(map(str, path))) | (dict(get_old_names(model)) if model else {})


def get_old_names(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the current name of each renamed field of a model, by its old name."""
    return model.old_names if issubclass(model, Section) else {}


def find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's annotation, which may be optional; None if it contains none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return find_model(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next((m for a in get_args(annotation) if (m := find_model(a))), None)
    return None


def suggest_name(misspelled: str, allowed: Sequence[str], old_names: Mapping[str, str] | None = None) -> str | None:
    """Return the name that is most similar to a misspelled one, or None.

    Args:
        misspelled: Misspelled name.
        allowed: Allowed names.
        old_names: Current name by old name. For a name similar to an old one, the suggestion is the current name.
    """
    current = dict(old_names or {}) | {name: name for name in allowed}
    near = difflib.get_close_matches(misspelled, current, 1)
    return current[near[0]] if near else None


def did_you_mean(misspelled: str, allowed: Sequence[str]) -> str:
    """Return a hint in parentheses with the name that is most similar to a misspelled one; empty if there is none.

    Args:
        misspelled: Misspelled name.
        allowed: Allowed names.
    """
    near = suggest_name(misspelled, allowed)
    return f" (did you mean {near}?)" if near else ""


def _model_at(path: Iterable[Any]) -> type[BaseModel] | None:
    annotation: Any = settings_class()
    for part in path:
        if model := find_model(annotation):
            name = get_old_names(model).get(str(part), str(part))
            field = model.model_fields.get(name)
            annotation = field.annotation if field else None
        else:
            annotation = get_args(annotation)[1] if get_origin(annotation) is dict else None
    return find_model(annotation)
