"""The command `train`, and the runs of this process that `demo` shares with it."""

from datetime import date
from typing import Annotated

import typer

from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import Profile, Progress, exit_if_failed, exit_on_user_error
from traffic_assets.cli.leaderboard import show_leaderboard
from traffic_assets.settings import Settings, load_settings


def train(
    week: Annotated[str, typer.Argument(help="The Monday of the week, YYYY-MM-DD.")],
    profile: Profile = None,
) -> None:
    """Train, judge and register one week; what spark-submit runs. Exit code 1 where a gate or a step failed."""
    with exit_on_user_error():
        settings, tell = load_settings(profile), Progress()
        prepare_spark(settings, tell)
        train_week(settings, tell, week)


def build_features(settings: Settings, tell: Progress, first_day: date, last_day: date) -> None:
    """Run the job features in this process; exit code 1 where it failed."""
    from traffic_assets import runs
    from traffic_assets.catalogue.clock import day_range

    instance = runs.open_instance(tell)
    exit_if_failed("features", runs.run_features(settings, day_range(first_day, last_day), instance, tell))


def train_week(settings: Settings, tell: Progress, week: str) -> None:
    """Run the job train in this process and print its leaderboard, also when a gate failed; then exit code 1."""
    from traffic_assets import runs

    outcome = runs.run_train(settings, week, runs.open_instance(tell), tell)
    show_leaderboard(settings, week, outcome.run_id)
    exit_if_failed("train", outcome)
