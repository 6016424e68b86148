"""The command `features`: the `features` job of a range of days, in this process."""

from typing import Annotated

import typer

from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import Profile, Progress, exit_if_failed, exit_on_user_error
from traffic_assets.cli.history import warn_of_differences
from traffic_assets.cli.stopping import exit_if_stopped
from traffic_assets.settings import Settings, load_settings


def features(
    first: Annotated[str, typer.Argument(help="First local day, YYYY-MM-DD.")],
    last: Annotated[str | None, typer.Argument(help="Last local day, YYYY-MM-DD. Default: the first.")] = None,
    profile: Profile = None,
) -> None:
    """Read, validate and compute the feature table of a range of days. Works with spark-submit too.

    Exits with code 1 if a day is refused or a step fails.
    """
    with exit_on_user_error():
        settings, notify = load_settings(profile), Progress()
        require_days(settings, first, last or first)
        prepare_spark(settings, notify)
        build_features(settings, notify, [first, last or first])


def require_days(settings: Settings, first: str, last: str) -> None:
    """Raise ValueError if the ends of a range are not complete days of the deployment, in order."""
    from traffic_assets.partitions import RANGE_END, RANGE_START, build_daily_partitions, find_partition_problem

    tags = {RANGE_START: first, RANGE_END: last}
    if problem := find_partition_problem(tags, build_daily_partitions(settings), "day"):
        raise ValueError(problem)


def build_features(settings: Settings, notify: Progress, days: list[str]) -> None:
    """Run the `features` job in this process, and exit with code 1 if it failed.

    Args:
        settings: Settings of the deployment.
        notify: Callback for progress messages.
        days: Days, ISO dates; the earliest and the latest are the ends of the range.
    """
    from traffic_assets import runs

    instance = runs.open_instance(notify)
    warn_of_differences(settings, instance)
    outcome = runs.run_features(settings, days, instance, notify)
    exit_if_stopped()
    exit_if_failed("features", outcome)
