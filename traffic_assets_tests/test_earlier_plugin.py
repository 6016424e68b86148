"""A plugin written for 0.1.0, which trains behind the gate that its author set in `targets`, and never without."""

import json
import tomllib
import warnings
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from traffic_assets import checks
from traffic_assets.assets.lanes import Lane
from traffic_assets.build import build_defs
from traffic_assets.cli.app import app
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.settings import Settings
from traffic_assets.settings.plugins import ALGORITHM_GROUP, METRIC_GROUP, PluginWarning, plugins
from traffic_assets_tests.packages import Install
from traffic_assets_tests.runs import list_missed_thresholds
from traffic_assets_tests.tiny import only_lanes, tiny_settings

SOURCE = Path(__file__).parent / "plugins" / "acme_traffic_before_1_0"
LANE = Lane("decision_tree")
GATE = {"rmse_max": 50.0}
"""The gate that the author set in `targets`."""


@pytest.fixture
def installed(install: Install) -> None:
    """Install the plugin with the entry points of its own pyproject.toml."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    code = (SOURCE / "acme_traffic.py").read_text()
    groups = {
        group: {name: target.split(":")[1] for name, target in points.items()}
        for group, points in project["entry-points"].items()
    }
    install(project["name"], code, groups)


@pytest.fixture
def settings(installed: None, tmp_path: Path) -> Settings:
    """Settings of a deployment with only the plugin's lane; a plugin that is left out is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginWarning)
        return tiny_settings(tmp_path, only_lanes())


def test_the_plugin_is_accepted(settings: Settings) -> None:
    problems = {
        (plugin.group, plugin.name): plugin.problem for plugin in (*plugins(ALGORITHM_GROUP), *plugins(METRIC_GROUP))
    }
    assert problems == {(ALGORITHM_GROUP, "decision_tree"): None, (METRIC_GROUP, "close_share"): None}
    assert list(settings.enabled_models) == ["decision_tree"]


def test_the_settings_show_the_authors_gate(settings: Settings) -> None:
    shown = CliRunner().invoke(app, ["settings", "local"])
    assert shown.exit_code == 0, shown.output
    gate = json.loads(shown.stdout)["evaluation"]["thresholds"]["decision_tree"]
    assert {name: limit for name, limit in gate.items() if limit is not None} == GATE
    assert settings.get_thresholds("speed", "decision_tree").model_dump(exclude_none=True) == GATE


def test_a_deployment_may_set_other_limits(installed: None, tmp_path: Path) -> None:
    changed = tiny_settings(tmp_path, {"evaluation": {"thresholds": {"decision_tree": {"mae_max": 2.0}}}})
    assert changed.get_thresholds("speed", "decision_tree").model_dump(exclude_none=True) == {"mae_max": 2.0}


def test_the_registry_entry_is_behind_a_blocking_gate(settings: Settings) -> None:
    graph = build_defs(settings).resolve_asset_graph()
    evaluation, entry = (dg.AssetKey(f"decision_tree_{what}") for what in ("evaluation", "registry_entry"))
    assert evaluation in graph.get(entry).parent_keys
    gates = [key.name for key in graph.get(evaluation).check_keys if graph.get(key).blocking]
    assert gates == [checks.GATE]


@pytest.mark.parametrize(
    ("r2", "rmse", "missed"),
    [(0.1, 50.0, []), (0.1, 50.1, ["RMSE on test, mph"])],
)
def test_the_gate_enforces_the_authors_limits(settings: Settings, r2: float, rmse: float, missed: list[str]) -> None:
    stored = {
        "test": {"rows": 100, "r2": r2, "rmse": rmse, "mae": 1.0, "mape": 0.1},
        "cross_validation": {"hyperparameters": {}, "folds": [], "summary": {"r2": {"mean": 0.5, "std": 0.1}}},
    }
    (gate,) = [check for check in checks.build_lane(LANE, settings) if checks.GATE in str(check.check_keys)]
    result = gate(dg.build_asset_check_context(), evaluation=AssetInput(lambda: stored, {}))
    assert isinstance(result, dg.AssetCheckResult)
    assert result.passed is (not missed)
    assert list_missed_thresholds(result.metadata) == missed
