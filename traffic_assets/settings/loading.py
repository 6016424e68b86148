"""Loading of settings: a profile (a name or a path to JSON), then the environment on top.

`TRAFFIC_PROFILE` chooses the profile; `environment.py` describes the other variables.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages
from traffic_assets.settings.environment import PROFILE, from_environment
from traffic_assets.settings.json_objects import duplicate_keys, parse_json
from traffic_assets.settings.layer import Layer, at_path, find_origin, merge, merge_layers
from traffic_assets.settings.old_keys import use_current_names
from traffic_assets.settings.plugins import ALGORITHM_GROUP, METRIC_GROUP, select_usable, settings_class
from traffic_assets.settings.references import find_unknown_names
from traffic_assets.settings.schema import Settings
from traffic_assets.settings.sklearn_config.listed_models import complete, unlisted_warnings
from traffic_assets.settings.sklearn_config.translation import translate
from traffic_assets.settings.validation import EXTENDS, describe, validate

__all__ = ["SettingsError", "load_settings", "merge", "profile_names"]

DEFAULT_PROFILE = "local"
_LOG = logging.getLogger(__name__)
_PROFILES = files("traffic_assets.settings") / "profiles"


class SettingsError(ValueError):
    """Settings that cannot be used; the message lists every error with its path and the allowed values."""

    @property
    def problems(self) -> list[CodedText]:
        """Every error with its own code; an error that ends the loading is the only one."""
        text: CodedText = self.args[0]
        return text.values.get("problems", [text])


def profile_names() -> list[str]:
    """Return the names of the profiles in this package."""
    return sorted(p.name.removesuffix(".json") for p in _PROFILES.iterdir() if p.name.endswith(".json"))


def load_settings(
    profile: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the validated settings.

    Args:
        profile: Name of a profile or path of a JSON file. Default: `TRAFFIC_PROFILE` or `local`.
        overrides: Nested mapping merged over file and environment, for tests and notebooks.
        environ: Environment. Default: `os.environ`.

    Raises:
        SettingsError: If the settings cannot be used, with one line for every error.
    """
    environ = os.environ if environ is None else environ
    chosen = str(profile or environ.get(PROFILE) or DEFAULT_PROFILE)
    file_layer, environment_layer = _read(chosen, is_argument=bool(profile)), from_environment(environ)
    override_layer = use_current_names(Layer(dict(overrides or {})), settings_class())
    merged = merge_layers(merge_layers(file_layer, environment_layer), override_layer)
    settings, errors = validate({**complete(merged.content, file_layer), "profile": chosen})
    # several current settings may come from one key; report its error once
    problems = list(dict.fromkeys([*merged.problems, *describe(errors, merged.origins)]))
    if settings is not None:
        problems += find_unknown_names(settings)
    unlisted = unlisted_warnings(merged.content, file_layer)
    if settings is None or problems:
        source = f"{chosen}, environment" if environment_layer.content or environment_layer.problems else chosen
        raise SettingsError(_describe_invalid(source, problems, unlisted))
    idle = [at_path(find_origin(path, merged.origins), text) for path, text in settings.without_effect]
    for text in [*merged.warnings, *unlisted, *idle]:
        _LOG.warning(text.with_prefix(f"{chosen}: "))
    return settings


def _describe_invalid(source: str, problems: Sequence[CodedText], unlisted: Sequence[CodedText]) -> CodedText:
    """Return the text of an error: a heading and a line for every problem.

    Args:
        source: Profile, and whether the environment sets something.
        problems: Every problem.
        unlisted: Warnings about models that are off, which may be the reason for a problem.
    """
    heading = messages.INVALID_SETTINGS(source=source, count=len(problems))
    lines = [f"  {text}" for text in [*problems, *unlisted]]
    values = {**heading.values, "problems": list(problems)}
    return CodedText("\n".join([heading, *lines]), heading.code, values)


def _read(profile: str, seen: tuple[str, ...] = (), is_argument: bool = False) -> Layer:
    """Return the layer of a profile, merged over the profiles that it extends.

    Args:
        profile: Name of a profile, or path of a file.
        seen: Profiles that extend this one.
        is_argument: True if the caller passed the profile, False if the environment names it.
    """
    if profile in seen:
        raise SettingsError(messages.PROFILE_CIRCLE(circle=" -> ".join((*seen, profile))))
    packaged = _PROFILES / f"{profile}.json"
    path = packaged if profile in profile_names() else Path(profile).expanduser()
    if not path.is_file():
        names = profile_names()
        if seen:
            raise SettingsError(messages.UNKNOWN_BASE_PROFILE(profile=profile, profiles=names, file=seen[-1]))
        if is_argument:
            raise SettingsError(messages.UNKNOWN_PROFILE_ARGUMENT(profile=profile, profiles=names))
        raise SettingsError(messages.UNKNOWN_PROFILE(profile=profile, profiles=names))
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingsError(messages.INVALID_JSON(file=str(path), reason=str(error))) from None
    if not isinstance(content, dict):
        raise SettingsError(messages.NOT_AN_OBJECT(file=str(path), given=type(content).__name__))
    base = content.pop(EXTENDS, None)
    translated = translate(content, select_usable(ALGORITHM_GROUP), tuple(select_usable(METRIC_GROUP)))
    layer = use_current_names(translated, settings_class())
    layer.problems[:0] = [at_path(at, messages.DUPLICATE_KEY(key=at[-1])) for at in duplicate_keys(content)]
    if base is None:
        return layer
    if str(base) not in profile_names():
        base = Path(str(path)).parent.joinpath(Path(str(base)).expanduser()).resolve()
    return merge_layers(_read(str(base), (*seen, profile)), layer)
