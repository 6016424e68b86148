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

from traffic_assets.dagster_hdfs.errors import os_error_kind
from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text
from traffic_assets.messages import cli as messages

if TYPE_CHECKING:
    from traffic_assets.runs import RunOutcome


out, err = Console(), Console(stderr=True)
Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="Name of a profile, or a JSON file. Default: TRAFFIC_PROFILE or local."),
]
FAILED, USAGE, HELD = 1, 2, 3
"""Exit codes: a job failed, the command cannot run, another run trains the week."""
_FILE_ERRORS = {
    "permission": messages.FILE_PERMISSION,
    "read_only": messages.FILE_PERMISSION,
    "no_space": messages.DISK_FULL,
    "space_quota": messages.DISK_FULL,
}
"""Message about an error of the operating system, by its kind."""


class Progress:
    """Progress messages with the elapsed time."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print a line."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        err.print(f"[dim]{minutes:3d}:{seconds:02d}[/dim]  {escape(str(text))}", highlight=False, soft_wrap=True)


def print_error(text: CodedText) -> None:
    """Print an error in red, with its code."""
    err.print(f"[red]{escape(str(text))}[/red]")


def print_warning(text: CodedText) -> None:
    """Print a warning in yellow, with its code."""
    err.print(f"[yellow]{escape(str(text))}[/yellow]")


def print_notice(text: CodedText) -> None:
    """Print a notice, such as that of an empty list, with its code to standard output."""
    out.print(escape(str(text)), soft_wrap=True)


def print_problems(outcome: "RunOutcome") -> None:
    """Print the problems of a run in yellow."""
    for problem in outcome.problems:
        err.print(f"[yellow]{escape(problem)}[/yellow]")


def exit_if_failed(job: str, outcome: "RunOutcome") -> None:
    """Print the problems of a run, and exit with code 1 if it failed."""
    print_problems(outcome)
    if not outcome.success:
        print_error(messages.JOB_FAILED(job=job, run=outcome.run_id))
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


UNDEFINED_MARK = "–"
"""Text of an undefined number in a table."""


def show_decimals(value: float | None, decimals: int) -> str:
    """Return a number with some decimals; a dash for an undefined one: NaN, or null in a stored document.

    >>> show_decimals(0.123456, 3), show_decimals(None, 3)
    ('0.123', '–')
    """
    return UNDEFINED_MARK if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def format_number(value: float) -> str:
    """Return a number with four digits; an empty string for NaN."""
    return "" if math.isnan(value) else f"{value:.4g}"


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Print an error that a user can fix as one message, `[code] message`, and exit with code 2; raise all others."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        print_error(describe_error(error))
        raise typer.Exit(USAGE) from None


def _user_errors() -> tuple[type[Exception], ...]:
    import dagster as dg

    from traffic_assets.dagster_hdfs.io_managers.refusals import UnsupportedDagsterError
    from traffic_assets.dagster_hdfs.java import JavaError
    from traffic_assets.dagster_hdfs.publish import PointerError
    from traffic_assets.registry.versions import RegistryError

    return RegistryError, PointerError, ValueError, OSError, dg.DagsterError, UnsupportedDagsterError, JavaError


def describe_error(error: Exception) -> CodedText:
    """Return the message of an error; one without a code gets a code of the command line."""
    if text := find_coded_text(error):
        return text
    if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        path = f"{error.filename}: " if error.filename else ""
        message = _FILE_ERRORS.get(os_error_kind(error) or "", messages.FILE_ERROR)
        return message(reason=f"{path}{error.strerror}")
    return messages.FAILED(type=type(error).__name__, reason=" ".join(str(error).split()))
