"""Commands that messages advise, with the profile of the deployment.

Without it, a command would use the default profile, and could build the days of another network again.
"""

import os
import shlex
from pathlib import Path

from traffic_assets.settings.environment import PROFILE
from traffic_assets.settings.loading import DEFAULT_PROFILE, profile_names
from traffic_assets.settings.schema import Settings
from traffic_assets.settings.target import DEFAULT_TARGET


def rebuild_days(settings: Settings, first: str, last: str) -> str:
    """Return the command that builds a range of days again.

    Args:
        settings: Settings of the deployment.
        first: First local day, ISO date.
        last: Last local day, ISO date.
    """
    return f"traffic-assets features {first} {last}{_profile_option(settings)}"


def rebuild_template(settings: Settings) -> str:
    """Return the command that builds damaged days again, with the fields `first` and `last` of a remedy."""
    braces: dict[str, str | int | None] = {"{": "{{", "}": "}}", "\0": "{first}", "\1": "{last}"}
    return rebuild_days(settings, "\0", "\1").translate(str.maketrans(braces))


def train_week(settings: Settings, week: str) -> str:
    """Return the command that trains a week, a Monday as ISO date."""
    return f"traffic-assets train {week}{_profile_option(settings)}"


def sync(settings: Settings) -> str:
    """Return the command that reports published partitions to Dagster."""
    return f"traffic-assets sync{_profile_option(settings)}"


def demo(settings: Settings) -> str:
    """Return the command that trains on simulated readings."""
    return f"traffic-assets demo{_profile_option(settings)}"


def open_report(settings: Settings, week: str, target: str = DEFAULT_TARGET) -> str:
    """Return the command that opens the report of a week, for a target."""
    option = "" if target == DEFAULT_TARGET else f" --target {target}"
    return f"traffic-assets report {week}{option} --open{_profile_option(settings)}"


def _profile_option(settings: Settings) -> str:
    """Return the option with the profile; none for the default one, unless the environment names another.

    The path of a file is absolute, because the command may run in another folder.
    """
    profile = settings.profile
    if profile == DEFAULT_PROFILE == (os.environ.get(PROFILE) or DEFAULT_PROFILE):
        return ""
    name = profile if profile in profile_names() else str(Path(profile).expanduser().absolute())
    return f" --profile {shlex.quote(name)}"
