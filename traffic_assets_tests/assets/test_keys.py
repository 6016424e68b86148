"""Keys of assets: the prefix of a target, and the name of an asset's step."""

import dagster as dg
import pytest

from traffic_assets.assets.keys import add_target_prefix, asset_key, get_step_name
from traffic_assets.settings.target import DEFAULT_TARGET


def test_only_assets_of_other_targets_have_a_prefix() -> None:
    assert add_target_prefix("training_report", DEFAULT_TARGET) == "training_report"
    assert add_target_prefix("training_report", "flow") == "flow/training_report"
    assert asset_key(add_target_prefix("training_report", "flow")) == dg.AssetKey(["flow", "training_report"])


@pytest.mark.parametrize("text", ["training_report", "flow/training_report"])
def test_the_step_of_an_asset_has_the_name_that_dagster_uses(text: str) -> None:
    @dg.asset(key=asset_key(text))
    def report() -> None: ...

    assert get_step_name(text) == report.op.name
