"""Reading settings: a profile (a name or a path to JSON), then the environment on top.

`TRAFFIC_PROFILE` chooses the profile; `TRAFFIC_<SECTION>__<KEY>` overrides one value, with `__` for each
further level, such as `TRAFFIC_TRAINING__FOLDS=3`. Values that are not text are JSON.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from traffic_assets.settings.validation import (
    as_given,
    describe,
    did_you_mean,
    keys_at,
    left_out,
    model_of,
    old_names_at,
    old_names_of,
    validated,
)
from traffic_assets.settings.old_keys import use_current_names
from traffic_assets.settings.plugins import settings_class, unusable_at
from traffic_assets.settings.schema import Settings
from traffic_assets.settings.users_format import Translation, completed, switched_off, translate

_LOG = logging.getLogger(__name__)
PREFIX = "TRAFFIC_"
NOT_SETTINGS = {"TRAFFIC_PROFILE", "TRAFFIC_REAL_DATA"}
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
    users, ours = _read(chosen), _from_environment(environ)
    over = use_current_names(Translation(dict(overrides or {})), settings_class())
    laid = _laid(over, _laid(ours, users))
    settings, found = validated({**completed(laid.content, users), "profile": chosen})
    # one value of the users' may stand for several of ours, and be wrong but once
    mistakes = list(dict.fromkeys([*laid.refused, *describe(found, laid.origins)]))
    off = switched_off(laid.content, users)
    if settings is None or mistakes:
        lines = "\n".join(f"  {line}" for line in [*mistakes, *off])  # that models are off may be why
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        where = f"{chosen}, environment" if ours.content or ours.refused else chosen
        raise SettingsError(f"{count} in the settings ({where}):\n{lines}")
    idle = [f"{'.'.join(as_given(path, laid.origins))}: {why}" for path, why in settings.without_effect]
    for line in [*users.told, *off, *idle]:
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
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: given a {type(content).__name__}; a JSON object with sections is allowed")
    base, own = content.pop("extends", None), use_current_names(translate(content), settings_class())
    own.refused[:0] = [f"{'.'.join(at)}: stands twice in the file; keep one" for at in _twice(content)]
    if base is None:
        return own
    if str(base) not in profile_names():
        base = Path(str(path)).parent.joinpath(Path(str(base)).expanduser()).resolve()
    return _laid(own, _read(str(base), (*seen, profile)))


class _Object(dict[str, Any]):
    """An object of a file; JSON lets a key stand in it twice, of which Python keeps the last without a word."""

    def __init__(self, pairs: Sequence[tuple[str, Any]] = ()) -> None:
        super().__init__(pairs)
        count = Counter(key for key, _ in pairs)
        self.twice = [key for key in self if count[key] > 1]


def _twice(content: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all keys that stand more than once in their object, also in the objects of a list."""
    if isinstance(content, _Object):
        yield from ((*at, key) for key in content.twice)
        for key, value in content.items():
            yield from _twice(value, (*at, key))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _twice(value, (*at, str(number)))


def _laid(top: Translation, base: Translation) -> Translation:
    """One layer over another, each translated by itself, so that the same under two names is the same.

    Layers are a file over the one that it extends, the environment over the file, and overrides over all.
    """
    models = top.content.get("models")
    named = frozenset(models) if isinstance(models, Mapping) else frozenset[str]()
    return Translation(
        merge(base.content, top.content),
        told=base.told + top.told,
        refused=base.refused + top.refused,
        origins={ours: theirs for ours, theirs in base.origins.items() if not _holds(top.content, ours)} | top.origins,
        foreign=top.foreign if base.lists is None else base.foreign,
        lists=top.lists if base.lists is None else base.lists | named,
        ready_made=top.ready_made or base.ready_made,
    )


def _holds(content: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True


def _from_environment(environ: Mapping[str, str]) -> Translation:
    """`TRAFFIC_A__B=value` as `{"a": {"b": value}}`; every unknown name is refused."""
    found = Translation({})
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        given = name.removeprefix(PREFIX).split("__")
        path = _match(given, settings_class())
        if path is None and (plugin := unusable_at([part.lower() for part in given])):
            found.refused.append(f"{name}: {left_out(plugin)}")
            continue
        if path is None:
            path = _known_part(given)
            known, allowed = given[: len(path)], keys_at(path)
            old_names = {old.upper(): new.upper() for old, new in old_names_at(path).items()}
            hint = did_you_mean(given[len(known)].upper(), [key.upper() for key in allowed], old_names)
            below = f"below {PREFIX}{'__'.join(known)}" if known else f"after {PREFIX}"
            keys = ", ".join(key.upper() for key in allowed)
            found.refused.append(f"{name}: no such setting{hint}; {below} there may be {keys}")
            continue
        nested: Any = _value(text)
        found.refused += [f"{'.'.join((name, *at))}: stands twice in it; keep one" for at in _twice(nested)]
        for key in reversed(path):
            nested = {key: nested}
        found.content = merge(found.content, nested)
        found.origins[tuple(path)] = (name,)
    return use_current_names(found, settings_class())


def _known_part(given: list[str]) -> list[str]:
    """Return the path of the longest part of a name that is known."""
    for length in range(len(given) - 1, -1, -1):
        path = _match(given[:length], settings_class())
        if path is not None:
            return path
    raise AssertionError("the empty name is known")


def _match(given: list[str], model: Any) -> list[str] | None:
    """Return the path that `given` names below `model`, in any case and also by old names, or None.

    Below a free mapping, names are as given.
    """
    if not given:
        return []
    fields = model_of(model)
    if fields is None:
        return list(given)
    current = {name: name for name in fields.model_fields if name != "profile"} | dict(old_names_of(fields))
    for name, field in current.items():
        if name.upper() == given[0].upper():
            rest = _match(given[1:], fields.model_fields[field].annotation)
            return None if rest is None else [name, *rest]
    return None


def _value(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object)
    except ValueError:
        return text
