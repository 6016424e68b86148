"""The command `demo`: simulated readings, features, one trained week and its leaderboard."""

import time
from datetime import date, timedelta

from rich.markup import escape

from traffic_assets.catalogue.clock import day_key
from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import Profile, Progress, exit_on_user_error, out
from traffic_assets.cli.features import build_features
from traffic_assets.cli.sample import write_readings
from traffic_assets.cli.train import train_week
from traffic_assets.settings import load_settings
from traffic_assets.settings.extras import is_clone


def demo(profile: Profile = None) -> None:
    """Simulate readings, compute features, train one week and print its leaderboard, in one process."""
    with exit_on_user_error():
        settings = load_settings(profile)
        first = date(2026, 1, 5)
        days = settings.training.window_days
        started = time.monotonic()
        out.print("[bold]1/3 Simulated readings[/bold]")
        write_readings(settings, None, 12, days, first, 42, 0.0)
        week = first + timedelta(days=days - 7)
        notify = Progress()
        prepare_spark(settings, notify)
        out.print(f"[bold]2/3 Feature table, {days} days in one run[/bold]")
        build_features(settings, notify, [day_key(first), day_key(first + timedelta(days=days - 1))])
        out.print(f"[bold]3/3 Training week {week}[/bold]")
        train_week(settings, notify, week.isoformat())
        minutes, seconds = divmod(round(time.monotonic() - started), 60)
        out.print(f"\nDone in {minutes} min {seconds:02d} s. Next steps:")
        for command, result in next_steps(is_clone()).items():
            out.print(f"  {command:<42}{result}")
        out.print(f"  {escape(settings.persistence.base_uri)}")


def next_steps(clone: bool) -> dict[str, str]:
    """Return commands to continue with, and what each shows.

    Args:
        clone: True if the package is run from a clone, with a Makefile and a `.venv`.
    """
    command = ".venv/bin/traffic-assets" if clone else "traffic-assets"
    return {
        "make dev" if clone else "dagster dev -m traffic_assets.definitions": "the Dagster UI on this data",
        f"{command} report --open": "the report in your browser",
        f"{command} models list": "the registered models",
    }
