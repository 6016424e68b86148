"""The command `sample`: simulated readings for a deployment."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from traffic_assets.cli.console import Profile, err, exit_on_user_error, out
from traffic_assets.settings import Settings, load_settings


def sample(
    to: Annotated[Path | None, typer.Option(help="Folder; the deployment's raw/readings if absent.")] = None,
    sensors: Annotated[int, typer.Option(help="Detector stations.")] = 12,
    days: Annotated[int, typer.Option(help="Local days.")] = 14,
    first_day: Annotated[str, typer.Option(help="YYYY-MM-DD.")] = "2026-01-05",
    seed: Annotated[int, typer.Option(help="The same seed makes the same readings.")] = 42,
    bad_share: Annotated[float, typer.Option(help="Share of rows made wrong on purpose, to see the quarantine.")] = 0.0,
    profile: Profile = None,
) -> None:
    """Write simulated detector readings, the same for the same seed."""
    with exit_on_user_error():
        write_readings(load_settings(profile), to, sensors, days, date.fromisoformat(first_day), seed, bad_share)


def write_readings(
    settings: Settings, to: Path | None, sensors: int, days: int, first_day: date, seed: int, bad_share: float
) -> None:
    """Write a sample and say what is in it."""

    from traffic_assets.dagster_hdfs.uris import is_local, local_path
    from traffic_assets.simulation.spec import SampleSpec
    from traffic_assets.simulation.writer import require_simulated, write_sample

    if to is None:
        if not is_local(settings.source_uri):
            raise ValueError(
                f"the readings of this deployment are at {settings.source_uri}: write the sample to a "
                f"local folder with --to, and copy it there"
            )
        to = local_path(settings.source_uri)
        if settings.data.source is not None:
            raise ValueError(
                f"data.source is set to {settings.source_uri}: a sample would be mixed with the readings there; write "
                f"it elsewhere with --to"
            )
        require_simulated(to)
    spec = SampleSpec(
        sensors=sensors,
        days=days,
        first_day=first_day,
        seed=seed,
        time_zone=settings.data.time_zone,
        interval_minutes=settings.data.interval_minutes,
        bad_share=bad_share,
    )
    from rich import progress as rich_progress

    with rich_progress.Progress(console=err, transient=True) as progress:
        task = progress.add_task("simulating", total=days)
        report = write_sample(spec, to, lambda done, total: progress.update(task, completed=done, total=total))
    out.print(
        f"{report.readings:,} simulated readings of {report.sensors} sensors on {report.days} days: "
        f"{report.missing_share:.1%} missing, {report.congested_share:.1%} congested, persistence error at 15 min "
        f"{report.persistence_rmse_15min_mph:.2f} mph; in {to}"
    )
