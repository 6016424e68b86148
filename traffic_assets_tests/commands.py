"""Several `dagster` command lines in one process, one after another.

    python -m traffic_assets_tests.commands COMMANDS RESULTS

COMMANDS is a JSON file with a list of `Command`, RESULTS the file for a list of `Done`. The command lines share what
was imported and the Spark session; each loads the code location with its own environment. The process exits with the
last one's exit code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from dagster._core.definitions.reconstruct import ReconstructableJob

LOCATION = "traffic_assets.definitions"


@dataclass(frozen=True)
class Command:
    """Arguments of `dagster`, and additions to the environment."""

    arguments: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command line, including stderr."""

    returncode: int
    output: str


def execute(job: str, tags: Mapping[str, str], **environ: str) -> Command:
    """Return the command line that executes a job, as the README shows it."""
    return Command(["job", "execute", "-m", LOCATION, "-j", job, "--tags", json.dumps(dict(tags))], environ)


def run_commands(
    commands: Sequence[Command], folder: Path, environ: Mapping[str, str], timeout: float = 600
) -> list[Done]:
    """Run command lines in one new process.

    Args:
        commands: Command lines in order.
        folder: Current folder of the process; commands and results are stored there.
        environ: Environment of the process.
        timeout: Seconds for all command lines.
    """
    requests, results = folder / "commands.json", folder / "results.json"
    requests.write_text(json.dumps([dataclasses.asdict(command) for command in commands]))
    results.unlink(missing_ok=True)
    process = subprocess.run(
        [sys.executable, "-m", __name__, str(requests), str(results)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=folder,
        env=environ,
    )
    assert results.exists(), process.stderr[-4000:]
    done = [Done(**result) for result in json.loads(results.read_text())]
    assert len(done) == len(commands)
    assert process.returncode == done[-1].returncode, process.stderr[-4000:]
    return done


def _run(command: Command) -> Done:
    _forget_location()
    code = 0
    with tempfile.TemporaryFile() as output:
        with _redirected(output.fileno()), mock.patch.dict(os.environ, command.environ):
            sys.argv = ["dagster", *command.arguments]
            try:
                runpy.run_module("dagster", run_name="__main__", alter_sys=True)
            except SystemExit as end:
                if isinstance(end.code, str):
                    print(end.code, file=sys.stderr)
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception:  # Python itself would print the trace and exit
                traceback.print_exc()
                code = 1
        output.seek(0)
        return Done(code, output.read().decode(errors="replace"))


def _forget_location() -> None:
    """Make the next command line load the code location again, as a new process would."""
    sys.modules.pop(LOCATION, None)
    for remembered in (ReconstructableJob.get_repository_definition, ReconstructableJob.get_definition):
        remembered.cache_clear()


@contextmanager
def _redirected(target: int) -> Iterator[None]:
    """Send stdout and stderr to a file descriptor, those of the JVM too if it starts inside."""
    before = {number: os.dup(number) for number in (1, 2)}
    try:
        for number in before:
            os.dup2(target, number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in before.items():
            os.dup2(kept, number)
            os.close(kept)


def main(requests: str, results: str) -> int:
    """Run the command lines and write their results; return the last exit code."""
    done = [_run(Command(**command)) for command in json.loads(Path(requests).read_text())]
    Path(results).write_text(json.dumps([dataclasses.asdict(one) for one in done]))
    return done[-1].returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
