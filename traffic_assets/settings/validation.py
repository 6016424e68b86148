"""Every mistake of some settings, told at once: path, what was given, what is allowed.

Where settings come from is in `loading.py`, what they may be in the file of each section.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from traffic_assets.settings.plugins import Plugin, settings_class, unusable_at
from traffic_assets.settings.schema import Settings
from traffic_assets.settings.section import Section

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_UNSHOWN = {("spark",), ("spark", "config")}
"""Where a secret may have been given; what is there is not repeated in a message."""

Location = tuple[str | int, ...]


def validated(content: Mapping[str, Any]) -> tuple[Settings | None, list[ErrorDetails]]:
    """The settings, or every mistake in them.

    A rule over several values is looked at only once each value is allowed, so what is wrong is left out and the rest
    is looked at again. A rule of a section whose own value was left out waits: that value may have broken it.
    """
    found: list[ErrorDetails] = []
    left_out: set[Location] = set()
    named = {"aliases": _aliases(content)}
    while True:
        try:
            settings = settings_class().model_validate(content, context=named)
        except ValidationError as error:
            errors = [_at_its_key(item) for item in error.errors(include_url=False)]
            waiting = {path[:-1] for path in left_out}
            found += [item for item in errors if item["loc"] not in waiting]
            wrong = {_outside_lists(item["loc"]) for item in errors} - left_out
            rest = _without(content, wrong)
            if rest == content:
                return None, found
            content, left_out = rest, left_out | wrong
        else:
            return (None if found else settings), found


def _at_its_key(item: ErrorDetails) -> ErrorDetails:
    """A wrong key of a mapping lies where it was given; pydantic puts its own mark behind it."""
    if item["loc"][-1:] == ("[key]",):
        item["loc"] = item["loc"][:-1]
    return item


def _aliases(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """`data.aliases` as it is given: other sections may use its names, and none knows another."""
    data = content.get("data")
    aliases = data.get("aliases") if isinstance(data, Mapping) else None
    return aliases if isinstance(aliases, Mapping) else {}


def _outside_lists(path: Location) -> Location:
    """The path up to the first list: what is left of a list is another list."""
    first = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:first]


def _without(content: Mapping[str, Any], paths: Iterable[Location]) -> dict[str, Any]:
    """The content without what lies at the paths; a path that leads nowhere changes nothing."""
    inside: dict[str | int, list[Location]] = {}
    for path in paths:
        if path:
            inside.setdefault(path[0], []).append(path[1:])
    result = {}
    for key, value in content.items():
        deeper = inside.get(key, [])
        if () in deeper:
            continue
        result[key] = _without(value, deeper) if isinstance(value, Mapping) else value
    return result


def describe(
    mistakes: Sequence[ErrorDetails], origins: Mapping[tuple[str, ...], tuple[str, ...]] | None = None
) -> list[str]:
    """One line a mistake: path, what was given, what is allowed.

    Args:
        mistakes: of `validated`.
        origins: our path -> the one under which the value was given: in the users' file, or in the environment.
    """
    lines = []
    for item in mistakes:
        path = ".".join(as_given(tuple(str(part) for part in item["loc"]), origins or {})) or "settings"
        given = item.get("input")
        named = [*map(str, item["loc"]), *([given] if isinstance(given, str) else [])]
        if item["type"] in ("extra_forbidden", "literal_error") and (plugin := unusable_at(named)):
            lines.append(f"{path}: {left_out(plugin)}")
            continue
        if item["type"] == "extra_forbidden":
            allowed = keys_at(item["loc"][:-1])
            hint = did_you_mean(str(item["loc"][-1]), allowed, old_names_at(item["loc"][:-1]))
            lines.append(f"{path}: not a setting{hint}; allowed here: {', '.join(allowed)}")
            continue
        hidden = isinstance(given, BaseModel | dict) or item["loc"][:2] in _UNSHOWN
        shown = "" if hidden else f"given {_CREDENTIALS.sub('***@', repr(given))}; "
        if item["type"] == "model_type" and (allowed := keys_at(item["loc"])):
            lines.append(f"{path}: {shown}give an object with {', '.join(allowed)}")
            continue
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {shown}{message[:1].lower()}{message[1:]}")
    return lines


def as_given(path: tuple[str, ...], origins: Mapping[tuple[str, ...], tuple[str, ...]]) -> tuple[str, ...]:
    """The path under which a value was given, by the longest part of it that has an origin."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]] + path[length:]
    return path


def did_you_mean(given: str, allowed: Sequence[str], old_names: Mapping[str, str] | None = None) -> str:
    """Return a hint in brackets at the name that is spelled most like the given one, empty if there is none.

    Args:
        given: The name that is not allowed.
        allowed: The names that are.
        old_names: The current name by the old one; a name like an old one gets the current one as hint.
    """
    current = dict(old_names or {}) | {name: name for name in allowed}
    near = difflib.get_close_matches(given, current, 1)
    return f" (did you mean {current[near[0]]}?)" if near else ""


def left_out(plugin: Plugin) -> str:
    """What to tell of a setting that only a plugin knows which cannot be used."""
    return f"cannot be used: {plugin}: {plugin.problem}; mend or uninstall that package, or take this out"


def keys_at(path: Iterable[Any]) -> list[str]:
    """The settings below a path."""
    model = _model_at(path)
    return [name for name in model.model_fields if name != "profile"] if model else []


def old_names_at(path: Iterable[Any]) -> Mapping[str, str]:
    """Return the current name of each renamed setting below a path, by its old name."""
    model = _model_at(path)
    return old_names_of(model) if model else {}


def old_names_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the current name of each renamed field of a model, by its old name."""
    return model.old_names if issubclass(model, Section) else {}


def _model_at(path: Iterable[Any]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = settings_class()
    for part in path:
        name = old_names_of(model).get(str(part), str(part)) if model else ""
        field = model.model_fields.get(name) if model else None
        model = model_of(field.annotation) if field else None
    return model


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also one that may be absent; None where it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        return next((m for a in get_args(annotation) if (m := model_of(a))), None)
    return None
