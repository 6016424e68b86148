"""SIGTERM and SIGHUP: notice them, although Dagster replaces the handlers of a running process at every step.

Dagster handles SIGINT and SIGTERM alike, so its handlers do not know which signal came. Python writes the number of
each signal that it handles to a descriptor, before it calls the handler; this module reads it there. Dagster does not
handle SIGHUP, so here it does the same as SIGTERM. This module imports neither dagster nor pyspark.
"""

import atexit
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a run as canceled."""

_SHELL = 128
"""Shells report the end of a process by a signal as 128 and the number of the signal."""


class _Watch:
    """The signals of this process since the outermost `watch_signals` began."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._lock = threading.Lock()
        self._received: list[int] = []

    def install(self) -> None:
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._hangup_before = signal.getsignal(signal.SIGHUP)
        if self._hangup_before is not signal.SIG_IGN:  # nohup, for example
            signal.signal(signal.SIGHUP, _hang_up)

    def remove(self) -> None:
        signal.set_wakeup_fd(self._fd_before)
        if self._hangup_before is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._hangup_before)
        self._reader.close()
        self._writer.close()

    def list_received(self) -> list[int]:
        with self._lock:
            with suppress(OSError):  # nothing new, or removed
                self._received.extend(self._reader.recv(4096))
            return list(self._received)


_watch: _Watch | None = None


@contextmanager
def watch_signals() -> Iterator[None]:
    """Notice the signals that this process receives in the block, and treat SIGHUP as SIGTERM unless it is ignored.

    It has no effect outside of the main thread, because Python handles signals there only. Blocks may be nested.
    """
    global _watch
    if _watch is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _watch = _Watch()
    _watch.install()
    try:
        yield
    finally:
        _watch.remove()
        _watch = None


def stop_signal() -> signal.Signals | None:
    """Return the first signal that asked this process to stop, SIGTERM or SIGHUP; None without one."""
    received = _watch.list_received() if _watch else []
    return next((signal.Signals(number) for number in received if number in STOP_SIGNALS), None)


def is_interrupted() -> bool:
    """Return True if this process received SIGINT, SIGTERM or SIGHUP."""
    received = _watch.list_received() if _watch else []
    return any(number in (signal.SIGINT, *STOP_SIGNALS) for number in received)


def exit_code(stopped_by: signal.Signals) -> int:
    """Return the exit code of a process that a signal ended, as shells report it.

    >>> exit_code(signal.SIGTERM), exit_code(signal.SIGHUP)
    (143, 129)
    """
    return _SHELL + stopped_by


def exit_with(code: int) -> None:
    """End this process with an exit code, whatever exit code its program chooses.

    The call returns; the process ends once its program has ended.
    """
    atexit.register(_exit, code)


def _exit(code: int) -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _hang_up(_: int, frame: FrameType | None) -> None:
    """Do what this process does on SIGTERM at this moment."""
    handler = signal.getsignal(signal.SIGTERM)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGTERM, frame)
