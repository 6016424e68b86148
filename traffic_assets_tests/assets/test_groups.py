"""The asset groups: their declarations match the assets that they build."""

import warnings
from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.assets.group import AssetGroup
from traffic_assets.assets.groups import GROUPS, build_assets, pruned_keys
from traffic_assets.build import BrokenLocationError, build_defs
from traffic_assets.resources import build_resources
from traffic_assets.settings.persistence import OWN_FOLDERS
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.tiny import tiny_settings


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.build.__module__.rpartition(".")[2])
def test_a_group_builds_assets_of_its_name_and_locates_only_those(group: AssetGroup, tmp_path: Path) -> None:
    assets = group.build(tiny_settings(tmp_path, {"training": {"targets": ["speed", "flow"]}}))
    names = {name for asset in assets for name in asset.group_names_by_key.values()}
    assert names == {group.name}
    keys = {key.to_user_string() for asset in assets for key in asset.keys}
    assert set(group.locations) <= keys
    assert {folder.split("/")[0] for folder in group.locations.values()} <= set(OWN_FOLDERS)


def test_only_registry_entries_are_never_pruned(tmp_path: Path) -> None:
    built = build_assets(tiny_settings(tmp_path))
    every = {key.to_user_string() for _, assets in built for asset in assets for key in asset.keys}
    assert every - set(pruned_keys(built)) == {key for key in every if key.endswith("_registry_entry")}


def test_a_deployment_adds_assets_of_its_own(tmp_path: Path) -> None:
    @dg.asset(deps=["feature_table"], group_name="features")
    def daily_summary() -> None:
        """Summarize the feature table of this deployment."""

    settings = tiny_settings(tmp_path)
    defs = build_defs(settings, extra_assets=[daily_summary, dg.AssetSpec("road_map", group_name="evaluation")])
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("daily_summary")).parent_keys == {dg.AssetKey("feature_table")}
    for job in ("features", "train"):
        assert dg.AssetKey("daily_summary") not in defs.resolve_job_def(job).asset_layer.executable_asset_keys
    assert graph.has(dg.AssetKey("road_map"))
    assert defs.resources is not None
    assert "daily_summary" not in defs.resources["hdfs"].pruned_datasets
    assert defs.resources["hdfs"].pruned_datasets == pruned_keys(build_assets(settings))


def test_an_extra_asset_in_a_folder_of_ours_is_refused(tmp_path: Path) -> None:
    @dg.asset(deps=["feature_table"])
    def splits() -> None:
        """An asset whose default folder is taken."""

    with pytest.raises(BrokenLocationError) as caught:
        build_defs(tiny_settings(tmp_path), extra_assets=[splits])
    assert get_code(caught.value) == "location.extra-asset-in-used-folder"
    assert get_values(caught.value)["folder"] == "training/splits"


def test_an_extra_asset_that_stores_elsewhere_may_have_any_name(tmp_path: Path) -> None:
    @dg.asset(deps=["feature_table"], io_manager_key="warehouse")
    def splits() -> None:
        """An asset of another storage."""

    warehouse = {"warehouse": dg.mem_io_manager}
    assert build_defs(tiny_settings(tmp_path), warehouse, extra_assets=[splits]).resolve_asset_graph()


def test_a_command_that_builds_only_the_resources_prints_no_warning_of_dagster(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        build_resources(tiny_settings(tmp_path))
    assert [str(warning.message) for warning in raised] == []


def test_a_storage_of_a_deployments_own_is_pruned_too(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    every = pruned_keys(build_assets(settings))
    assert build_resources(settings)["hdfs"].pruned_datasets == every
    storage = build_resources(settings, pruned=[])["hdfs"]
    resources = build_defs(settings, {"hdfs": storage}).resources
    assert resources is not None
    assert resources["hdfs"].pruned_datasets == every
