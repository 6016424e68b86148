"""Requests: every setting that changes a result is compared between the steps of a week, and a mixture is refused."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

import dagster as dg
import pytest
from pydantic import BaseModel

from traffic_assets.assets.lane_requests import infer_requests, request_lane
from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.registry import get_registry
from traffic_assets.assets.requests import (
    HOLDOUT,
    REQUESTED,
    SETTINGS,
    SHARED,
    SPLIT,
    Request,
    find_differences,
    merge_requests,
    request_shared,
    require_same_request,
    restore_training,
)
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.ml.algorithm import built_in_algorithms
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.loading import merge
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import failure_codes, failures, get_failure_values, run_train
from traffic_assets_tests.tiny import WEEK

TUNED = {"models": {name: {"enabled": True, "tune": True} for name in built_in_algorithms()}}

HARMLESS = {
    "training.targets": "it decides which lanes exist; each lane has records of its own",
    "training.minimum_days": "it decides whether the splits are made; their id contains the days that they have",
    "training.mixed_settings": "it decides whether the splits are made, of the same rows",
    "training.parallel_training": "the same fits run at the same time; each has its own seed",
    **{f"models.{name}.enabled": "it decides which lanes exist" for name in built_in_algorithms()},
}
"""Settings that may change between two steps of a week, with the reason."""

TOGETHER: dict[str, dict[str, Any]] = {
    "training.split.train": {"training": {"split": {"test": 0.3}}},
    "training.split.validation": {"training": {"split": {"train": 0.7}}},
    "training.split.test": {"training": {"split": {"train": 0.7}}},
    "models.ensemble.hyperparameters.weights": {
        "models": {"ensemble": {"grid": {}, "hyperparameters": {"method": "weighted"}}}
    },
}
"""Further changes that make the change of a setting valid, by its path."""

VALUES: dict[str, Any] = {
    "training.split.train": 0.7,
    "training.split.validation": 0.1,
    "training.split.test": 0.3,
    "training.targets": ["flow"],
    "training.features": ["hour_sin"],
    "training.exclude_features": ["hour_sin"],
    "training.preprocessing.create": ["flow_rate^2"],
    "models.ensemble.hyperparameters.weights": {"linear_regression": 1.0, "random_forest": 2.0},
    "models.ensemble.hyperparameters.members": {"linear_regression": {}, "gradient_boosted_trees": {}},
}
"""Other values of the settings for which none follows from the type, by path."""


def whole(settings: Settings) -> Request:
    """Return everything that the steps of a week may record."""
    lanes = settings.enabled_models.items()
    return merge_requests(
        request_shared(settings, *SHARED),
        *(request_lane(settings, Lane(name), lane.hyperparameters, lane.tune) for name, lane in lanes),
    )


def paths(section: BaseModel, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Return the path, the value and the type of every setting below a section."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from paths(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value, field.annotation


def every_setting() -> dict[str, tuple[Any, Any]]:
    """Return value and type of every setting of `training` and `models`, by path."""
    settings = load_settings("local", TUNED, environ={})
    sections: list[tuple[str, BaseModel]] = [("training", settings.training)]
    sections += [(f"models.{name}", model) for name, model in settings.enabled_models.items()]
    return {path: (value, kind) for name, section in sections for path, value, kind in paths(section, name)}


EVERY = every_setting()


def choices(kind: Any) -> list[Any]:
    """Return the values of a literal type, also inside a union."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [choice for part in get_args(kind) for choice in choices(part)]


def others(path: str) -> list[Any]:
    """Return values to try for a setting, all different from its own."""
    value, kind = EVERY[path]
    if path in VALUES:
        return [VALUES[path]]
    if path.endswith(".grid"):
        name, values = next(iter(value.items()))
        return [{name: values[:1]}]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1, value / 2, (value + 1) / 2]
    return [*choices(kind), 1, 0.5, "0.5"]


def change(path: str) -> tuple[Settings, Settings]:
    """Return settings before and after the change of one setting."""
    together = merge(TUNED, TOGETHER.get(path, {}))
    before = load_settings("local", together if "ensemble" in path else TUNED, environ={})
    for value in others(path):
        changed: Any = value
        for name in reversed(path.split(".")):
            changed = {name: changed}
        try:
            after = load_settings("local", merge(together, changed), environ={})
        except ValueError:
            continue
        if after != before:
            return before, after
    raise AssertionError(f"no other value of {path} is known; add one to VALUES")


@pytest.mark.parametrize("path", EVERY)
def test_a_changed_setting_is_noticed_between_two_steps_of_a_week(path: str) -> None:
    before, after = (json.loads(json.dumps(whole(settings))) for settings in change(path))
    differences = find_differences({"one": before, "two": after})
    if path in HARMLESS:
        assert differences == {}
    elif path.endswith(".penalty"):  # it only fills in hyperparameters and grid
        assert differences.keys() >= {"models.linear_regression.hyperparameters.regParam"}
    else:
        assert path in differences


def test_the_harmless_settings_exist() -> None:
    assert set(EVERY).issuperset(HARMLESS)


def test_a_default_that_is_written_out_changes_nothing() -> None:
    settings = load_settings("local", TUNED, environ={})
    written = load_settings("local", merge(TUNED, {"training": settings.training.model_dump(mode="json")}), environ={})
    assert find_differences({"one": whole(settings), "two": whole(written)}) == {}


def test_lanes_are_compared_by_the_splits_of_rows_and_the_preparation() -> None:
    settings = load_settings("local", {"models": {"random_forest": {"tune": True}}}, environ={})
    names = ("linear_regression", "random_forest")
    lanes = {n: merge_requests(request_shared(settings, *SHARED), lane_request(settings, n)) for n in names}
    assert find_differences(lanes) == {}
    other = load_settings("local", {"training": {"temporal_train_share": 0.7}}, environ={})
    lanes["random_forest"] |= request_shared(other, HOLDOUT)
    assert find_differences(lanes) == {
        "training.temporal_train_share": {"linear_regression": 0.8, "random_forest": 0.7}
    }


def lane_request(settings: Settings, name: str, tuned: bool | None = None, **hyperparameters: Any) -> Request:
    model = settings.enabled_models[name]
    values = model.hyperparameters.model_copy(update=hyperparameters)
    return request_lane(settings, Lane(name), values, model.tune if tuned is None else tuned)


def test_a_search_counts_only_if_the_lane_is_tuned() -> None:
    one = load_settings("local", environ={})
    two = load_settings("local", {"training": {"search": {"strategy": "random"}}}, environ={})
    name = "linear_regression"
    assert find_differences({"one": lane_request(one, name), "two": lane_request(two, name)}) == {}
    tuned = find_differences({"one": lane_request(one, name, True), "two": lane_request(two, name, True)})
    assert tuned == {"training.search.strategy": {"one": "grid", "two": "random"}}


def stored(name: str, request: Request | None, day: int = 5) -> AssetInput:
    record = {} if request is None else {REQUESTED: json.loads(json.dumps(request))}
    at = datetime(2026, 1, day, tzinfo=UTC)
    return AssetInput(lambda: None, {WEEK: Generation(name, WEEK, f"file:///x/{name}", at, "run", record)})


@pytest.fixture
def context() -> Any:
    """The parts of a step's context that a comparison uses."""
    return SimpleNamespace(partition_key=WEEK, log=logging.getLogger("traffic_assets_tests.requests"))


def refusal(context: Any, inputs: Mapping[str, AssetInput], own: Request | None = None, **built: str) -> dg.Failure:
    with pytest.raises(dg.Failure) as refused:
        require_same_request(context, load_settings("local", environ={}), inputs, own, built)
    assert not refused.value.allow_retries
    assert get_code(refused.value) == "assets.different-requests"
    return refused.value


def test_a_mixture_is_refused_with_both_values_and_the_assets_to_materialize(context: Any) -> None:
    settings, name = load_settings("local", environ={}), "linear_regression"
    parts = {
        "diagnostics": stored("a", lane_request(settings, name, regParam=0.5), day=5),
        "temporal": stored("b", lane_request(settings, name, regParam=0.1), day=6),
    }
    values = get_values(refusal(context, parts, diagnostics="model"))
    assert values["differences"] == {
        "models.linear_regression.hyperparameters.regParam": "0.5 in diagnostics; 0.1 in temporal"
    }
    assert (values["again"], values["command"]) == (["model", "diagnostics"], f"traffic-assets train {WEEK}")
    parts["diagnostics"] = stored("a", lane_request(settings, name, regParam=0.5), day=7)
    assert get_values(refusal(context, parts))["again"] == ["temporal"], "the older one"


def test_an_input_that_differs_from_the_settings_is_to_be_materialized_again(context: Any) -> None:
    one, two = (load_settings("local", {"training": {"seed": seed}}, environ={}) for seed in (1, 2))
    values = get_values(
        refusal(context, {"train_split": stored("a", request_shared(one, SPLIT))}, request_shared(two, SPLIT))
    )
    assert values["differences"] == {"training.seed": f"1 in train_split; 2 in {SETTINGS}"}
    assert values["again"] == ["train_split"]


def test_what_an_earlier_version_did_not_record_is_not_compared_with_one_warning(
    context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings("local", environ={})
    own = request_shared(settings, *SHARED)
    partial = {SPLIT: {path: value for path, value in own[SPLIT].items() if path != "training.seed"}}
    assert require_same_request(context, settings, {"whole": stored("a", own)}, own) == own
    assert caplog.records == []
    inputs = {"old": stored("b", None), "partial": stored("c", partial), "whole": stored("d", own)}
    assert require_same_request(context, settings, inputs, own) == own
    (text,) = [record.msg for record in caplog.records]
    assert isinstance(text, CodedText)
    assert text.code == "assets.unrecorded-settings"
    assert text.values["inputs"] == {"old": "all settings", "partial": "training.seed"}


def documents(chosen: float, later: float, tuned: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the documents of diagnostics and temporal holdout, with the regParam of each."""
    diagnosed = {"cross_validation": {"hyperparameters": {"regParam": chosen}}}
    return diagnosed, {"hyperparameters": {"regParam": later}, "search": {} if tuned else None}


def test_the_hyperparameters_in_documents_of_an_earlier_version_are_compared(
    context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lane, settings = Lane("linear_regression"), load_settings("local", environ={})
    parts = {lane.diagnostics: stored("a", None, day=5), lane.temporal_verdict: stored("b", None, day=6)}
    with pytest.raises(dg.Failure) as refused:
        require_same_request(context, settings, parts, inferred=infer_requests(lane, *documents(0.5, 0.1)))
    (line,) = get_values(refused.value)["differences"].values()
    assert line == "0.5 in linear_regression_diagnostics; 0.1 in linear_regression_temporal_verdict"
    require_same_request(context, settings, parts, inferred=infer_requests(lane, *documents(0.5, 0.5)))
    require_same_request(context, settings, parts, inferred=infer_requests(lane, *documents(0.5, 0.1, tuned=True)))
    assert len(caplog.records) == 2, "one warning each, because other settings are not known"

    tuned = lane_request(settings, lane.model_name, True, regParam=0.1)
    parts[lane.diagnostics] = stored("a", tuned, day=7)
    with pytest.raises(dg.Failure) as refused:
        require_same_request(context, settings, parts, inferred=infer_requests(lane, *documents(0.5, 0.1)))
    assert list(get_values(refused.value)["differences"]) == ["models.linear_regression.tune"]


def test_the_settings_of_stored_results_are_restored() -> None:
    changes = {"training": {"split": {"kind": "temporal"}, "preprocessing": {"create": ["flow_rate^2"]}, "seed": 7}}
    settings, other = (load_settings("local", change, environ={}) for change in (changes, {}))
    request = json.loads(json.dumps(request_shared(settings, *SHARED)))
    assert restore_training(other, request) == settings.training
    assert restore_training(other, {}) == other.training
    request[SPLIT]["training.from_another_version"] = 1
    assert restore_training(other, request) == settings.training


def test_a_test_error_of_one_request_and_a_temporal_holdout_of_another_are_not_registered(
    retrainable: Deployment,
) -> None:
    lane, defs = Lane("linear_regression"), build_defs(retrainable.settings)
    registered = get_registry(retrainable.hdfs).versions(lane.id)
    config = {"ops": {lane.cv_report: {"config": {"regParam": 0.5}}}}
    fits = [lane.cv_report, lane.model, lane.diagnostics]
    again = run_train(defs, retrainable.instance, WEEK, only=fits, config=config)
    assert again.success, failures(again)

    mixed = run_train(defs, retrainable.instance, WEEK, only=[lane.evaluation, lane.registry_entry])
    assert failure_codes(mixed) == {lane.evaluation: "assets.different-requests"}
    values = get_failure_values(mixed)[lane.evaluation]
    setting = "models.linear_regression.hyperparameters.regParam"
    assert values["differences"] == {setting: f"0.5 in {lane.diagnostics}; 0.01 in {lane.temporal_verdict}"}
    assert values["again"] == [lane.temporal_verdict]
    assert get_registry(retrainable.hdfs).versions(lane.id) == registered

    compared = run_train(defs, retrainable.instance, WEEK, only=["model_comparison", "training_report"])
    assert failure_codes(compared) == {"model_comparison": "assets.different-requests"}

    rest = [lane.temporal_verdict, lane.evaluation, lane.registry_entry, "model_comparison", "training_report"]
    whole_again = run_train(defs, retrainable.instance, WEEK, only=rest)
    assert whole_again.success, failures(whole_again)
    assert len(get_registry(retrainable.hdfs).versions(lane.id)) == len(registered) + 1
