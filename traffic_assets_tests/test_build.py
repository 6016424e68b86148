"""The code location as a whole: what it holds is pinned, and what would gate nothing is refused."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import checks
from traffic_assets.assets import lane_evaluation, lane_training, registry
from traffic_assets.assets.lanes import Lane
from traffic_assets.build import BrokenLocationError, build_defs, require_sound
from traffic_assets.dagster_hdfs.backends import GROUP as STORAGE_GROUP
from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager
from traffic_assets.resources import DAILY_FRAMES, DOCUMENTS, FRAMES, MODELS, build_resources
from traffic_assets.settings.extras import installing
from traffic_assets.settings.persistence import OWN_FOLDERS
from traffic_assets.settings.plugins import ALGORITHM_GROUP
from traffic_assets_tests.packages import ALGORITHM, Install
from traffic_assets_tests.tiny import LANES, tiny_settings

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")


def described(defs: dg.Definitions) -> dict[str, Any]:
    """Keys, groups, dependencies, partitions, checks and jobs, as JSON can hold them."""
    graph = defs.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "depends_on": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitions": type(node.partitions_def).__name__ if node.partitions_def else None,
            "time_zone": getattr(node.partitions_def, "timezone", None),
            "io_manager": node.io_manager_key if hasattr(node, "io_manager_key") else None,
            "checks": sorted(
                f"{check.name}{' (blocking)' if graph.get(check).blocking else ''}" for check in node.check_keys
            ),
        }
    jobs = {}
    for name in ("features", "train"):
        job = defs.resolve_job_def(name)
        selected = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        jobs[name] = sorted(selected)
    return {"assets": assets, "jobs": jobs, "sensors": sorted(s.name for s in defs.sensors or [])}


def test_the_location_is_what_was_agreed(tmp_path: Path) -> None:
    found = described(build_defs(tiny_settings(tmp_path)))
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(SNAPSHOT.read_text()), "if the change is meant: UPDATE_SNAPSHOT=1 make test"


def test_every_folder_that_assets_lie_in_is_reserved_against_the_registry(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    hdfs = build_resources(settings)["hdfs"]
    keys = {key for asset in build_defs(settings).assets or [] for key in asset.keys}  # type: ignore[union-attr]
    places = [hdfs.dataset(key).root for key in keys] + [settings.source_uri]
    below = {place.removeprefix(f"{settings.persistence.base_uri}/").split("/")[0] for place in places}
    assert below == set(OWN_FOLDERS)
    assert settings.persistence.registry_folder not in OWN_FOLDERS


def test_the_location_loads(tmp_path: Path) -> None:
    dg.Definitions.validate_loadable(build_defs(tiny_settings(tmp_path)))


def test_a_ready_made_feature_table_needs_no_readings(tmp_path: Path) -> None:
    defs = build_defs(tiny_settings(tmp_path, {"data": {"kind": "features"}}))
    groups = {defs.resolve_asset_graph().get(k).group_name for k in defs.resolve_asset_graph().get_all_asset_keys()}
    assert "readings" not in groups
    assert "features" in groups


def test_a_disabled_model_has_no_lane(tmp_path: Path) -> None:
    defs = build_defs(tiny_settings(tmp_path, {"models": {"random_forest": {"enabled": False}}}))
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert not [key for key in keys if key.startswith("random_forest")]
    assert "linear_regression_registry_entry" in keys


def test_a_check_on_a_key_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    @dg.asset_check(asset="random_forrest_evaluation", blocking=True)
    def typo() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    with pytest.raises(BrokenLocationError, match=r"typo on random_forrest_evaluation.*random_forest_evaluation"):
        build_defs(tiny_settings(tmp_path), extra_checks=[typo])


def test_a_registry_entry_without_a_gate_is_refused(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    lane = Lane("linear_regression")
    modules = (lane_training, lane_evaluation, registry)
    assets = [asset for module in modules for asset in module.build(lane, settings)]
    gated = checks.build_lane(lane, settings)
    require_sound(assets, gated, [lane])
    with pytest.raises(BrokenLocationError, match="linear_regression_registry_entry"):
        require_sound(assets, [check for check in gated if checks.GATE not in str(check.check_keys)], [lane])


@pytest.mark.parametrize("name", LANES)
def test_each_gate_is_blocking_and_partitioned(tmp_path: Path, name: str) -> None:
    gate = checks.build_lane(Lane(name), tiny_settings(tmp_path))[0]
    (spec,) = gate.check_specs
    assert spec.blocking
    assert isinstance(spec.partitions_def, dg.WeeklyPartitionsDefinition)


def test_dagsters_pickling_io_manager_is_used_nowhere(tmp_path: Path) -> None:
    defs = build_defs(tiny_settings(tmp_path))
    resources = defs.resources or {}
    used = {
        definition.io_manager_key
        for asset in defs.assets or []
        if isinstance(asset, dg.AssetsDefinition)
        for definition in asset.node_def.output_defs
    }
    assert used <= {DAILY_FRAMES, FRAMES, MODELS, DOCUMENTS, "io_manager"}
    for key in used:
        assert isinstance(resources[key], HdfsIOManager), key
    assert not [key for key, resource in resources.items() if isinstance(resource, dg.FilesystemIOManager)]


def test_loading_starts_no_session_and_imports_nothing_heavy() -> None:
    program = (
        "import sys, traffic_assets.definitions; "
        "print([m for m in ('pyspark', 'numpy', 'pandas', 'matplotlib', 'pyarrow') if m in sys.modules])"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TRAFFIC_")}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(("lane", "extra"), [("xgboost", "xgboost"), ("svr", "svr")])
def test_a_lane_whose_package_is_missing_is_refused_with_the_command(
    lane: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(tmp_path, {"models": {lane: {"enabled": True}}})
    assert build_defs(settings).resolve_assets_def(f"{lane}_registry_entry")
    monkeypatch.setattr("traffic_assets.build.importlib.util.find_spec", lambda name: None)
    command = re.escape(installing(extra))
    with pytest.raises(BrokenLocationError, match=rf"models\.{lane} is enabled.*: {command}, or set"):
        build_defs(settings)
    assert build_defs(tiny_settings(tmp_path)), "without that lane nothing is missing"


def test_a_member_whose_package_is_missing_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members: dict[str, dict[str, int]] = {"linear_regression": {}, "svr": {}}
    settings = tiny_settings(
        tmp_path, {"models": {"ensemble": {"enabled": True, "hyperparameters": {"members": members}}}}
    )
    assert build_defs(settings).resolve_assets_def("ensemble_registry_entry")
    monkeypatch.setattr("traffic_assets.build.importlib.util.find_spec", lambda name: None)
    expected = (
        "models.ensemble is enabled with the member svr, and the package sklearn is not installed: "
        f"{installing('svr')}, or leave the member out"
    )
    with pytest.raises(BrokenLocationError, match=re.escape(expected)):
        build_defs(settings)


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("persistence.base_uri", {"persistence": {"base_uri": "acme://x/y"}}),
        ("data.source", {"data": {"source": "acme://x/y"}}),
        ("data.sensors_source", {"data": {"sensors_source": "acme://x/y"}}),
    ],
)
def test_a_location_that_needs_a_broken_backend_is_refused_when_it_loads(
    install: Install, tmp_path: Path, setting: str, changes: dict[str, object]
) -> None:
    install("acme-store", "raise ImportError('no client')", {STORAGE_GROUP: {"acme": "Store"}})
    assert build_defs(tiny_settings(tmp_path)), "nobody needs it here"
    with pytest.raises(BrokenLocationError, match=rf"{setting}: the storage backend acme of.*ImportError: no client"):
        build_defs(tiny_settings(tmp_path, changes))


def test_an_installed_algorithm_has_a_whole_lane_and_changes_no_other(install: Install, tmp_path: Path) -> None:
    agreed = json.loads(SNAPSHOT.read_text())
    install("acme-models", ALGORITHM, {ALGORITHM_GROUP: {"acme": "ACME"}})
    found = described(build_defs(tiny_settings(tmp_path)))
    lane = {key: node for key, node in found["assets"].items() if key not in agreed["assets"]}
    renamed = json.loads(json.dumps(lane).replace("acme", "gradient_boosted_trees"))
    for node in renamed.values():
        node["depends_on"].sort()
    ours = {key: node for key, node in agreed["assets"].items() if key.startswith("gradient_boosted_trees_")}
    assert renamed == ours, "the same assets, dependencies and gate"
    changed = {key for key, node in agreed["assets"].items() if found["assets"][key] != node}
    assert changed == {"model_comparison", "training_report"}
    assert not build_defs(
        tiny_settings(tmp_path, {"models": {"acme": {"enabled": False}}})
    ).resolve_asset_graph().get_all_asset_keys() & {dg.AssetKey(key) for key in lane}
