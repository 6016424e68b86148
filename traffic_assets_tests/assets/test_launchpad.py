"""The Launchpad: its defaults, and the refusal of hyperparameters that no fit can use."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.assets.launchpad import config_class, require_valid_config
from traffic_assets.build import build_defs
from traffic_assets.guards import CODE_TAG
from traffic_assets.ml.algorithm import algorithm_named, built_in_algorithms
from traffic_assets.settings import load_settings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.runs import failures, run_train
from traffic_assets_tests.tiny import WEEK, tiny_settings

EVERY = {"models": {name: {"enabled": True} for name in built_in_algorithms()}}


@pytest.mark.parametrize("name", built_in_algorithms())
def test_the_defaults_are_the_profiles(name: str) -> None:
    model_settings = load_settings("local", EVERY, environ={}).enabled_models[name]
    shown = config_class(algorithm_named(name), model_settings)().model_dump()
    assert shown.pop("tune") is False
    assert shown == model_settings.hyperparameters.model_dump()


def run_with(form: dict[str, Any], base: Path) -> tuple[dg.ExecuteInProcessResult, dg.DagsterRun]:
    """Return the result and the run of the `train` job with hyperparameters of the random forest."""
    config = {"ops": {"random_forest_cv_report": {"config": form}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_train(build_defs(tiny_settings(base)), instance, WEEK, config=config)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        return result, run


def test_a_value_out_of_range_is_refused_before_any_work(tmp_path: Path) -> None:
    result, run = run_with({"maxDepth": 99, "numTrees": 0}, tmp_path)
    assert not result.success
    assert run.tags[CODE_TAG] == "runs.bad-hyperparameters"
    message = failures(result)["run"]
    named = ("random_forest_cv_report.maxDepth: ", "99", "30", "random_forest_cv_report.numTrees: ")
    assert [value for value in named if value not in message] == []
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_refused_by_dagster(tmp_path: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="depth"):
        run_with({"depth": 3}, tmp_path)


def test_members_of_an_ensemble_can_be_set() -> None:
    """Check a nested config: Dagster passes its mappings on, and missing values come from the lane."""
    settings = load_settings("local", EVERY, environ={})
    model_settings = settings.enabled_models["ensemble"]
    form: Any = config_class(algorithm_named("ensemble"), model_settings)
    passed_on = []

    @dg.op
    def report(config: form) -> None:
        passed_on.append(config.model_dump())

    @dg.job
    def job() -> None:
        report()

    entered = {
        "method": "weighted",
        "members": {"random_forest": {"maxDepth": 3}, "svr": {}},
        "weights": {"random_forest": 2.0, "svr": 1},
    }
    assert job.execute_in_process(run_config={"ops": {"report": {"config": entered}}}).success
    assert passed_on[0].pop("tune") is False
    requested: Any = model_settings.override_hyperparameters(passed_on[0])
    profile: Any = settings.enabled_models["random_forest"].hyperparameters
    assert requested.member_hyperparameters["random_forest"] == profile.model_copy(update={"maxDepth": 3})
    assert requested.weights == {"random_forest": 2.0, "svr": 1.0}
    with pytest.raises(dg.Failure) as refused:
        require_valid_config(
            {"ops": {"ensemble_cv_report": {"config": {"members": {"svr": {"C": 0}, "xgboost": {}}}}}}, settings
        )
    assert get_code(refused.value) == "runs.bad-hyperparameters"
    (error,) = get_values(refused.value)["errors"]
    assert error.startswith("ensemble_cv_report.members.svr.C: Out of range (0). Expected ")
