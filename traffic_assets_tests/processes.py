"""The fixture `processes`, with which a test starts processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TIMEOUT = 300.0
"""Seconds after which a hanging process is killed; not a performance limit."""


@contextlib.contextmanager
def _handled_hangups() -> Iterator[None]:
    """Let programs that the block starts receive SIGHUP, even if this process ignores it, as under nohup."""
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class Processes:
    """Runner of programs for a test; none survives it."""

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = False,
        timeout: float = TIMEOUT,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return its exit code and output.

        Args:
            command: Program and arguments.
            cwd: Current folder of the process; this process's by default.
            env: Whole environment of the process; this process's by default.
            check: True if an exit code other than 0 raises.
            timeout: Seconds after which the process is killed and the call raises.
        """
        return subprocess.run(command, cwd=cwd, env=env, check=check, timeout=timeout, capture_output=True, text=True)

    def python(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the tests' Python with arguments; the options are those of `run`."""
        return self.run([sys.executable, *arguments], **options)

    @contextlib.contextmanager
    def start(self, command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """Start a program in its own session; at the end of the block it and its children are killed.

        Args:
            command: Program and arguments.
            options: Further arguments of `subprocess.Popen`.
        """
        with _handled_hangups():
            process = subprocess.Popen(command, start_new_session=True, **options)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
