"""The command line `traffic-assets`: sample, demo, train, report, models, settings, plugins.

Here are only arguments and what is printed; runs are in `runs.py`, everything else in the layers below. Heavy
imports stay inside the commands, so that `--help` answers at once.
"""

import math
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from traffic_assets.settings import Settings, SettingsError, load_settings, profile_names
from traffic_assets.settings.target import DEFAULT_TARGET, our_target

if TYPE_CHECKING:
    from traffic_assets.ml.evaluation.leaderboard import Standing
    from traffic_assets.runs import RunOutcome

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
models_app = typer.Typer(no_args_is_help=True)
app.add_typer(models_app, name="models", help="List and show registered models.")
out, err = Console(), Console(stderr=True)

Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="A profile's name or a JSON file; TRAFFIC_PROFILE or local if absent."),
]
FAILED, USAGE = 1, 2


class Progress:
    """Prints what is told, with the time since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print a line."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        err.print(f"[dim]{minutes:3d}:{seconds:02d}[/dim]  {escape(text)}", highlight=False, soft_wrap=True)


@app.callback()
def _app() -> None:
    """Loop-detector readings to gated, registered Spark MLlib speed models."""


@app.command()
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
    with told_errors():
        write_readings(_settings(profile), to, sensors, days, date.fromisoformat(first_day), seed, bad_share)


@app.command()
def demo(profile: Profile = None) -> None:
    """Sample, features, one training week and a leaderboard, in one process on one Spark session."""
    with told_errors():
        settings = _settings(profile)
        first = date(2026, 1, 5)
        days = settings.training.window_days
        started = time.monotonic()
        out.print("[bold]1/3 Simulated readings[/bold]")
        write_readings(settings, None, 12, days, first, 42, 0.0)
        week = first + timedelta(days=days - 7)
        tell = Progress()
        out.print(f"[bold]2/3 Feature table, {days} days in one run[/bold]")
        build_features(settings, tell, first, first + timedelta(days=days - 1))
        out.print(f"[bold]3/3 Training week {week}[/bold]")
        train_week(settings, tell, week.isoformat())
        minutes, seconds = divmod(round(time.monotonic() - started), 60)
        out.print(f"\nDone in {minutes} min {seconds:02d} s. Look next:")
        out.print("  make dev                                 the Dagster UI on this data")
        out.print("  .venv/bin/traffic-assets report --open   the week's report in your browser")
        out.print("  .venv/bin/traffic-assets models list     what is registered")
        out.print(f"  {escape(settings.persistence.base_uri)}")


@app.command()
def train(
    week: Annotated[str, typer.Argument(help="The Monday of the week, YYYY-MM-DD.")],
    profile: Profile = None,
) -> None:
    """Train, judge and register one week; what spark-submit runs. Exit code 1 where a gate or a step failed."""
    with told_errors():
        train_week(_settings(profile), Progress(), week)


@app.command()
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
    with told_errors():
        copy = fetch_report(_settings(profile), week, to, target)
        out.print(str(copy), soft_wrap=True)
        if show and not webbrowser.open(copy.as_uri()):
            err.print("[yellow]no browser could be opened here: open the file above in one[/yellow]")


@app.command()
def settings(
    profile: Annotated[str | None, typer.Argument(help="A profile's name or a JSON file.")] = None,
) -> None:
    """Check the settings and print them as they are in force; every mistake is listed at once."""
    from traffic_assets.build import build_defs

    with told_errors():
        found = _settings(profile)
        build_defs(found)  # names of features and missing packages are known to the location alone
        out.print_json(found.model_dump_json())
        err.print(f"valid; profiles that come along: {', '.join(profile_names())}")


@app.command()
def plugins() -> None:
    """What installed packages add: algorithms, metrics, storage backends. Exit code 1 where one cannot be used."""
    from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backends
    from traffic_assets.settings.plugins import ALGORITHM_GROUP, METRIC_GROUP
    from traffic_assets.settings.plugins import plugins as found

    rows = [
        (kind, p.name, p.package, p.source, p.problem and f"{p}: {p.problem}")
        for kind, group in (("algorithm", ALGORITHM_GROUP), ("metric", METRIC_GROUP))
        for p in found(group)
    ]
    for backend in backends():
        problem = None
        try:
            backend.factory()
        except BackendError as error:
            problem = str(error)
        rows.append(("storage", backend.scheme, backend.distribution, backend.source, problem))
    if not rows:
        groups = ", ".join((ALGORITHM_GROUP, METRIC_GROUP, GROUP))
        out.print(f"no installed package adds anything by an entry point in {groups}")
        return
    table = _table("what", "name", "package", "entry point", "", named="name")
    for kind, name, package, source, problem in rows:
        table.add_row(kind, name, package, source, "[red]broken[/red]" if problem else "[green]usable[/green]")
    out.print(table)
    problems = [problem for *_, problem in rows if problem]
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/red]")
    if problems:
        raise typer.Exit(FAILED)


@models_app.command("list")
def list_models(profile: Profile = None) -> None:
    """The registered versions of every lane."""
    from traffic_assets.registry.store import summary

    with told_errors():
        registry = _registry(_settings(profile))
        versions = [
            summary(metadata)
            for metadata in registry.every(damaged=lambda error: err.print(f"[yellow]{escape(str(error))}[/yellow]"))
        ]
        if not versions:
            out.print(
                f"no model is registered yet below {escape(registry.root)}: run `traffic-assets demo`, or the job "
                f"train; if you have registered some elsewhere, set persistence.base_uri or go to that folder",
                soft_wrap=True,
            )
            return
        table = _table("model", "version", "week", "R²", "RMSE", "later RMSE")
        for v in versions:
            numbers = (f"{v['r2']:.5f}", f"{v['rmse']:.3f}", f"{v['temporal_rmse']:.3f}")
            table.add_row(v["lane"], v["version"], v["week"], *numbers)
        out.print(table)


@models_app.command("show")
def show_model(
    lane: Annotated[str, typer.Argument(help="Such as random_forest.")],
    version: Annotated[str, typer.Argument(help="Such as v1.0.0.")] = "latest",
    profile: Profile = None,
) -> None:
    """Everything that is known of a version, as JSON."""
    with told_errors():
        out.print_json(_registry(_settings(profile)).metadata(lane, version).model_dump_json())


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

    given, target = target, our_target(target, settings.data.aliases)
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


def build_features(settings: Settings, tell: Progress, first_day: date, last_day: date) -> None:
    """Run the job features in this process; exit code 1 where it failed."""
    from traffic_assets import runs
    from traffic_assets.catalogue.clock import day_range

    instance = runs.open_instance(tell)
    _end("features", runs.run_features(settings, day_range(first_day, last_day), instance, tell))


def train_week(settings: Settings, tell: Progress, week: str) -> None:
    """Run the job train in this process and print its leaderboard, also when a gate failed; then exit code 1."""
    from traffic_assets import runs

    outcome = runs.run_train(settings, week, runs.open_instance(tell), tell)
    show_leaderboard(settings, week, outcome.run_id)
    _end("train", outcome)


def _end(job: str, outcome: "RunOutcome") -> None:
    for problem in outcome.problems:
        err.print(f"[yellow]{escape(problem)}[/yellow]")
    if not outcome.success:
        err.print(f"[red]The job {job} failed[/red] (run {outcome.run_id}); what it had published stays.")
        raise typer.Exit(FAILED)


def show_leaderboard(settings: Settings, week: str, run_id: str) -> None:
    """Print the comparison of a week, if this run made one."""
    import json

    from traffic_assets.assets.evaluation import COMPARISON
    from traffic_assets.assets.keys import of_target
    from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
    from traffic_assets.ml.evaluation.leaderboard import Standing
    from traffic_assets.resources import build_resources

    hdfs = build_resources(settings)["hdfs"]
    for target in settings.training.targets:
        current = hdfs.dataset(of_target(COMPARISON, target)).current(week)
        if current is not None and current.run_id == run_id:
            document = hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}")
            board = [Standing.model_validate(row) for row in json.loads(document)["leaderboard"]]
            _print_leaderboard(board, week, target)


def _print_leaderboard(board: "list[Standing]", week: str, target: str) -> None:
    from traffic_assets.catalogue.targets import TARGETS
    from traffic_assets.ml.metrics.metrics import custom_metrics

    title = f"Week {week}: {target}"
    added = custom_metrics()
    more = [f"{later}{metric.label}" for metric in added.values() for later in ("", "later ")]
    table = _table("model", "R²", "RMSE", "MAE", "later R²", "later RMSE", *more, "targets", title=title)
    colours = {"missed": "red", "met": "green"}
    for standing in board:
        test, later = standing.test, standing.temporal
        table.add_row(
            standing.model,
            f"{test.r2:.5f}",
            f"{test.rmse:.3f}",
            f"{test.mae:.3f}",
            f"{later.r2:.5f}",
            f"{later.rmse:.3f}",
            *(_number(metrics.extra.get(name, math.nan)) for name in added for metrics in (test, later)),
            Text(standing.targets, colours.get(standing.targets, "dim")),
        )
    out.print(table)
    out.print(f"RMSE and MAE in {TARGETS[target].unit}, on the test split; later: a second fit, judged on later time")


def _table(*columns: str, named: str = "model", title: str | None = None) -> Table:
    """A table for 80 columns: names are never broken, and a number that finds no room is, but not cut short."""
    made = [Column(name, no_wrap=name == named, overflow="fold") for name in columns]
    return Table(*made, title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into one message and exit code 2; others keep their trace."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _mendable()):
            raise
        err.print(f"[red]{escape(_message(error))}[/red]")
        raise typer.Exit(USAGE) from None


def _mendable() -> tuple[type[Exception], ...]:
    import dagster as dg

    from traffic_assets.dagster_hdfs.publish import PointerError
    from traffic_assets.registry.store import RegistryError

    return SettingsError, RegistryError, PointerError, ValueError, OSError, dg.DagsterError


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:  # the system's own
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, ValueError | OSError) else " ".join(str(error).split())


def _settings(profile: str | None) -> Settings:
    return load_settings(profile)


def _registry(settings: Settings) -> Any:
    from traffic_assets.assets.registry import registry_of
    from traffic_assets.resources import build_resources

    return registry_of(build_resources(settings)["hdfs"])


def main() -> None:
    """The console script."""
    sys.exit(app())
