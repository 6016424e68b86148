"""What can be predicted, and how it may be called. Units and feature columns are in the catalogue of features."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ValidationInfo

from traffic_assets.settings.data import ALIASES

Target = Literal["speed", "flow"]
"""What can be predicted: the targets of the catalogue."""

DEFAULT_TARGET: Target = "speed"
"""The target whose lanes have no prefix, ever."""


def our_target(given: Any, aliases: Mapping[str, Any]) -> Any:
    """Our name of a target that is called as its column may be; what means no target stays as it is.

    Args:
        given: a name; our own stand for themselves, whatever column is called so.
        aliases: `data.aliases`, beside the names that are known.
    """
    if not isinstance(given, str) or given in get_args(Target):
        return given
    meant = {**ALIASES, **aliases}.get(given)
    return meant if meant in get_args(Target) else given


def _ours(given: Any, info: ValidationInfo) -> Any:
    return our_target(given, (info.context or {}).get("aliases", {}))


TargetName = Annotated[Target, BeforeValidator(_ours)]
"""A target in the settings: by our name, or by one of its column; loading passes `data.aliases` as the context."""
