"""The command `train`, which `demo` shares."""

from typing import Annotated

import typer

from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import HELD, Profile, Progress, exit_if_failed, exit_on_user_error, print_problems
from traffic_assets.cli.history import warn_of_differences
from traffic_assets.cli.leaderboard import show_leaderboard
from traffic_assets.cli.stopping import exit_if_stopped
from traffic_assets.settings import Settings, load_settings


def train(
    week: Annotated[str, typer.Argument(help="Monday of the week, YYYY-MM-DD.")],
    profile: Profile = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until no other run trains the week, instead of exiting with code 3.")
    ] = False,
) -> None:
    """Train, evaluate and register the models of a week. Works with spark-submit too.

    Exits with code 1 if a gate or step fails, and with code 3 if another run trains the week.
    """
    with exit_on_user_error():
        settings, notify = load_settings(profile), Progress()
        prepare_spark(settings, notify)
        train_week(settings, notify, week, wait)


def train_week(settings: Settings, notify: Progress, week: str, wait: bool = False) -> None:
    """Run the `train` job in this process and print its leaderboard.

    Exit with code 1 if a gate or a step failed, and with code 3 if another run trains the week.

    Args:
        settings: Settings of the deployment.
        notify: Callback for progress messages.
        week: Monday of the week, ISO date.
        wait: True to wait for another training of the week to end.
    """
    from traffic_assets import runs
    from traffic_assets.messages.runs import LEASE_HELD

    instance = runs.open_instance(notify)
    warn_of_differences(settings, instance)
    outcome = runs.run_train(settings, week, instance, notify, wait)
    exit_if_stopped()
    if outcome.refused == LEASE_HELD.code:
        print_problems(outcome)
        raise typer.Exit(HELD)
    show_leaderboard(settings, week, outcome.run_id)
    exit_if_failed("train", outcome)
