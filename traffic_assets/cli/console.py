"""What all commands share: the two consoles, progress messages, tables, and errors that a user can fix."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from traffic_assets.settings import SettingsError

if TYPE_CHECKING:
    from traffic_assets.runs import RunOutcome


out, err = Console(), Console(stderr=True)
Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="A profile's name or a JSON file; TRAFFIC_PROFILE or local if absent."),
]
FAILED, USAGE = 1, 2


class Progress:
    """Progress messages with the elapsed time."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print a line."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        err.print(f"[dim]{minutes:3d}:{seconds:02d}[/dim]  {escape(text)}", highlight=False, soft_wrap=True)


def exit_if_failed(job: str, outcome: "RunOutcome") -> None:
    """Print the problems of a run, and exit with code 1 if it failed."""
    for problem in outcome.problems:
        err.print(f"[yellow]{escape(problem)}[/yellow]")
    if not outcome.success:
        err.print(f"[red]The job {job} failed[/red] (run {outcome.run_id}); what it had published stays.")
        raise typer.Exit(FAILED)


def new_table(*columns: str, named: str = "model", title: str | None = None) -> Table:
    """A table for 80 columns: names are never broken, and a number that finds no room is, but not cut short."""
    made = [Column(name, no_wrap=name == named, overflow="fold") for name in columns]
    return Table(*made, title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


def format_number(value: float) -> str:
    """Return a number with four digits; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4g}"


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn the errors that a user can mend into one message and exit code 2; others keep their trace."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        err.print(f"[red]{escape(_message(error))}[/red]")
        raise typer.Exit(USAGE) from None


def _user_errors() -> tuple[type[Exception], ...]:
    import dagster as dg

    from traffic_assets.dagster_hdfs.publish import PointerError
    from traffic_assets.registry.versions import RegistryError

    return SettingsError, RegistryError, PointerError, ValueError, OSError, dg.DagsterError


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:  # the system's own
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, ValueError | OSError) else " ".join(str(error).split())
