"""Commands in messages: the profile that they name, and messages that write a command without it."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from traffic_assets.cli.app import app
from traffic_assets.dagster_hdfs.generation import describe_remedy
from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.messages import assets, checks, history, location
from traffic_assets.settings import load_settings
from traffic_assets.settings.commands import demo, open_report, rebuild_days, rebuild_template, sync, train_week
from traffic_assets_tests.settings.problems import write

BASE = {"extends": "local"}


@pytest.mark.parametrize("folder", ["network", "a network", "{first}"])
def test_a_command_names_the_profile_of_the_deployment(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    profile = write(tmp_path / folder / "san_diego.json", BASE)
    settings = load_settings(profile, environ={})
    assert shlex.split(rebuild_days(settings, "2026-01-05", "2026-01-06")) == [
        *("traffic-assets", "features", "2026-01-05", "2026-01-06", "--profile", profile),
    ]
    assert shlex.split(train_week(settings, "2026-01-05"))[1:] == ["train", "2026-01-05", "--profile", profile]
    assert shlex.split(demo(settings))[1:] == ["demo", "--profile", profile]
    assert shlex.split(sync(settings))[1:] == ["sync", "--profile", profile]
    assert shlex.split(open_report(settings, "2026-01-05", "flow"))[-2:] == ["--profile", profile]
    remedy = describe_remedy(rebuild_template(settings), "feature_table", ["2026-01-05", "2026-01-06"])
    assert remedy == rebuild_days(settings, "2026-01-05", "2026-01-06")


def test_the_path_of_a_profile_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a profile from the environment too, which a command in another shell may not have."""
    profile = write(tmp_path / "san_diego.json", BASE)
    monkeypatch.chdir(tmp_path)
    for settings in (load_settings("san_diego.json"), load_settings(environ={"TRAFFIC_PROFILE": "san_diego.json"})):
        assert sync(settings) == f"traffic-assets sync --profile {shlex.quote(profile)}"


def test_the_default_profile_is_named_only_if_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAFFIC_PROFILE", raising=False)
    settings = load_settings("local", environ={})
    assert rebuild_days(settings, "2026-01-05", "2026-01-05") == "traffic-assets features 2026-01-05 2026-01-05"
    assert sync(load_settings("seed_literal", environ={})) == "traffic-assets sync --profile seed_literal"
    monkeypatch.setenv("TRAFFIC_PROFILE", "cluster")
    assert sync(settings) == "traffic-assets sync --profile local"


def test_the_commands_exist() -> None:
    settings = load_settings("seed_literal", environ={})
    commands = (
        rebuild_days(settings, "2026-01-05", "2026-01-05"),
        train_week(settings, "2026-01-05"),
        sync(settings),
        demo(settings),
        open_report(settings, "2026-01-05", "flow"),
    )
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "traffic-assets"
        assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


@pytest.mark.parametrize("module", [assets, checks, history, location], ids=lambda module: module.__name__)
def test_no_fix_contains_a_command_of_its_own(module: object) -> None:
    fixes = {message.code: message.fix for message in vars(module).values() if isinstance(message, Message)}
    assert [code for code, fix in fixes.items() if "traffic-assets" in fix] == []
