"""The jobs as CI runs them: `dagster job execute` in a process of its own, with its exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets_tests.tiny import DAYS, WEEK, only_lanes, tiny_profile, write_tiny_readings

JVM_STARTED = "Using incubator modules"
pytestmark = pytest.mark.usefixtures("processes")


@dataclass(frozen=True)
class CommandLine:
    """A deployment that is used by commands only."""

    folder: Path
    environ: Mapping[str, str]

    def dagster(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a dagster command."""
        return subprocess.run(
            [sys.executable, "-m", "dagster", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.folder,
            env={**self.environ, **more},
        )

    def execute(self, job: str, tags: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
        """Execute a job, as the README shows."""
        return self.dagster(
            "job", "execute", "-m", "traffic_assets.definitions", "-j", job, "--tags", json.dumps(dict(tags)), **more
        )


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("command_line")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((Path(__file__).parents[1] / "dagster.yaml").read_text())
    profile = folder / "tiny.json"
    profile.write_text(json.dumps(tiny_profile(folder / "data", only_lanes("linear_regression"))))
    write_tiny_readings(folder / "data")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    return CommandLine(folder, {**environ, "TRAFFIC_PROFILE": str(profile), "DAGSTER_HOME": str(home)})


@pytest.fixture(scope="module")
def featured(command_line: CommandLine) -> CommandLine:
    done = command_line.execute("features", {RANGE_START: DAYS[0], RANGE_END: DAYS[-1]})
    assert done.returncode == 0, done.stderr[-3000:]
    return command_line


def test_definitions_validate(command_line: CommandLine) -> None:
    done = command_line.dagster("definitions", "validate", "-m", "traffic_assets.definitions")
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_passing_gate_ends_with_0(featured: CommandLine) -> None:
    done = featured.execute("train", {PARTITION: WEEK})
    assert done.returncode == 0, done.stderr[-3000:]
    assert (featured.folder / "data/models/linear_regression/v1.0.0/metadata.json").is_file()


def test_a_failing_gate_does_not_end_with_0(featured: CommandLine) -> None:
    before = sorted((featured.folder / "data/models/linear_regression").glob("v*"))
    done = featured.execute("train", {PARTITION: WEEK}, TRAFFIC_EVALUATION__THRESHOLDS__LINEAR_REGRESSION__R2_MIN="1.1")
    assert done.returncode != 0
    assert "R² on test is" in done.stdout + done.stderr
    assert sorted((featured.folder / "data/models/linear_regression").glob("v*")) == before


@pytest.mark.parametrize(
    ("job", "tags", "said"),
    [
        ("train", {PARTITION: "1999-01-04"}, "'1999-01-04' is not a week to work on: it lies outside data.first_day"),
        ("train", {PARTITION: "2999-01-07"}, "it is not over yet"),
        ("train", {PARTITION: "2026-01-07"}, "weeks are named by their Monday, here 2026-01-05"),
        ("train", {}, "No week was given; allowed are 2026-01-05 to"),
        ("train", {RANGE_START: "2026-01-05", RANGE_END: "2026-01-12"}, "A range of weeks was given"),
        ("features", {RANGE_START: "2026-01-07", RANGE_END: "2026-01-05"}, "The range ends before it begins"),
        ("features", {PARTITION: "1999-01-04"}, "'1999-01-04' is not a day to work on"),
        ("features", {}, "No day was given; allowed are 2026-01-05 to"),
    ],
)
def test_an_unusable_partition_is_refused_before_any_spark_work(
    command_line: CommandLine, job: str, tags: dict[str, str], said: str
) -> None:
    done = command_line.execute(job, tags)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert JVM_STARTED not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("job", "tags"), [("train", {PARTITION: "../../etc"}), ("features", {RANGE_START: "2026-01-05"})]
)
def test_a_partition_that_dagster_cannot_parse_is_refused_before_any_spark_work(
    command_line: CommandLine, job: str, tags: dict[str, str]
) -> None:
    """Its parser comes before our guard on the command line, so that the words are Dagster's."""
    done = command_line.execute(job, tags)
    assert done.returncode != 0
    assert JVM_STARTED not in done.stdout + done.stderr


def test_a_week_without_its_days_is_refused_by_name(command_line: CommandLine) -> None:
    done = command_line.execute("train", {PARTITION: "2026-01-12"})
    assert done.returncode != 0
    assert "Week 2026-01-12 has 0 of the 3 days it needs. Not materialized: 2026-01-12" in done.stdout + done.stderr
    assert JVM_STARTED not in done.stdout + done.stderr
