"""The asset groups: their declarations match the assets that they build."""

from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.assets.group import AssetGroup
from traffic_assets.assets.groups import GROUPS, build_assets, pruned_keys
from traffic_assets.build import build_defs
from traffic_assets.settings.persistence import OWN_FOLDERS
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
    @dg.asset(deps=["feature_table"])
    def daily_summary() -> None:
        """Summarize the feature table of this deployment."""

    settings = tiny_settings(tmp_path)
    defs = build_defs(settings, extra_assets=[daily_summary])
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("daily_summary")).parent_keys == {dg.AssetKey("feature_table")}
    for job in ("features", "train"):
        assert dg.AssetKey("daily_summary") not in defs.resolve_job_def(job).asset_layer.executable_asset_keys
    assert defs.resources is not None
    assert "daily_summary" not in defs.resources["hdfs"].pruned_datasets
    assert defs.resources["hdfs"].pruned_datasets == pruned_keys(build_assets(settings))
