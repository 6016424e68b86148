"""Asset keys: how a target stands in them, and how their text becomes a key.

The assets of the default target have no prefix, so that no key changes when a target is added.
"""

import dagster as dg

from traffic_assets.settings.target import DEFAULT_TARGET


def of_target(name: str, target: str) -> str:
    """Text of the key of a target's asset: `[<target>/]<name>`."""
    return name if target == DEFAULT_TARGET else f"{target}/{name}"


def asset_key(text: str) -> dg.AssetKey:
    """The key that a text with slashes means."""
    return dg.AssetKey.from_user_string(text)


def step_of(text: str) -> str:
    """Name of the step that makes an asset: in run configuration and logs."""
    return "__".join(asset_key(text).path)
