"""Keys that were renamed: old files, environments and objects keep working, and nothing is given twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings import Settings, SettingsError, load_settings
from traffic_assets.settings.evaluation import EvaluationSettings

LIMIT = {"random_forest": {"r2_min": 0.5}}


def _write(path: Path, evaluation: dict[str, Any], **more: Any) -> str:
    path.write_text(json.dumps({"evaluation": evaluation, **more}))
    return str(path)


def _mistakes(*given: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(*given)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def _limits(settings: Settings, target: Any = "speed") -> dict[str, float]:
    return settings.get_thresholds(target, "random_forest").model_dump(exclude_none=True)


@pytest.mark.parametrize("key", ["targets", "thresholds"])
def test_thresholds_are_read_under_the_old_and_the_current_key(tmp_path: Path, key: str) -> None:
    path = _write(tmp_path / "mine.json", {key: LIMIT, f"other_{key}": {"flow": LIMIT}})
    for found in (
        load_settings(path, environ={}),
        load_settings("local", json.loads(Path(path).read_text()), {}),
        load_settings("local", environ={f"TRAFFIC_EVALUATION__{key.upper()}__RANDOM_FOREST__R2_MIN": "0.5"}),
        load_settings("local", environ={f"TRAFFIC_EVALUATION__{key.upper()}": json.dumps(LIMIT)}),
        Settings.model_validate({"evaluation": {key: LIMIT}}),
    ):
        assert _limits(found) == {"r2_min": 0.5}
        assert "targets" not in found.model_dump()["evaluation"]
    assert _limits(load_settings(path, environ={}), "flow") == {"r2_min": 0.5}


def test_layers_under_different_keys_are_one_section(tmp_path: Path) -> None:
    _write(tmp_path / "base.json", {"targets": {"random_forest": {"r2_min": 0.5, "rmse_max": 4}}})
    top = _write(tmp_path / "top.json", {"thresholds": {"random_forest": {"rmse_max": 3}}}, extends="base.json")
    assert _limits(load_settings(top, environ={})) == {"r2_min": 0.5, "rmse_max": 3}
    environ = {"TRAFFIC_EVALUATION__TARGETS__RANDOM_FOREST__MAE_MAX": "2"}
    assert _limits(load_settings(top, environ=environ)) == {"r2_min": 0.5, "rmse_max": 3, "mae_max": 2}


def test_both_keys_in_one_layer_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "mine.json", {"targets": LIMIT, "thresholds": {}})
    assert _mistakes(path, None, {}) == [
        "evaluation.targets: the old name of evaluation.thresholds, and both are given. "
        "Expected one. Fix: move its values to evaluation.thresholds"
    ]
    old, new = (f"TRAFFIC_EVALUATION__{key}__SVR__R2_MIN" for key in ("TARGETS", "THRESHOLDS"))
    (line,) = _mistakes("local", None, {old: "0.5", new: "0.5"})
    assert line == f"{old}: the old name of {new}, and both are given. Expected one. Fix: move its values to {new}"
    with pytest.raises(ValidationError, match="other_targets: the old name of other_thresholds"):
        EvaluationSettings.model_validate({"other_targets": {}, "other_thresholds": {}})


def test_a_mistake_is_reported_under_the_key_that_was_given(tmp_path: Path) -> None:
    wrong = {"random_forest": {"r2_minimum": 1, "rmse_max": -1}}
    found = _mistakes(_write(tmp_path / "mine.json", {"targets": wrong}), None, {})
    assert [line.split("; ")[0] for line in found] == [
        "evaluation.targets.random_forest.rmse_max: given -1",
        "evaluation.targets.random_forest.r2_minimum: not a setting (did you mean r2_min?)",
    ]
    name = "TRAFFIC_EVALUATION__TARGETS__RANDOM_FOREST__RMSE_MAX"
    (line,) = _mistakes("local", None, {name: "-1"})
    assert line.startswith(f"{name}: given -1")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("target", "thresholds"),
        ("tagrets", "thresholds"),
        ("treshold", "thresholds"),
        ("other_target", "other_thresholds"),
    ],
)
def test_a_key_that_is_spelled_like_an_old_one_gets_the_current_one_as_hint(
    tmp_path: Path, given: str, hint: str
) -> None:
    (line,) = _mistakes(_write(tmp_path / "mine.json", {given: LIMIT}), None, {})
    assert line.startswith(f"evaluation.{given}: not a setting (did you mean {hint}?); allowed here: primary_metric, ")
    assert "targets" not in line.split("allowed here")[1]
    (line,) = _mistakes("local", None, {f"TRAFFIC_EVALUATION__{given.upper()}__SVR__R2_MIN": "0.5"})
    assert f"no such setting (did you mean {hint.upper()}?); below TRAFFIC_EVALUATION" in line


def test_old_attributes_can_be_read_with_a_warning() -> None:
    settings = load_settings("local", {"evaluation": {"other_thresholds": {"flow": LIMIT}}}, {})
    with pytest.warns(DeprecationWarning, match=r"EvaluationSettings\.targets is now EvaluationSettings\.thresholds"):
        assert settings.evaluation.targets is settings.evaluation.thresholds
    with pytest.warns(DeprecationWarning, match="other_thresholds"):
        assert settings.evaluation.other_targets is settings.evaluation.other_thresholds
    with pytest.warns(DeprecationWarning, match=r"Settings\.targets_of is now Settings\.get_thresholds"):
        assert settings.targets_of("flow", "random_forest") == settings.get_thresholds("flow", "random_forest")
