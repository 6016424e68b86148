"""The command `sync`, and the differences that other commands print."""

import json
import shutil
import sys
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from traffic_assets.cli.app import app
from traffic_assets.cli.history import warn_of_differences
from traffic_assets.history import fetch_newest, latest_ids
from traffic_assets.resources import build_resources
from traffic_assets.sensors import FEATURES
from traffic_assets.settings import load_settings
from traffic_assets_tests.stored.test_stored import copy_base
from traffic_assets_tests.tiny import DAYS

runner = CliRunner(env={"COLUMNS": "400"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DAGSTER_HOME."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def test_without_an_instance_there_is_nothing_to_report_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    result = runner.invoke(app, ["sync", "-p", str(copy_base(tmp_path))])
    assert result.exit_code == 2
    assert "[history.no-instance] " in result.output


def test_a_dry_run_reports_nothing_and_a_second_run_nothing_new(home: Path, tmp_path: Path) -> None:
    profile = str(copy_base(tmp_path))
    dry = runner.invoke(app, ["sync", "--dry-run", "-p", profile])
    assert dry.exit_code == 0, dry.output
    (line,) = [line for line in dry.stdout.splitlines() if line.startswith("feature_table")]
    assert line.split() == ["feature_table", "3", "3", DAYS[0], "to", DAYS[-1]]
    with dg.DagsterInstance.get() as instance:
        assert not latest_ids(instance, FEATURES)
    first = runner.invoke(app, ["sync", "-p", profile])
    assert first.exit_code == 0, first.output
    assert "22 partitions reported to Dagster" in first.stderr
    with dg.DagsterInstance.get() as instance:
        assert sorted(latest_ids(instance, FEATURES)) == DAYS
    again = runner.invoke(app, ["sync", "-p", profile])
    assert again.stdout.startswith("[history.in-sync] ")


def test_commands_name_what_each_side_lacks(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = copy_base(tmp_path)
    settings = load_settings(profile, environ={})
    with dg.DagsterInstance.get() as instance:
        warn_of_differences(settings, instance)
        named = capsys.readouterr().err
        assert named.count("[history.unreported] ") == 2, "features and splits"
        (models,) = [line for line in named.replace("\n", " ").split("[") if line.startswith("history.models-differ")]
        runner.invoke(app, ["sync", "-p", str(profile)])
        warn_of_differences(settings, instance)
        assert capsys.readouterr().err == ""
        shutil.rmtree(tmp_path / "base" / "training")
        shutil.rmtree(tmp_path / "base" / "models")
        warn_of_differences(settings, instance)
        named = capsys.readouterr().err
        assert named.count("[history.not-stored] ") == 1
        for text in (models, named):
            assert "random_forest_model" in text
            assert "random_forest_registry_entry" in text
    listed = runner.invoke(app, ["models", "list", "-p", str(profile)])
    assert listed.stdout.startswith("[cli.no-models] ")
    assert listed.stderr.count("[history.not-stored] ") == len(settings.enabled_models)
    reported = runner.invoke(app, ["report", "-p", str(profile)])
    assert reported.exit_code == 2
    assert "[history.not-stored] " in reported.stderr


OWN_LOCATION = """
import dagster as dg

from traffic_assets.build import build_defs


@dg.asset
def road_list() -> list:
    return ["A9"]


@dg.asset
def printed_summary() -> None:
    pass


defs = build_defs(extra_assets=[road_list, printed_summary])
"""


def test_assets_of_a_deployments_own_are_reported_with_its_module(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = copy_base(tmp_path)
    (tmp_path / "own_location.py").write_text(OWN_LOCATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("TRAFFIC_PROFILE", str(profile))
    dataset = build_resources(load_settings(profile, environ={}))["hdfs"].dataset("road_list")
    staged = dataset.stage("run")
    dataset.filesystem.write_new(f"{staged}/data/document.json", b"[]")
    dataset.publish("all", f"{staged}/data", "run", {"write_seconds": 0.1})
    key = dg.AssetKey("road_list")

    runner.invoke(app, ["sync"])
    with dg.DagsterInstance.get() as instance:
        assert fetch_newest(instance, key, "all") is None
        instance.report_runless_asset_event(dg.AssetMaterialization("printed_summary"))
    result = runner.invoke(app, ["sync", "-m", "own_location"])
    assert result.exit_code == 0, result.output
    assert "1 partitions reported to Dagster" in result.stderr
    assert "[history.not-stored] " not in result.stderr, "an asset without a stored value is not lost"
    with dg.DagsterInstance.get() as instance:
        assert fetch_newest(instance, key, "all") is not None
    assert runner.invoke(app, ["sync", "--module", "own_location"]).stdout.startswith("[history.in-sync] ")

    other = json.loads(profile.read_text())
    other["deployment"] = "san_diego"
    (tmp_path / "other.json").write_text(json.dumps(other))
    refused = runner.invoke(app, ["sync", "-m", "own_location", "-p", str(tmp_path / "other.json")])
    assert refused.exit_code == 2
    assert "[history.other-profile] " in refused.stderr


@pytest.mark.parametrize("module", ["no_such.module", "json"])
def test_a_module_without_a_code_location_is_refused(home: Path, tmp_path: Path, module: str) -> None:
    result = runner.invoke(app, ["sync", "-m", module, "-p", str(copy_base(tmp_path))])
    assert result.exit_code == 2
    assert "[history.no-location] " in result.stderr
