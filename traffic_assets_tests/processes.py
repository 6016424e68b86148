"""The fixture `processes`: how a test starts a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TIMEOUT = 300.0
"""A guard against a process that hangs, not a promise of speed, in seconds."""


class Processes:
    """Runs programs for a test; none survives it."""

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
            command: program and arguments.
            cwd: current folder of the process; this process's by default.
            env: the whole environment; this process's by default.
            check: whether an exit code other than 0 raises.
            timeout: seconds after which the process is killed and the call raises.
        """
        return subprocess.run(command, cwd=cwd, env=env, check=check, timeout=timeout, capture_output=True, text=True)

    def python(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the tests' Python with arguments; the options are those of `run`."""
        return self.run([sys.executable, *arguments], **options)

    @contextlib.contextmanager
    def start(self, command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """Start a program in a session of its own; at the end of the block it is killed, with its children.

        Args:
            command: program and arguments.
            options: further arguments of `subprocess.Popen`.
        """
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
