"""The command `class-data`, and the settings with which the archive is created."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from traffic_assets.cli.app import app
from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.dagster_hdfs import class_data, java
from traffic_assets.dagster_hdfs.java import JavaError
from traffic_assets_tests.tiny import tiny_profile, tiny_settings


@pytest.mark.parametrize(
    ("spark", "jvm_runs", "created"),
    [
        ({}, False, True),
        ({"class_data_archive": False}, False, False),
        ({"master": "spark://m:7077"}, False, False),
        ({"master": None}, False, False),
        ({}, True, False),
    ],
)
def test_it_is_created_before_the_jvm_of_a_local_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spark: dict[str, Any], jvm_runs: bool, created: bool
) -> None:
    calls = []
    monkeypatch.setattr(class_data, "jvm_runs", lambda: jvm_runs)
    monkeypatch.setattr(class_data, "spark_archive", lambda: None)
    monkeypatch.setattr(class_data, "create", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(java, "require_java", lambda: None)  # the machine may have none
    prepare_spark(tiny_settings(tmp_path, {"spark": spark}), print)
    assert calls == ([(None, print)] if created else [])


def test_the_command_prints_the_archive_or_its_absence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = class_data.Archive(tmp_path, "made")
    (tmp_path / "made.2.jsa").write_text("ab")
    monkeypatch.setattr(class_data, "spark_archive", lambda: archive)
    monkeypatch.setattr(java, "require_java", lambda: None)
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(tiny_profile(tmp_path)))
    command = ["class-data", "-p", str(profile)]
    assert CliRunner().invoke(app, command).output.strip() == str(tmp_path / "made.2.jsa")
    off = CliRunner().invoke(app, command, env={"TRAFFIC_SPARK__CLASS_DATA_ARCHIVE": "false"})
    assert off.exit_code == 0
    assert off.output.startswith("[cli.no-class-data] ")


@pytest.mark.usefixtures("processes")
def test_a_java_that_is_too_new_is_refused_before_it_creates_an_archive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, log = tmp_path / "home" / "bin" / "java", tmp_path / "calls"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\necho \'openjdk version "24" 2025-03-18\' >&2\n')
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(class_data, "jvm_runs", lambda: False)
    with pytest.raises(JavaError):
        prepare_spark(tiny_settings(tmp_path), print)
    (tmp_path / "profile.json").write_text(json.dumps(tiny_profile(tmp_path)))
    command = CliRunner().invoke(app, ["class-data", "-p", str(tmp_path / "profile.json")])
    assert command.exit_code == 2
    assert "[java.unsupported-version]" in command.output
    assert set(log.read_text().splitlines()) == {"-version"}
