"""Parts that all commands share: two consoles, progress messages, tables, and errors that a user can fix."""

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

from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text
from traffic_assets.messages import cli as messages
from traffic_assets.settings import SettingsError

if TYPE_CHECKING:
    from traffic_assets.runs import RunOutcome


out, err = Console(), Console(stderr=True)
Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="Name of a profile, or a JSON file. Default: TRAFFIC_PROFILE or local."),
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
        err.print(f"[red]{escape(with_code(messages.JOB_FAILED(job=job, run=outcome.run_id)))}[/red]")
        raise typer.Exit(FAILED)


def new_table(*columns: str, named: str = "model", title: str | None = None) -> Table:
    """Return a table for 80 columns: names stay on one line, and long numbers continue on the next line.

    Args:
        columns: Headers.
        named: Header of the column with names.
        title: Title above the table.
    """
    headers = [Column(name, no_wrap=name == named, overflow="fold") for name in columns]
    return Table(*headers, title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)


def format_number(value: float) -> str:
    """Return a number with four digits; an empty string for NaN."""
    return "" if math.isnan(value) else f"{value:.4g}"


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print errors that a user can fix as one message, `[code] message`, and exit with code 2; raise all others."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        err.print(f"[red]{escape(error_text(error))}[/red]")
        raise typer.Exit(USAGE) from None


def _user_errors() -> tuple[type[Exception], ...]:
    import dagster as dg

    from traffic_assets.dagster_hdfs.publish import PointerError
    from traffic_assets.registry.versions import RegistryError

    return SettingsError, RegistryError, PointerError, ValueError, OSError, dg.DagsterError


def with_code(text: str) -> str:
    """Return a message as the command line prints it: `[code] message`, or only the message if it has no code."""
    return f"[{text.code}] {text}" if isinstance(text, CodedText) else text


def error_text(error: Exception) -> str:
    """Return the message of an error as the command line prints it, with its code if it has one."""
    if isinstance(error, OSError) and error.strerror and error.filename:  # of the operating system
        return f"{error.filename}: {error.strerror}"
    message = str(error) if isinstance(error, ValueError | OSError) else " ".join(str(error).split())
    text = find_coded_text(error)
    return f"[{text.code}] {message}" if text else message
