"""Targets: the variables that can be predicted, and their names in the settings.

Units and feature columns are in the catalogue.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ValidationInfo

from traffic_assets.settings.data import ALIASES

Target = Literal["speed", "flow"]
"""A variable that can be predicted: one of the targets of the catalogue."""

DEFAULT_TARGET: Target = "speed"
"""The target whose lanes have no prefix in their asset keys."""


def resolve_target(name: Any, aliases: Mapping[str, Any]) -> Any:
    """Return the target that a name refers to, or the name unchanged if it refers to none.

    Args:
        name: Name of a target or of its column. A target's own name always refers to the target.
        aliases: Column names of `data.aliases`; they take precedence over the common names in `ALIASES`.
    """
    if not isinstance(name, str) or name in get_args(Target):
        return name
    meant = {**ALIASES, **aliases}.get(name)
    return meant if meant in get_args(Target) else name


def _resolve(name: Any, info: ValidationInfo) -> Any:
    return resolve_target(name, (info.context or {}).get("aliases", {}))


TargetName = Annotated[Target, BeforeValidator(_resolve)]
"""A target in the settings, by its own name or by an alias of its column.

The loader passes `data.aliases` as the validation context.
"""
