"""The end of a command by SIGTERM or SIGHUP: exit codes 143 and 129, as shells report them."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from traffic_assets.cli.console import print_warning
from traffic_assets.liveness import signals
from traffic_assets.messages import cli as messages


@contextmanager
def stopping_by_signals() -> Iterator[None]:
    """Exit with code 143 or 129 if SIGTERM or SIGHUP ends the block, whatever exit code the block chooses.

    Outside of a run, both interrupt the command as Ctrl-C does. During a run, Dagster's handlers interrupt it.
    """
    with signals.watch_signals():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
        except BaseException as error:
            exit_if_stopped(error)
            raise
        exit_if_stopped()


def exit_if_stopped(error: BaseException | None = None) -> None:
    """Exit with code 143 or 129 if this process received SIGTERM or SIGHUP.

    Args:
        error: Error that the signal has caused.

    Raises:
        SystemExit: If it did.
    """
    if stopped_by := signals.stop_signal():
        code = signals.exit_code(stopped_by)
        if not isinstance(error, SystemExit) or error.code != code:
            print_warning(messages.STOPPED(signal=stopped_by.name))
        sys.exit(code)
