"""The command `features`: refused ranges, progress and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from traffic_assets.cli.app import app
from traffic_assets.resources import build_resources
from traffic_assets_tests.tiny import DAYS, tiny_profile, tiny_settings, write_tiny_readings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ENVIRON = {"COLUMNS": "400", "TRAFFIC_SPARK__CLASS_DATA_ARCHIVE": "false", "DAGSTER_HOME": ""}


def profile(base: Path) -> str:
    path = base / "tiny.json"
    path.write_text(json.dumps(tiny_profile(base)))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["2026-01-06", "2026-01-05"], "runs.reversed-range"),
        (["06.01.2026", "2026-01-07"], "runs.not-a-date"),
        (["2025-12-31"], "runs.outside-data"),
    ],
)
def test_a_range_that_does_not_exist_is_refused_without_a_run(tmp_path: Path, arguments: list[str], code: str) -> None:
    done = CliRunner().invoke(app, ["features", *arguments, "-p", profile(tmp_path)], env=ENVIRON)
    assert done.exit_code == 2
    assert done.output.startswith(f"[{code}] ")
    assert not (tmp_path / "processed").exists()


def test_it_builds_the_days_with_progress_instead_of_dagsters_log(spark: SparkSession, tmp_path: Path) -> None:
    write_tiny_readings(tmp_path)
    done = CliRunner().invoke(app, ["features", *DAYS[:2], "-p", profile(tmp_path)], env=ENVIRON)
    assert done.exit_code == 0, done.output
    assert "sensor_readings" in done.output
    assert "DEBUG" not in done.output
    features = build_resources(tiny_settings(tmp_path))["hdfs"].dataset("feature_table")
    assert features.partitions() == DAYS[:2]


def test_a_refused_day_ends_with_1_and_its_reason(spark: SparkSession, tmp_path: Path) -> None:
    write_tiny_readings(tmp_path)
    for file in (tmp_path / "raw" / "readings" / f"date={DAYS[0]}").iterdir():
        file.write_bytes(b"PAR1 and then nothing")
    done = CliRunner().invoke(app, ["features", DAYS[0], "-p", profile(tmp_path)], env=ENVIRON)
    assert done.exit_code == 1
    assert "[cli.job-failed] The features job failed" in done.output
