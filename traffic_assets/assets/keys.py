"""Asset keys and their string forms.

The assets of the default target have no prefix, so that no key changes when a target is added.
"""

import dagster as dg

from traffic_assets.settings.target import DEFAULT_TARGET


def add_target_prefix(name: str, target: str) -> str:
    """Return the text of the key of a target's asset: `[<target>/]<name>`."""
    return name if target == DEFAULT_TARGET else f"{target}/{name}"


def asset_key(text: str) -> dg.AssetKey:
    """Return the key of a text with slashes."""
    return dg.AssetKey.from_user_string(text)


def get_step_name(text: str) -> str:
    """Return the name of an asset's step in run configuration and logs."""
    return "__".join(asset_key(text).path)
