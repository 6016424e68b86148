"""What the Launchpad offers, and that it refuses what no fit could use."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.assets.launchpad import config_class
from traffic_assets.build import build_defs
from traffic_assets.ml.algorithms import algorithm_named
from traffic_assets.settings import load_settings
from traffic_assets_tests.runs import failures, run_train
from traffic_assets_tests.tiny import LANES, WEEK, tiny_settings


@pytest.mark.parametrize("name", LANES)
def test_the_defaults_are_the_profiles(name: str) -> None:
    model_settings = load_settings("local", environ={}).enabled_models[name]
    shown = config_class(algorithm_named(name), model_settings)().model_dump()
    assert shown.pop("tune") is False
    assert shown == model_settings.hyperparameters.model_dump()


def run_with(given: dict[str, Any], base: Path) -> dg.ExecuteInProcessResult:
    config = {"ops": {"random_forest_cv_report": {"config": given}}}
    with dg.DagsterInstance.ephemeral() as instance:
        return run_train(build_defs(tiny_settings(base)), instance, WEEK, config=config)


def test_a_value_out_of_range_is_refused_before_any_work(tmp_path: Path) -> None:
    result = run_with({"maxDepth": 99, "numTrees": 0}, tmp_path)
    assert not result.success
    told = failures(result)["run"]
    assert "random_forest_cv_report: maxDepth: given 99; input should be less than or equal to 30" in told
    assert "numTrees: given 0" in told
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_refused_by_dagster(tmp_path: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="depth"):
        run_with({"depth": 3}, tmp_path)
