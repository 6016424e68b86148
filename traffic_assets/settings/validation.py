"""Validation of the settings: every error is collected at once, with path, given value and allowed values.

Files and the environment are read in `loading.py`; the rules of a section are in the file of its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages
from traffic_assets.settings.keys import keys_at, old_names_at, suggest_name
from traffic_assets.settings.layer import Path, at_path, find_origin
from traffic_assets.settings.models.base import LIST_TAG, RANGE_TAG
from traffic_assets.settings.plugins import Plugin, find_unusable, settings_class
from traffic_assets.settings.pydantic_errors import HIDDEN, coded_text, format_value
from traffic_assets.settings.schema import Settings

_SECRETS = {("spark",), ("spark", "config")}
"""Sections whose values are not repeated in a message, because they may be secrets."""

EXTENDS = "extends"
"""Key of a settings file that names the profile to build on; not itself a setting."""

Location = tuple[str | int, ...]


def validate(content: Mapping[str, Any]) -> tuple[Settings | None, list[ErrorDetails]]:
    """Return the settings, or every error in them.

    Pydantic checks a rule over several values only if each value is allowed. So wrong values are left out and the rest
    is validated again. A rule of a section waits if one of the section's own values was left out: that value may have
    broken the rule.
    """
    errors: list[ErrorDetails] = []
    left_out: set[Location] = set()
    context = {"aliases": _aliases(content)}
    while True:
        try:
            settings = settings_class().model_validate(content, context=context)
        except ValidationError as error:
            items = [_at_its_key(item) for item in error.errors(include_url=False)]
            waiting = {path[:-1] for path in left_out}
            errors += [item for item in items if item["loc"] not in waiting]
            wrong = {_outside_lists(item["loc"]) for item in items} - left_out
            rest = _without(content, wrong)
            if rest == content:
                return None, errors
            content, left_out = rest, left_out | wrong
        else:
            return (None if errors else settings), errors


def describe(errors: Sequence[ErrorDetails], origins: Mapping[Path, Path] | None = None) -> list[CodedText]:
    """Return the message of each error, with the path of its setting in front.

    Args:
        errors: Errors of `validate`.
        origins: Path under which a value was set, in a file or in the environment, by its current path.
    """
    return [at_path(_find_origin(error, origins or {}), _message(error)) for error in errors]


def describe_unusable(plugin: Plugin) -> CodedText:
    """Return the message for a setting of a plugin that cannot be used."""
    return messages.UNUSABLE_PLUGIN(plugin=str(plugin), reason=plugin.problem)


def _find_origin(error: ErrorDetails, origins: Mapping[Path, Path]) -> Path:
    return find_origin(tuple(map(str, error["loc"])), origins) or ("settings",)


def _message(error: ErrorDetails) -> CodedText:
    """Return the message of an error, without its path."""
    path, value, kind = error["loc"], error.get("input"), error["type"]
    named = [*map(str, path), *([value] if isinstance(value, str) else [])]
    if kind in ("extra_forbidden", "literal_error") and (plugin := find_unusable(named)):
        return describe_unusable(plugin)
    if kind == "extra_forbidden":
        return _unknown_key(path)
    hide = path[:2] in _SECRETS
    if kind == "model_type" and (allowed := keys_at(path)):
        return messages.NOT_A_SECTION(given=HIDDEN if hide else format_value(value), allowed=allowed)
    text = coded_text(error, hide)
    return _unknown_hyperparameter(path, text) if text.code == messages.UNKNOWN_HYPERPARAMETER.code else text


def _unknown_hyperparameter(path: Location, text: CodedText) -> CodedText:
    """Return the message for an unknown hyperparameter, with a suggestion if its name is like another one."""
    name, allowed = text.values["name"], text.values["allowed"]
    if near := suggest_name(name, allowed, old_names_at(path[:-1])):
        return messages.MISSPELLED_HYPERPARAMETER(name=name, allowed=allowed, suggestion=near)
    return text


def _unknown_key(path: Location) -> CodedText:
    key, allowed = str(path[-1]), [*([EXTENDS] if len(path) == 1 else []), *keys_at(path[:-1])]
    if near := suggest_name(key, allowed, old_names_at(path[:-1])):
        return messages.MISSPELLED_KEY(key=key, allowed=allowed, suggestion=near)
    return messages.UNKNOWN_KEY(key=key, allowed=allowed)


def _at_its_key(item: ErrorDetails) -> ErrorDetails:
    """Return an error with the path of its key, without the marks that pydantic adds."""
    item["loc"] = tuple(part for part in item["loc"] if part not in ("[key]", LIST_TAG, RANGE_TAG))
    return item


def _aliases(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `data.aliases` as configured: other sections may use its names, and no section sees another."""
    data = content.get("data")
    aliases = data.get("aliases") if isinstance(data, Mapping) else None
    return aliases if isinstance(aliases, Mapping) else {}


def _outside_lists(path: Location) -> Location:
    """Return a path up to the first list; a list without a wrong item would be another list."""
    first = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:first]


def _without(content: Mapping[str, Any], paths: Iterable[Location]) -> dict[str, Any]:
    """Return the content without the values at the paths; a path that does not exist changes nothing."""
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
