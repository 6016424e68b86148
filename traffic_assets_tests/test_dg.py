"""Dagster's command `dg` in the project's folder, where `dg.toml` names the code location."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets_tests.cluster.minihdfs import free_port
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.runs import read_run_codes
from traffic_assets_tests.test_jobs import JVM_STARTED
from traffic_assets_tests.tiny import DAYS, only_lanes, tiny_profile, write_tiny_readings

ROOT = Path(__file__).parents[1]
DG = (sys.executable, "-m", "dagster_dg_cli.cli")
SECONDS_TO_START = 240
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"


@dataclass(frozen=True)
class Commands:
    """Commands of `dg` on a separate deployment."""

    folder: Path
    environ: Mapping[str, str]
    processes: Processes

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `dg` command to its end."""
        return self.processes.run([*DG, *arguments], cwd=ROOT, env=self.environ)


@pytest.fixture(scope="module")
def commands(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    folder = tmp_path_factory.mktemp("dg")
    home, profile = folder / "home", folder / "tiny.json"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    profile.write_text(json.dumps(tiny_profile(folder / "data", only_lanes("linear_regression"))))
    write_tiny_readings(folder / "data")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    # import this copy of the package from any current folder
    path = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
    environ |= {"PYTHONPATH": path, "TRAFFIC_PROFILE": str(profile), "DAGSTER_HOME": str(home)}
    return Commands(folder, environ, processes)


def test_the_definitions_pass_the_check(commands: Commands) -> None:
    done = commands.run("check", "defs")
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_range_of_days_and_one_partition_are_launched(commands: Commands) -> None:
    by_range = commands.run("launch", "--job", "features", "--partition-range", f"{DAYS[0]}...{DAYS[1]}")
    assert by_range.returncode == 0, by_range.stderr[-3000:]
    by_key = commands.run("launch", "--assets", "sensor_readings,feature_table", "--partition", DAYS[2])
    assert by_key.returncode == 0, by_key.stderr[-3000:]
    with dg.DagsterInstance.from_config(commands.environ["DAGSTER_HOME"]) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 2
        assert instance.get_materialized_partitions(dg.AssetKey("feature_table")) == set(DAYS)


@pytest.mark.parametrize(("job", "code"), [("train", "runs.no-week"), ("features", "runs.no-day")])
def test_a_run_without_a_partition_is_refused_with_the_option(commands: Commands, job: str, code: str) -> None:
    done = commands.run("launch", "--job", job)
    assert done.returncode != 0
    assert read_run_codes(commands.environ["DAGSTER_HOME"], job, {}) == {code}
    assert "--partition 20" in done.stdout + done.stderr
    assert JVM_STARTED not in done.stdout + done.stderr


@pytest.fixture
def address(commands: Commands, tmp_path: Path) -> Iterator[str]:
    """The address of a running `dg dev`."""
    # two processes that create Dagster's tables at the same time fail: create them first
    with dg.DagsterInstance.from_config(commands.environ["DAGSTER_HOME"]) as instance:
        instance.get_runs(limit=1)
        instance.get_asset_keys(limit=1)
        instance.all_instigator_state()
    port, log = free_port(), tmp_path / "log"
    command = [*DG, "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        commands.processes.start(command, cwd=ROOT, env=commands.environ, stdout=output, stderr=output) as process,
    ):
        end = time.monotonic() + SECONDS_TO_START
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_dev_serves_the_code_location(address: str) -> None:
    body = json.dumps({"query": LOCATIONS}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    entries = answer["data"]["workspaceOrError"]["locationEntries"]
    assert entries == [{"name": "traffic_assets", "loadStatus": "LOADED"}]
