"""The command `train`, and the runs of this process that `demo` shares with it."""

from datetime import date
from typing import Annotated

import typer

from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import Profile, Progress, exit_if_failed, exit_on_user_error
from traffic_assets.cli.history import warn_of_differences
from traffic_assets.cli.leaderboard import show_leaderboard
from traffic_assets.settings import Settings, load_settings


def train(
    week: Annotated[str, typer.Argument(help="Monday of the week, YYYY-MM-DD.")],
    profile: Profile = None,
) -> None:
    """Train, evaluate and register the models of a week. Works with spark-submit too.

    Exits with code 1 if a gate or step fails.
    """
    with exit_on_user_error():
        settings, notify = load_settings(profile), Progress()
        prepare_spark(settings, notify)
        train_week(settings, notify, week)


def build_features(settings: Settings, notify: Progress, first_day: date, last_day: date) -> None:
    """Run the `features` job in this process, and exit with code 1 if it failed."""
    from traffic_assets import runs
    from traffic_assets.catalogue.clock import day_range

    instance = runs.open_instance(notify)
    warn_of_differences(settings, instance)
    exit_if_failed("features", runs.run_features(settings, day_range(first_day, last_day), instance, notify))


def train_week(settings: Settings, notify: Progress, week: str) -> None:
    """Run the `train` job in this process, print its leaderboard, and exit with code 1 if a gate or a step failed."""
    from traffic_assets import runs

    instance = runs.open_instance(notify)
    warn_of_differences(settings, instance)
    outcome = runs.run_train(settings, week, instance, notify)
    show_leaderboard(settings, week, outcome.run_id)
    exit_if_failed("train", outcome)
