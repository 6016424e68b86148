"""Settings in the environment: `TRAFFIC_<SECTION>__<KEY>` sets one value, with `__` for each further level."""

from collections.abc import Mapping
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages
from traffic_assets.settings.json_objects import duplicate_keys, parse_json
from traffic_assets.settings.keys import find_model, get_old_names, keys_at, old_names_at, suggest_name
from traffic_assets.settings.layer import Layer, at_path, merge
from traffic_assets.settings.old_keys import use_current_names
from traffic_assets.settings.plugins import find_unusable, settings_class
from traffic_assets.settings.validation import describe_unusable

PREFIX = "TRAFFIC_"
PROFILE = "TRAFFIC_PROFILE"
NOT_SETTINGS = {PROFILE, "TRAFFIC_REAL_DATA"}


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Return the layer of the environment: `TRAFFIC_A__B=value` as `{"a": {"b": value}}`.

    Every unknown variable becomes a problem of the layer.
    """
    layer = Layer({})
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        parts = name.removeprefix(PREFIX).split("__")
        path = _match(parts, settings_class())
        if path is None:
            layer.problems.append(at_path((name,), _describe_unknown(parts)))
            continue
        nested = _value(text)
        for at in duplicate_keys(nested):
            layer.problems.append(at_path((name, *at), messages.DUPLICATE_KEY(key=at[-1])))
        for key in reversed(path):
            nested = {key: nested}
        layer.content = merge(layer.content, nested)
        layer.origins[tuple(path)] = (name,)
    return use_current_names(layer, settings_class())


def _describe_unknown(parts: list[str]) -> CodedText:
    """Return the message for the parts of a variable's name that are not a setting."""
    if plugin := find_unusable([part.lower() for part in parts]):
        return describe_unusable(plugin)
    path = _known_part(parts)
    known, key = parts[: len(path)], parts[len(path)]
    allowed = [*([] if path else [PROFILE.removeprefix(PREFIX)]), *(name.upper() for name in keys_at(path))]
    prefix = PREFIX + "".join(f"{part}__" for part in known)
    old_names = {old.upper(): new.upper() for old, new in old_names_at(path).items()}
    near = suggest_name(key.upper(), allowed, old_names)
    if near and near != key.upper():  # TRAFFIC_PROFILE__X: the profile has no settings below it
        full = PREFIX + near.replace(".", "__") if "." in near else prefix + near
        return messages.MISSPELLED_VARIABLE(key=key, prefix=prefix, allowed=allowed, suggestion=full)
    return messages.UNKNOWN_VARIABLE(key=key, prefix=prefix, allowed=allowed)


def _known_part(parts: list[str]) -> list[str]:
    """Return the path of the longest part of a name that is known."""
    for length in range(len(parts) - 1, -1, -1):
        path = _match(parts[:length], settings_class())
        if path is not None:
            return path
    raise AssertionError("the empty name is known")


def _match(parts: list[str], model: Any) -> list[str] | None:
    """Return the path of a name's parts below a model, or None. Case is ignored, and old names are accepted.

    Names below a free mapping are unchanged.
    """
    if not parts:
        return []
    fields = find_model(model)
    if fields is None:
        return list(parts)
    current = {name: name for name in fields.model_fields if name != "profile"} | dict(get_old_names(fields))
    for name, field in current.items():
        if name.upper() == parts[0].upper():
            rest = _match(parts[1:], fields.model_fields[field].annotation)
            return None if rest is None else [name, *rest]
    return None


def _value(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
