"""A Dagster home with the code location that waits, and processes that run its job."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from traffic_assets.assets.group import TRAIN
from traffic_assets.partitions import PARTITION
from traffic_assets_tests.liveness import waiting_names as names
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.tiny import WEEK, tiny_profile

ROOT = Path(__file__).parents[2]
LOCATION = "traffic_assets_tests.liveness.waiting"
PATIENCE = 240.0


def wait_until(condition: Callable[[], Any], otherwise: Callable[[], str], seconds: float = PATIENCE) -> None:
    """Wait for a condition; after some time, fail with a description of the state."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.1)


@dataclass(frozen=True)
class Home:
    """A Dagster home.

    Attributes:
        processes: Runner of programs.
        folder: Folder of the test.
        name: Name of the Dagster home in the folder; all homes share the base URI.
        base: Base folder of the data, below the folder of the test.
        changes: Changes to the tiny settings.
    """

    processes: Processes
    folder: Path
    name: str = "home"
    base: str = "data"
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dagster_home(self) -> Path:
        """The folder DAGSTER_HOME, with the project's dagster.yaml."""
        home = self.folder / self.name
        if not home.exists():
            home.mkdir()
            (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
            # two processes that create Dagster's tables at the same time fail: create them first
            with self.instance() as instance:
                instance.get_runs(limit=1)
                instance.get_asset_keys(limit=1)
                instance.all_instigator_state()
        return home

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process."""
        profile = self.folder / "profile.json"
        if not profile.exists():
            profile.write_text(json.dumps(tiny_profile(self.folder / self.base, self.changes)))
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
        return {
            **mine,
            "TRAFFIC_PROFILE": str(profile),
            "DAGSTER_HOME": str(self.dagster_home),
            "PYTHONPATH": str(ROOT),
            names.FOLDER_VARIABLE: str(self.folder),
        }

    @contextlib.contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The instance of the home."""
        with dg.DagsterInstance.from_config(str(self.folder / self.name)) as made:
            yield made

    def command(self, week: str = WEEK, **tags: str) -> list[str]:
        """Return the command that runs the job in a process of its own."""
        run_tags = json.dumps({PARTITION: week, **tags})
        return [sys.executable, "-m", "dagster", "job", "execute", "-m", LOCATION, "-j", TRAIN, "--tags", run_tags]

    @contextlib.contextmanager
    def executing(self, *prefix: str, **tags: str) -> Iterator["Executing"]:
        """Start the job, and wait until its step waits; at the end of the block its processes are killed.

        Args:
            prefix: Words before the command.
            tags: Further tags of the run.
        """
        before = self.run_ids()
        log = self.folder / f"{len(before)}-{self.name}.log"
        with log.open("wb") as output:
            options = {"env": self.environ, "cwd": ROOT, "stdout": output, "stderr": output}
            with self.processes.start([*prefix, *self.command(**tags)], **options) as process:

                def reached() -> list[str]:
                    assert process.poll() is None, log.read_text()
                    return [run for run in self.run_ids() - before if (self.folder / f"{run}{names.REACHED}").exists()]

                wait_until(reached, log.read_text)
                yield Executing(self, process, reached()[0], log)

    def run_ids(self) -> set[str]:
        """Return the ids of all runs."""
        self.dagster_home  # noqa: B018
        with self.instance() as instance:
            return {run.run_id for run in instance.get_runs()}

    def run(self, run_id: str) -> dg.DagsterRun:
        """Return a run."""
        with self.instance() as instance:
            run = instance.get_run_by_id(run_id)
        assert run is not None
        return run


@dataclass(frozen=True)
class Executing:
    """A process whose run waits in its step."""

    home: Home
    process: "subprocess.Popen[Any]"
    run_id: str
    log: Path

    def end(self, by: signal.Signals) -> int:
        """Send a signal to the process alone, and return its exit code."""
        self.process.send_signal(by)
        return self.process.wait(60)

    @property
    def run(self) -> dg.DagsterRun:
        """The run, as Dagster lists it."""
        return self.home.run(self.run_id)
