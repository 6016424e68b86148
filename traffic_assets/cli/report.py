"""The command `report`: a copy of the stored HTML report of a week."""

import webbrowser
from pathlib import Path
from typing import Annotated, get_args

import typer

from traffic_assets.cli.console import Profile, exit_on_user_error, out, print_warning
from traffic_assets.cli.history import warn_of_lost
from traffic_assets.messages import cli as messages
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.target import DEFAULT_TARGET, Target, resolve_target


def report(
    week: Annotated[
        str | None, typer.Argument(help="Monday of the week, YYYY-MM-DD. Default: the newest week with a report.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="File to write. Default: report-WEEK.html.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the file in the browser.")] = False,
    target: Annotated[str, typer.Option(help="Predicted variable, by its name or an alias.")] = DEFAULT_TARGET,
    profile: Profile = None,
) -> None:
    """Copy the stored HTML report of a week to a local file."""
    with exit_on_user_error():
        copy = fetch_report(load_settings(profile), week, to, target)
        out.print(str(copy), soft_wrap=True)
        if show and not webbrowser.open(copy.as_uri()):
            print_warning(messages.NO_BROWSER())


def fetch_report(settings: Settings, week: str | None, to: Path | None, target: str = DEFAULT_TARGET) -> Path:
    """Copy the current report of a week, and return the path of the copy.

    Args:
        settings: Settings of the deployment.
        week: Monday of the week, ISO date; None for the newest week with a report.
        to: File to write or replace; None for `report-<week>.html` in the current folder.
        target: Predicted variable, by its name or an alias.

    Raises:
        ValueError: If the week has no report, the deployment has no such target, or the file cannot be created.
    """
    from traffic_assets.assets.keys import add_target_prefix
    from traffic_assets.assets.report import REPORT, page_uri
    from traffic_assets.resources import build_resources

    name, target = target, resolve_target(target, settings.data.aliases)
    if target not in settings.training.targets:
        problem = messages.TARGET_NOT_TRAINED if target in get_args(Target) else messages.UNKNOWN_TARGET
        raise ValueError(problem(given=name, targets=settings.training.targets))
    hdfs = build_resources(settings)["hdfs"]
    dataset = hdfs.dataset(add_target_prefix(REPORT, target))
    weeks = dataset.partitions()
    if not weeks:
        warn_of_lost(settings, [add_target_prefix(REPORT, target)], dataset.root)
        raise ValueError(messages.NO_REPORTS(root=dataset.root))
    current = dataset.current(week := week or weeks[-1])
    if current is None:
        raise ValueError(messages.NO_REPORT_OF_WEEK(week=week, weeks=weeks))
    stem = "report" if target == DEFAULT_TARGET else f"report-{target}"
    copy = (to or Path(f"{stem}-{week}.html")).absolute()
    if copy.is_dir():
        raise ValueError(messages.OUT_IS_A_FOLDER(path=copy))
    if not copy.parent.is_dir():
        raise ValueError(messages.OUT_HAS_NO_FOLDER(folder=copy.parent))
    dataset.require_whole([current])
    copy.write_bytes(hdfs.filesystem.read_bytes(page_uri(current.uri)))
    return copy
