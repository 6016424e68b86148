"""The command `report`: a copy of the stored HTML report of a week."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from traffic_assets.cli.console import Profile, err, exit_on_user_error, out
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.target import DEFAULT_TARGET, resolve_target


def report(
    week: Annotated[
        str | None, typer.Argument(help="The Monday of the week; the newest reported one if absent.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="File; report-WEEK.html here if absent.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    target: Annotated[str, typer.Option(help="What the models predict; an alias will do.")] = DEFAULT_TARGET,
    profile: Profile = None,
) -> None:
    """Copy the stored HTML report of a week to this machine, from wherever it is kept."""
    with exit_on_user_error():
        copy = fetch_report(load_settings(profile), week, to, target)
        out.print(str(copy), soft_wrap=True)
        if show and not webbrowser.open(copy.as_uri()):
            err.print("[yellow]no browser could be opened here: open the file above in one[/yellow]")


def fetch_report(settings: Settings, week: str | None, to: Path | None, target: str = DEFAULT_TARGET) -> Path:
    """Copy the current report of a week; returns where it is now.

    Args:
        settings: of the deployment.
        week: the newest that has a report, if absent.
        to: file to write, replacing what is there.
        target: what its models predict, by our name or by one of its column.

    Raises:
        ValueError: where the week has no report, the target is none of this deployment's, or `to` cannot be a file.
    """
    from traffic_assets.assets.keys import of_target
    from traffic_assets.assets.report import REPORT, page_uri
    from traffic_assets.resources import build_resources

    given, target = target, resolve_target(target, settings.data.aliases)
    if target not in settings.training.targets:
        raise ValueError(f"{given!r} is no target here: there are {', '.join(settings.training.targets)}")
    hdfs = build_resources(settings)["hdfs"]
    dataset = hdfs.dataset(of_target(REPORT, target))
    weeks = dataset.partitions()
    if not weeks:
        raise ValueError(f"no report is stored below {dataset.root}: run the job train for a week")
    current = dataset.current(week := week or weeks[-1])
    if current is None:
        raise ValueError(f"week {week} has no report; there are those of {', '.join(weeks)}")
    name = "report" if target == DEFAULT_TARGET else f"report-{target}"
    copy = (to or Path(f"{name}-{week}.html")).absolute()
    if copy.is_dir():
        raise ValueError(f"{copy} is a folder: give a file")
    if not copy.parent.is_dir():
        raise ValueError(f"{copy.parent} is no folder: make it first, or give a file elsewhere")
    copy.write_bytes(hdfs.filesystem.read_bytes(page_uri(current.uri)))
    return copy
