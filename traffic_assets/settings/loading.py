"""Reading settings: a profile (a name or a path to JSON), then the environment on top.

`TRAFFIC_PROFILE` chooses the profile; `TRAFFIC_<SECTION>__<KEY>` overrides one value, with `__` for each
further level, such as `TRAFFIC_TRAINING__SPLIT__TRAIN=0.7`. Values that are not text are JSON.
"""

import difflib
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from traffic_assets.settings.plugins import Plugin, settings_class, unusable_at
from traffic_assets.settings.schema import Settings
from traffic_assets.settings.users_format import Translation, completed, translate

_LOG = logging.getLogger(__name__)
PREFIX = "TRAFFIC_"
NOT_SETTINGS = {"TRAFFIC_PROFILE", "TRAFFIC_REAL_DATA"}
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_UNSHOWN = {("spark",), ("spark", "config")}
"""Where a secret may have been given; what is there is not repeated in a message."""
_PROFILES = files("traffic_assets.settings") / "profiles"


class SettingsError(ValueError):
    """The settings cannot be used; the message lists every mistake with its path and what is allowed."""


def profile_names() -> list[str]:
    """The profiles that come with the package."""
    return sorted(p.name.removesuffix(".json") for p in _PROFILES.iterdir() if p.name.endswith(".json"))


def load_settings(
    profile: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The validated settings.

    Args:
        profile: a profile's name or the path of a JSON file; `TRAFFIC_PROFILE` or `local` if absent.
        overrides: a nested mapping laid over file and environment, for tests and notebooks.
        environ: the environment; `os.environ` if absent.

    Raises:
        SettingsError: with one line for every mistake.
    """
    environ = os.environ if environ is None else environ
    chosen = str(profile or environ.get("TRAFFIC_PROFILE") or "local")
    users = _read(chosen)
    merged = merge(users.content, _from_environment(environ))
    merged = completed(merge(merged, overrides or {}), users.lists)
    merged["profile"] = chosen
    mistakes = list(users.refused)
    settings = None
    try:
        settings = settings_class().model_validate(merged)
    except ValidationError as error:
        mistakes += describe(error, users.origins)
    if settings is None or mistakes:
        lines = "\n".join(f"  {line}" for line in mistakes)
        raise SettingsError(f"{len(mistakes)} mistake(s) in the settings ({chosen}):\n{lines}")
    idle = [f"{'.'.join(_as_given(path, users.origins))}: {why}" for path, why in settings.without_effect]
    for line in [*users.told, *idle]:
        _LOG.warning("%s: %s", chosen, line)
    return settings


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`top` laid over `base`, mapping by mapping; a list or value replaces what was there."""
    result = dict(base)
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def _read(profile: str, seen: tuple[str, ...] = ()) -> Translation:
    """A profile in our terms, over the profile it `extends`: a name, or a path seen from its own folder."""
    if profile in seen:
        raise SettingsError(f"profiles extend each other in a circle: {' -> '.join((*seen, profile))}")
    packaged = _PROFILES / f"{profile}.json"
    path = packaged if profile in profile_names() else Path(profile).expanduser()
    if not path.is_file():
        raise SettingsError(
            f"no profile {profile!r}: give one of {', '.join(profile_names())}, or the path of a JSON file"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: given a {type(content).__name__}; a JSON object with sections is allowed")
    base, own = content.pop("extends", None), translate(content)
    if base is None:
        return own
    if str(base) not in profile_names():
        base = Path(str(path)).parent.joinpath(Path(str(base)).expanduser()).resolve()
    return _laid(own, _read(str(base), (*seen, profile)))


def _laid(top: Translation, base: Translation) -> Translation:
    """A file over the one that it extends, each translated by itself, so that the same under two names is the same."""
    models = top.content.get("models")
    named = frozenset(models) if isinstance(models, Mapping) else frozenset[str]()
    return Translation(
        merge(base.content, top.content),
        told=base.told + top.told,
        refused=base.refused + top.refused,
        origins={ours: theirs for ours, theirs in base.origins.items() if not _holds(top.content, ours)} | top.origins,
        lists=top.lists if base.lists is None else base.lists | named,
    )


def _holds(content: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """`TRAFFIC_A__B=value` as `{"a": {"b": value}}`; every unknown name is an error."""
    result: dict[str, Any] = {}
    unknown = []
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        given = name.removeprefix(PREFIX).split("__")
        path = _match(given, settings_class())
        if path is None and (plugin := unusable_at([part.lower() for part in given])):
            unknown.append(f"  {name}: {_left_out(plugin)}")
            continue
        if path is None:
            unknown.append(
                f"  {name}: no such setting; the form is {PREFIX}<SECTION>__<KEY>, the sections are "
                f"{', '.join(k for k in Settings.model_fields if k != 'profile')}"
            )
            continue
        nested: Any = _value(text)
        for key in reversed(path):
            nested = {key: nested}
        result = merge(result, nested)
    if unknown:
        raise SettingsError("unknown settings in the environment:\n" + "\n".join(unknown))
    return result


def _match(given: list[str], model: Any) -> list[str] | None:
    """The path that `given` names below `model`, in any case, or None; below a free mapping names are as given."""
    if not given:
        return []
    fields = _model_of(model)
    if fields is None:
        return list(given)
    for name, field in fields.model_fields.items():
        if name.upper() == given[0].upper() and name != "profile":
            rest = _match(given[1:], field.annotation)
            return None if rest is None else [name, *rest]
    return None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        return next((m for a in get_args(annotation) if (m := _model_of(a))), None)
    return None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def describe(error: ValidationError, origins: Mapping[tuple[str, ...], tuple[str, ...]] | None = None) -> list[str]:
    """One line a mistake: path, what was given, what is allowed.

    Args:
        error: of the validation.
        origins: our path -> the one that the users' file has for it.
    """
    lines = []
    for item in error.errors(include_url=False):
        path = ".".join(_as_given(tuple(str(part) for part in item["loc"]), origins or {})) or "settings"
        given = item.get("input")
        named = [*map(str, item["loc"]), *([given] if isinstance(given, str) else [])]
        if item["type"] in ("extra_forbidden", "literal_error") and (plugin := unusable_at(named)):
            lines.append(f"{path}: {_left_out(plugin)}")
            continue
        if item["type"] == "extra_forbidden":
            allowed = _keys_at(item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), allowed, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            lines.append(f"{path}: not a setting{hint}; allowed here: {', '.join(allowed)}")
            continue
        hidden = isinstance(given, BaseModel | dict) or item["loc"][:2] in _UNSHOWN
        shown = "" if hidden else f"given {_CREDENTIALS.sub('***@', repr(given))}; "
        if item["type"] == "model_type" and (allowed := _keys_at(item["loc"])):
            lines.append(f"{path}: {shown}give an object with {', '.join(allowed)}")
            continue
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {shown}{message[:1].lower()}{message[1:]}")
    return lines


def _as_given(path: tuple[str, ...], origins: Mapping[tuple[str, ...], tuple[str, ...]]) -> tuple[str, ...]:
    """The path under the names of the users' file, by the longest part of it that has an origin there."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]] + path[length:]
    return path


def _left_out(plugin: Plugin) -> str:
    return f"cannot be used: {plugin}: {plugin.problem}; mend or uninstall that package, or take this out"


def _keys_at(path: Iterable[Any]) -> list[str]:
    model: type[BaseModel] | None = settings_class()
    for part in path:
        field = model.model_fields.get(str(part)) if model else None
        model = _model_of(field.annotation) if field else None
    return [name for name in model.model_fields if name != "profile"] if model else []
