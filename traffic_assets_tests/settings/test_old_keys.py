"""Renamed keys: old files, environments and objects keep working, and both names together are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.evaluation import EvaluationSettings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets_tests.codes import get_values
from traffic_assets_tests.settings.problems import problem, problems, texts, write

LIMIT = {"random_forest": {"r2_min": 0.5}}


def _write(path: Path, evaluation: dict[str, Any], **more: Any) -> str:
    return write(path, {"evaluation": evaluation, **more})


def _limits(settings: Settings, target: Any = "speed") -> dict[str, float]:
    return settings.get_thresholds(target, "random_forest").model_dump(exclude_none=True)


@pytest.mark.parametrize("key", ["targets", "thresholds"])
def test_thresholds_are_read_under_the_old_and_the_current_key(tmp_path: Path, key: str) -> None:
    path = _write(tmp_path / "mine.json", {key: LIMIT, f"other_{key}": {"flow": LIMIT}})
    for result in (
        load_settings(path, environ={}),
        load_settings("local", json.loads(Path(path).read_text()), {}),
        load_settings("local", environ={f"TRAFFIC_EVALUATION__{key.upper()}__RANDOM_FOREST__R2_MIN": "0.5"}),
        load_settings("local", environ={f"TRAFFIC_EVALUATION__{key.upper()}": json.dumps(LIMIT)}),
        Settings.model_validate({"evaluation": {key: LIMIT}}),
    ):
        assert _limits(result) == {"r2_min": 0.5}
        assert "targets" not in result.model_dump()["evaluation"]
    assert _limits(load_settings(path, environ={}), "flow") == {"r2_min": 0.5}


def test_layers_under_different_keys_are_one_section(tmp_path: Path) -> None:
    _write(tmp_path / "base.json", {"targets": {"random_forest": {"r2_min": 0.5, "rmse_max": 4}}})
    top = _write(tmp_path / "top.json", {"thresholds": {"random_forest": {"rmse_max": 3}}}, extends="base.json")
    assert _limits(load_settings(top, environ={})) == {"r2_min": 0.5, "rmse_max": 3}
    environ = {"TRAFFIC_EVALUATION__TARGETS__RANDOM_FOREST__MAE_MAX": "2"}
    assert _limits(load_settings(top, environ=environ)) == {"r2_min": 0.5, "rmse_max": 3, "mae_max": 2}


def test_both_keys_in_one_layer_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "mine.json", {"targets": LIMIT, "thresholds": {}})
    text = problem(path)
    assert text.code == "settings.both-names"
    names = {"old": "evaluation.targets", "new": "evaluation.thresholds"}
    assert text.values == {"path": "evaluation.targets", **names}
    old, new = (f"TRAFFIC_EVALUATION__{key}__SVR__R2_MIN" for key in ("TARGETS", "THRESHOLDS"))
    assert problem("local", {old: "0.5", new: "0.5"}).values == {"path": old, "old": old, "new": new}
    with pytest.raises(ValidationError) as caught:
        EvaluationSettings.model_validate({"other_targets": {}, "other_thresholds": {}})
    (text,) = texts(caught.value)
    assert (text.code, text.values) == ("settings.both-names", {"old": "other_targets", "new": "other_thresholds"})


def test_an_error_is_reported_under_the_key_that_was_used(tmp_path: Path) -> None:
    wrong = {"random_forest": {"r2_minimum": 1, "rmse_max": -1}}
    out_of_range, misspelled = problems(_write(tmp_path / "mine.json", {"targets": wrong}))
    assert out_of_range.values["path"] == "evaluation.targets.random_forest.rmse_max"
    assert out_of_range.values["given"] == -1
    assert misspelled.values["path"] == "evaluation.targets.random_forest.r2_minimum"
    assert misspelled.values["suggestion"] == "r2_min"
    name = "TRAFFIC_EVALUATION__TARGETS__RANDOM_FOREST__RMSE_MAX"
    text = problem("local", {name: "-1"})
    assert (text.values["path"], text.values["given"]) == (name, -1)


@pytest.mark.parametrize(
    ("misspelled", "suggestion"),
    [
        ("target", "thresholds"),
        ("tagrets", "thresholds"),
        ("treshold", "thresholds"),
        ("other_target", "other_thresholds"),
    ],
)
def test_a_misspelled_old_key_gets_the_current_one_as_suggestion(
    tmp_path: Path, misspelled: str, suggestion: str
) -> None:
    text = problem(_write(tmp_path / "mine.json", {misspelled: LIMIT}))
    assert text.code == "settings.misspelled-key"
    assert (text.values["path"], text.values["suggestion"]) == (f"evaluation.{misspelled}", suggestion)
    assert text.values["allowed"] == list(EvaluationSettings.model_fields)
    text = problem("local", {f"TRAFFIC_EVALUATION__{misspelled.upper()}__SVR__R2_MIN": "0.5"})
    assert text.code == "settings.misspelled-variable"
    assert text.values["suggestion"] == f"TRAFFIC_EVALUATION__{suggestion.upper()}"


def test_old_attributes_can_be_read_with_a_warning() -> None:
    settings = load_settings("local", {"evaluation": {"other_thresholds": {"flow": LIMIT}}}, {})
    with pytest.warns(DeprecationWarning) as warned:
        assert settings.evaluation.targets is settings.evaluation.thresholds
        assert settings.evaluation.other_targets is settings.evaluation.other_thresholds
        assert settings.targets_of("flow", "random_forest") == settings.get_thresholds("flow", "random_forest")
    values = [get_values(warning.message) for warning in warned if isinstance(warning.message, Warning)]
    assert values == [
        {"old": "EvaluationSettings.targets", "new": "EvaluationSettings.thresholds"},
        {"old": "EvaluationSettings.other_targets", "new": "EvaluationSettings.other_thresholds"},
        {"old": "Settings.targets_of", "new": "Settings.get_thresholds"},
    ]


def test_a_copy_takes_old_names_with_a_warning() -> None:
    evaluation = EvaluationSettings()
    strict = evaluation.thresholds.model_copy(update={"random_forest": GateThresholds(r2_min=0.99)})
    with pytest.warns(DeprecationWarning) as warned:
        copy = evaluation.model_copy(update={"targets": strict})
    assert copy.thresholds.random_forest.r2_min == 0.99
    assert [get_values(warning.message) for warning in warned if isinstance(warning.message, Warning)] == [
        {"old": "EvaluationSettings.targets", "new": "EvaluationSettings.thresholds"}
    ]
