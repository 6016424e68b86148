"""The command `sample`: simulated readings for a deployment."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from traffic_assets.cli.console import USAGE, Profile, err, exit_on_user_error, out, print_error
from traffic_assets.messages import cli as messages
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.pydantic_errors import coded_text


def sample(
    to: Annotated[Path | None, typer.Option(help="Folder to write. Default: raw/readings of the deployment.")] = None,
    sensors: Annotated[int, typer.Option(help="Number of detector stations.")] = 12,
    days: Annotated[int, typer.Option(help="Number of local days.")] = 14,
    first_day: Annotated[str, typer.Option(help="First local day, YYYY-MM-DD.")] = "2026-01-05",
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same readings.")] = 42,
    bad_share: Annotated[float, typer.Option(help="Share of invalid rows, to demonstrate the quarantine.")] = 0.0,
    profile: Profile = None,
) -> None:
    """Write simulated detector readings."""
    with exit_on_user_error():
        write_readings(load_settings(profile), to, sensors, days, _parse_day(first_day), seed, bad_share)


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(messages.NOT_A_DATE(given=text)) from None


def write_readings(
    settings: Settings, to: Path | None, sensors: int, days: int, first_day: date, seed: int, bad_share: float
) -> None:
    """Write simulated readings and print a summary.

    Raises:
        ValueError: If the readings of the deployment are not simulated, or not in a local folder.
        typer.Exit: If a value is out of range; its message is printed.
    """
    from traffic_assets.dagster_hdfs.uris import is_local, local_path
    from traffic_assets.simulation.spec import SampleSpec
    from traffic_assets.simulation.writer import require_simulated, write_sample

    if to is None:
        if not is_local(settings.source_uri):
            raise ValueError(messages.SAMPLE_NOT_LOCAL(source=settings.source_uri))
        to = local_path(settings.source_uri)
        if settings.data.source is not None:
            raise ValueError(messages.SAMPLE_AMONG_READINGS(source=settings.source_uri))
        require_simulated(to)
    try:
        spec = SampleSpec(
            sensors=sensors,
            days=days,
            first_day=first_day,
            seed=seed,
            time_zone=settings.data.time_zone,
            interval_minutes=settings.data.interval_minutes,
            bad_share=bad_share,
        )
    except ValidationError as error:
        for item in error.errors():
            print_error(coded_text(item))
        raise typer.Exit(USAGE) from None
    from rich import progress as rich_progress

    with rich_progress.Progress(console=err, transient=True) as progress:
        task = progress.add_task("simulating", total=days)
        report = write_sample(spec, to, lambda done, total: progress.update(task, completed=done, total=total))
    out.print(
        f"{report.readings:,} simulated readings of {report.sensors} sensors on {report.days} days: "
        f"{report.missing_share:.1%} missing, {report.congested_share:.1%} congested, persistence error at 15 min "
        f"{report.persistence_rmse_15min_mph:.2f} mph; in {to}"
    )
