"""The code location as a whole: a snapshot of its definitions, and the refusal of ineffective gates."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import checks
from traffic_assets.assets import lane_evaluation, lane_training, registry
from traffic_assets.assets.group import DAILY_FRAMES, DOCUMENTS, FRAMES, MODELS
from traffic_assets.assets.lanes import Lane
from traffic_assets.build import BrokenLocationError, build_defs, require_sound
from traffic_assets.dagster_hdfs.backends import GROUP as STORAGE_GROUP
from traffic_assets.dagster_hdfs.generation import describe_remedy
from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager
from traffic_assets.resources import build_resources
from traffic_assets.settings import SettingsError, load_settings
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.persistence import OWN_FOLDERS
from traffic_assets.settings.plugins import ALGORITHM_GROUP
from traffic_assets.settings.schema import ModelsSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.packages import ALGORITHM, Install
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.tiny import LANES, tiny_profile, tiny_settings

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")
BOTH_TARGETS = {"training": {"targets": ["speed", "flow"]}}
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "every algorithm, speed and flow": {
        "models": {name: {"enabled": True} for name in ModelsSettings.model_fields},
        **BOTH_TARGETS,
    },
    "kind features, speed and flow": {"data": {"kind": "features"}, **BOTH_TARGETS},
}
"""Settings of the snapshots, as changes to the tiny deployment."""


def describe(defs: dg.Definitions) -> dict[str, Any]:
    """Return the names, config and storage on which people and stored data rely, as JSON-compatible data."""
    graph, resources = defs.resolve_asset_graph(), defs.resources or {}
    keys = sorted(graph.get_all_asset_keys())
    return {
        "assets": {key.to_user_string(): _describe_asset(graph.get(key), resources["hdfs"]) for key in keys},
        "checks": {
            f"{spec.asset_key.to_user_string()}:{spec.name}": {
                "blocking": spec.blocking,
                "partitions": _describe_partitions(spec.partitions_def),
                "step": check.node_def.name,
                "resources": sorted(check.required_resource_keys),
            }
            for check in defs.asset_checks or []
            if isinstance(check, dg.AssetChecksDefinition)
            for spec in check.check_specs
        },
        "jobs": {
            job.name: _describe_job(defs.resolve_job_def(job.name)) for job in defs.jobs or [] if hasattr(job, "name")
        },
        "sensors": {
            sensor.name: {
                "job": sensor.job_name if sensor.targets else None,
                "seconds_between_ticks": sensor.minimum_interval_seconds,
                "status": sensor.default_status.value,
            }
            for sensor in defs.sensors or []
            if isinstance(sensor, dg.SensorDefinition)
        },
        "schedules": len(list(defs.schedules or [])),
        "resources": sorted(resources),
    }


def _describe_asset(node: Any, hdfs: Any) -> dict[str, Any]:
    definition = node.assets_def
    (spec,) = [spec for spec in definition.specs if spec.key == node.key]
    described = {
        "group": node.group_name,
        "depends_on": sorted(parent.to_user_string() for parent in node.parent_keys),
        "partition_mappings": {
            dep.asset_key.to_user_string(): str(dep.partition_mapping) for dep in spec.deps if dep.partition_mapping
        },
        "partitions": _describe_partitions(node.partitions_def),
        "backfill": str(node.backfill_policy) if node.backfill_policy else None,
        "io_manager": definition.get_io_manager_key_for_asset_key(node.key),
        "stored_in": hdfs.dataset(node.key.to_user_string()).root.removeprefix(f"{hdfs.base_uri}/"),
        "step": definition.node_def.name,
        "resources": sorted(definition.required_resource_keys),
        "kinds": sorted(node.kinds),
        "tags": {name: tag for name, tag in sorted(node.tags.items()) if not name.startswith("dagster/kind/")},
        "owners": sorted(node.owners),
        "metadata": sorted(node.metadata),
        "checks": sorted(check.name for check in node.check_keys),
    }
    described["config"] = _describe_config(definition.node_def)
    return {name: value for name, value in described.items() if value not in (None, [], {})}


def _describe_partitions(partitions: Any) -> str | None:
    if partitions is None:
        return None
    parts = (type(partitions).__name__, partitions.cron_schedule, partitions.start.isoformat(), partitions.timezone)
    return f"{', '.join(parts)}, {partitions.fmt}, {partitions.end_offset}"


def _describe_config(step: Any) -> dict[str, Any] | None:
    """Return type and default of each field of the Launchpad's form, or None for a step without config."""
    fields = getattr(step.config_schema.config_type, "fields", None)
    if fields is None:
        return None
    return {
        name: {
            "type": field.config_type.key,
            "default": field.default_value if field.default_provided else "(required)",
        }
        for name, field in fields.items()
    }


def _describe_job(job: dg.JobDefinition) -> dict[str, Any]:
    selected = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    return {
        "selection": sorted(selected),
        "partitions": _describe_partitions(job.partitions_def),
        "executor": job.executor_def.name,
        "tags": dict(job.tags),
    }


def write_snapshot(described: dict[str, Any]) -> None:
    """Write the snapshot with one asset, check or job per line, so that a diff shows what changed."""

    def lines(value: Any, depth: int) -> str:
        if depth == 0 or not isinstance(value, dict) or not value:
            return json.dumps(value)
        inner = ",\n".join(f"{json.dumps(key)}: {lines(item, depth - 1)}" for key, item in value.items())
        return f"{{\n{inner}\n}}"

    SNAPSHOT.write_text(lines(described, 3) + "\n")


@pytest.mark.parametrize("case", CASES)
def test_the_location_equals_its_snapshot(case: str, tmp_path: Path) -> None:
    described = describe(build_defs(tiny_settings(tmp_path, CASES[case])))
    if os.environ.get("UPDATE_SNAPSHOT"):
        kept = json.loads(SNAPSHOT.read_text()) | {case: described}
        write_snapshot({name: kept[name] for name in CASES if name in kept})
    assert described == json.loads(SNAPSHOT.read_text())[case], (
        "if the change is intended: UPDATE_SNAPSHOT=1 .venv/bin/pytest -m pure traffic_assets_tests/test_build.py"
    )


def test_every_algorithm_is_in_the_snapshot() -> None:
    assets = json.loads(SNAPSHOT.read_text())["every algorithm, speed and flow"]["assets"]
    for name in ModelsSettings.model_fields:
        assert {f"{name}_registry_entry", f"flow/{name}_registry_entry"} <= set(assets)


def test_every_folder_with_assets_is_reserved_against_the_registry(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    hdfs = build_resources(settings)["hdfs"]
    keys = {key for asset in build_defs(settings).assets or [] for key in asset.keys}  # type: ignore[union-attr]
    places = [hdfs.dataset(key).root for key in keys] + [settings.source_uri]
    below = {place.removeprefix(f"{settings.persistence.base_uri}/").split("/")[0] for place in places}
    assert below == set(OWN_FOLDERS)
    assert settings.persistence.registry_folder not in OWN_FOLDERS


@pytest.mark.parametrize("kind", ["readings", "features"])
def test_damaged_days_are_built_again_by_the_command_and_other_partitions_have_a_remedy_too(
    tmp_path: Path, kind: str
) -> None:
    profile = tmp_path / "mine.json"
    profile.write_text(json.dumps(tiny_profile(tmp_path, {"data": {"kind": kind}})))
    defs = build_defs(load_settings(profile, environ={}))
    graph, hdfs = defs.resolve_asset_graph(), (defs.resources or {})["hdfs"]
    remedies = {
        key.to_user_string(): describe_remedy(hdfs.dataset(key).remedy, "it", ["2026-01-05", "2026-01-06"])
        for key in graph.get_all_asset_keys()
    }
    daily = {
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if isinstance(graph.get(key).partitions_def, dg.DailyPartitionsDefinition)
    }
    assert "feature_table" in daily
    assert {remedies[name] for name in daily} == {f"traffic-assets features 2026-01-05 2026-01-06 --profile {profile}"}
    assert remedies["train_split"] == "materialize it 2026-01-05, 2026-01-06 again"
    assert all(remedies.values())


def test_the_location_loads(tmp_path: Path) -> None:
    dg.Definitions.validate_loadable(build_defs(tiny_settings(tmp_path)))


def test_assets_have_owners_only_if_the_settings_name_some(tmp_path: Path) -> None:
    owners = ["team:traffic", "ann@example.org"]
    for configured in ([], owners):
        graph = build_defs(tiny_settings(tmp_path, {"owners": configured})).resolve_asset_graph()
        assert {tuple(graph.get(key).owners) for key in graph.get_all_asset_keys()} == {tuple(configured)}


@pytest.mark.parametrize("owner", ["traffic", "team:", "ann@", "ann@example"])
def test_an_owner_that_dagster_would_refuse_is_refused_by_the_settings(tmp_path: Path, owner: str) -> None:
    with pytest.raises(SettingsError):
        tiny_settings(tmp_path, {"owners": [owner]})


def test_every_asset_and_check_has_a_description_and_every_asset_a_kind(tmp_path: Path) -> None:
    defs = build_defs(tiny_settings(tmp_path, CASES["every algorithm, speed and flow"]))
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        assert graph.get(key).description, key
        assert graph.get(key).kinds, key
    for check in defs.asset_checks or []:
        for spec in check.check_specs:
            assert spec.description, spec.key


def test_assets_of_a_lane_can_be_selected_by_model_and_target(tmp_path: Path) -> None:
    defs = build_defs(tiny_settings(tmp_path, BOTH_TARGETS))
    selection = dg.AssetSelection.tag("model", "random_forest") & dg.AssetSelection.tag("target", "flow")
    keys = {key.to_user_string() for key in selection.resolve(defs.resolve_asset_graph())}
    lane = Lane("random_forest", "flow")
    steps = ("cv_report", "model", "temporal_verdict", "diagnostics", "evaluation", "registry_entry")
    assert keys == {lane.key(step) for step in steps}


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

    with pytest.raises(BrokenLocationError) as refused:
        build_defs(tiny_settings(tmp_path), extra_checks=[typo])
    assert get_code(refused.value) == "location.check-without-asset"
    assert str(refused.value).startswith("[location.check-without-asset] "), "as Dagster shows it"
    assert get_values(refused.value)["checks"] == ["typo on random_forrest_evaluation"]
    assert "random_forest_evaluation" in get_values(refused.value)["assets"]


def test_a_registry_entry_without_a_gate_is_refused(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    lane = Lane("linear_regression")
    modules = (lane_training, lane_evaluation, registry)
    assets = [asset for module in modules for asset in module.build_lane(lane, settings)]
    gated = checks.build_lane(lane, settings)
    require_sound(assets, gated, [lane])
    with pytest.raises(BrokenLocationError) as refused:
        require_sound(assets, [check for check in gated if checks.GATE not in str(check.check_keys)], [lane])
    assert get_code(refused.value) == "location.entry-without-gate"
    assert get_values(refused.value)["entry"] == "linear_regression_registry_entry"


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


def test_loading_starts_no_session_and_imports_nothing_heavy(processes: Processes) -> None:
    program = (
        "import sys, traffic_assets.definitions; "
        "print([m for m in ('pyspark', 'numpy', 'pandas', 'matplotlib', 'pyarrow') if m in sys.modules])"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TRAFFIC_")}
    done = processes.python("-c", program, check=True, env=environ)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("lane", "extra"), [("xgboost", "xgboost"), ("svr", "svr")])
def test_a_lane_whose_package_is_missing_is_refused_with_the_command(
    lane: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(tmp_path, {"models": {lane: {"enabled": True}}})
    assert build_defs(settings).resolve_assets_def(f"{lane}_registry_entry")
    monkeypatch.setattr("traffic_assets.build.importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokenLocationError) as refused:
        build_defs(settings)
    assert get_code(refused.value) == "location.package-missing"
    assert get_values(refused.value)["model"] == lane
    assert get_values(refused.value)["install"] == install_command(extra)
    assert build_defs(tiny_settings(tmp_path)), "without that lane nothing is missing"


def test_a_member_whose_package_is_missing_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members: dict[str, dict[str, int]] = {"linear_regression": {}, "svr": {}}
    settings = tiny_settings(
        tmp_path, {"models": {"ensemble": {"enabled": True, "hyperparameters": {"members": members}}}}
    )
    assert build_defs(settings).resolve_assets_def("ensemble_registry_entry")
    monkeypatch.setattr("traffic_assets.build.importlib.util.find_spec", lambda name: None)
    with pytest.raises(BrokenLocationError) as refused:
        build_defs(settings)
    assert get_code(refused.value) == "location.member-package-missing"
    assert get_values(refused.value) == {
        "model": "ensemble",
        "member": "svr",
        "package": "sklearn",
        "install": install_command("svr"),
    }


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
    assert build_defs(tiny_settings(tmp_path)), "no setting needs it here"
    with pytest.raises(BrokenLocationError) as refused:
        build_defs(tiny_settings(tmp_path, changes))
    assert get_code(refused.value) == "location.broken-backend"
    assert get_values(refused.value)["setting"] == setting
    assert "acme" in get_values(refused.value)["reason"]
    assert "ImportError: no client" in get_values(refused.value)["reason"]


def test_an_installed_algorithm_has_a_whole_lane_and_changes_no_other(install: Install, tmp_path: Path) -> None:
    agreed = json.loads(SNAPSHOT.read_text())["default"]
    install("acme-models", ALGORITHM, {ALGORITHM_GROUP: {"acme": "ACME"}})
    described = describe(build_defs(tiny_settings(tmp_path)))
    for section in ("assets", "checks"):
        lane = {key: node for key, node in described[section].items() if key not in agreed[section]}
        renamed = json.loads(json.dumps(lane).replace("acme", "gradient_boosted_trees"))
        ours = {key: node for key, node in agreed[section].items() if key.startswith("gradient_boosted_trees_")}
        assert set(renamed) == set(ours)
        for key, node in renamed.items():
            node.get("depends_on", []).sort()
            assert node | {"config": None} == ours[key] | {"config": None}, "the same dependencies and gate"
        changed = {key for key, node in agreed[section].items() if described[section][key] != node}
        assert changed == ({"model_comparison", "training_report"} if section == "assets" else set())
    config = described["assets"]["acme_cv_report"]["config"]
    assert {name: field["default"] for name, field in config.items()} == {"depth": 3, "tune": False}
    keys = (
        build_defs(tiny_settings(tmp_path, {"models": {"acme": {"enabled": False}}}))
        .resolve_asset_graph()
        .get_all_asset_keys()
    )
    assert not [key for key in keys if "acme" in key.to_user_string()]
