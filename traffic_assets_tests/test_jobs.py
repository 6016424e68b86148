"""The jobs as CI runs them: `dagster job execute`, with its exit codes."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets_tests.commands import LOCATION, Command, Done, execute, run_commands
from traffic_assets_tests.deployment import FEATURES, Deployment
from traffic_assets_tests.runs import read_run_codes
from traffic_assets_tests.tiny import WEEK, only_lanes, tiny_profile

JVM_STARTED = "Using incubator modules"
pytestmark = pytest.mark.usefixtures("processes")

REFUSED: list[tuple[str, dict[str, str], str | None, str]] = [
    ("train", {PARTITION: "1999-01-04"}, "runs.outside-data", "1999-01-04"),
    ("train", {PARTITION: "2999-01-07"}, "runs.not-over", "2999-01-07"),
    ("train", {PARTITION: "2026-01-07"}, "runs.not-a-monday", "2026-01-05"),
    ("train", {}, "runs.no-week", "2026-01-05"),
    ("train", {RANGE_START: "2026-01-05", RANGE_END: "2026-01-12"}, "runs.range-of-weeks", "2026-01-12"),
    ("features", {RANGE_START: "2026-01-07", RANGE_END: "2026-01-05"}, "runs.reversed-range", "2026-01-07"),
    ("features", {PARTITION: "1999-01-04"}, "runs.outside-data", "1999-01-04"),
    ("features", {}, "runs.no-day", "2026-01-05"),
    # a week without its days
    ("train", {PARTITION: "2026-01-12"}, "assets.days-missing", "not materialized: 2026-01-12"),
    # on the command line, Dagster's parser fails before our guard, with its own message and without a run
    ("train", {PARTITION: "../../etc"}, None, ""),
    ("features", {RANGE_START: "2026-01-05"}, None, ""),
]
"""Job, tags, code of the refusal, and a value in its message."""


@dataclass(frozen=True)
class CommandLine:
    """A deployment that is used by commands only."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *commands: Command) -> list[Done]:
        """Run command lines one after another in a separate process."""
        return run_commands(commands, self.folder, self.environ)


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("command_line")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((Path(__file__).parents[1] / "dagster.yaml").read_text())
    profile = folder / "tiny.json"
    profile.write_text(json.dumps(tiny_profile(folder / "data", only_lanes("linear_regression"))))
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    return CommandLine(folder, {**environ, "TRAFFIC_PROFILE": str(profile), "DAGSTER_HOME": str(home)})


@pytest.fixture(scope="module")
def without_spark(command_line: CommandLine) -> list[Done]:
    """The definitions validated, then every refused partition."""
    return command_line.run(
        Command(["definitions", "validate", "-m", LOCATION]), *(execute(job, tags) for job, tags, *_ in REFUSED)
    )


@dataclass(frozen=True)
class Trained:
    """A training that passes its gate, and one that does not."""

    passing: Done
    failing: Done


@pytest.fixture(scope="module")
def trained_by_commands(command_line: CommandLine, with_features: Deployment) -> Trained:
    """The `train` job in one Spark session, with existing features; tests in `cluster` run the `features` job."""
    for folder in FEATURES:
        shutil.copytree(with_features.base / folder, command_line.folder / "data" / folder)
    return Trained(
        *command_line.run(
            execute("train", {PARTITION: WEEK}),
            execute("train", {PARTITION: WEEK}, TRAFFIC_EVALUATION__THRESHOLDS__LINEAR_REGRESSION__R2_MIN="1.1"),
        )
    )


def test_definitions_validate(without_spark: list[Done]) -> None:
    validated = without_spark[0]
    assert validated.returncode == 0, validated.output[-2000:]


def test_a_passing_gate_ends_with_0(command_line: CommandLine, trained_by_commands: Trained) -> None:
    assert trained_by_commands.passing.returncode == 0, trained_by_commands.passing.output[-3000:]
    assert (command_line.folder / "data/models/linear_regression/v1.0.0/metadata.json").is_file()


def test_a_failing_gate_does_not_end_with_0(command_line: CommandLine, trained_by_commands: Trained) -> None:
    assert trained_by_commands.failing.returncode != 0
    assert "R² on test is " in trained_by_commands.failing.output
    versions = (command_line.folder / "data/models/linear_regression").glob("v*")
    assert sorted(path.name for path in versions) == ["v1.0.0"]


@pytest.mark.parametrize(
    "case", range(len(REFUSED)), ids=[f"{job} {' '.join(tags.values())}" for job, tags, *_ in REFUSED]
)
def test_an_unusable_partition_is_refused_before_any_spark_work(
    command_line: CommandLine, without_spark: list[Done], case: int
) -> None:
    done, (job, tags, code, value) = without_spark[1 + case], REFUSED[case]
    assert done.returncode != 0
    assert read_run_codes(command_line.environ["DAGSTER_HOME"], job, tags) == ({code} if code else set())
    assert value in done.output
    assert JVM_STARTED not in done.output
