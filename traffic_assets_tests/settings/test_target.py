"""Names of a target: its own, common aliases, and those of `data.aliases` in any layer."""

import json
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.target import resolve_target
from traffic_assets_tests.settings.problems import paths, problem, problems, write

NAMED = {"volume_5min": "flow", "v_mean": "speed", "volume": "occupancy"}
ALIASES: dict[str, Any] = {"aliases": NAMED}
LIMITS = {"random_forest": {"r2_min": 0.5}}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("flow", "flow"), ("traffic_volume", "flow"), ("avg_speed", "speed"), ("volume_5min", "flow"),
        ("volume", "volume"),  # the aliases give it another meaning here
        ("occ", "occ"),  # not a target: messages show the name unchanged
        ("Flow", "Flow"), (3, 3), (["flow"], ["flow"]),
    ],
)  # fmt: skip
def test_a_name_is_resolved_to_its_target(name: Any, target: Any) -> None:
    assert resolve_target(name, NAMED) == target


def test_the_name_of_a_target_always_refers_to_it() -> None:
    assert resolve_target("speed", {"speed": "flow"}) == "speed"


@pytest.mark.parametrize("order", [1, -1], ids=["aliases over names", "names over aliases"])
@pytest.mark.parametrize(
    "names",
    [
        {
            "training": {"targets": ["volume_5min", "v_mean"]},
            "evaluation": {"other_thresholds": {"volume_5min": LIMITS}},
        },
        {
            "training": {"targets": ["flow", "avg_speed"]},
            "evaluation": {"other_thresholds": {"traffic_volume": LIMITS}},
        },
        {"data": {"target_columns": ["volume_5min", "v_mean"]}, "evaluation": {"other_thresholds": {"flow": LIMITS}}},
    ],
)
def test_aliases_can_be_in_another_file_than_the_names(tmp_path: Path, names: dict[str, Any], order: int) -> None:
    top, base = [{"data": ALIASES}, names][::order]
    write(tmp_path / "base.json", base)
    settings = load_settings(write(tmp_path / "top.json", {"extends": "base.json", **top}), environ={})
    assert settings.training.targets == ["flow", "speed"]
    assert settings.get_thresholds("flow", "random_forest").r2_min == 0.5


def test_aliases_of_the_environment_and_names_there_count_too() -> None:
    environ = {
        "TRAFFIC_DATA__ALIASES__volume_5min": "flow",
        "TRAFFIC_TRAINING__TARGETS": '["speed", "volume_5min"]',
        "TRAFFIC_EVALUATION__OTHER_TARGETS__volume_5min__random_forest__r2_min": "0.5",
    }
    settings = load_settings("local", environ=environ)
    assert settings.training.targets == ["speed", "flow"]
    assert settings.get_thresholds("flow", "random_forest").r2_min == 0.5
    assert Settings.model_validate(json.loads(settings.model_dump_json())) == settings


def test_two_names_of_one_target_are_refused_with_the_target(tmp_path: Path) -> None:
    text = problem("local", training={"targets": ["flow", "volume_5min"]}, data=ALIASES)
    assert text.code == "settings.duplicate-targets"
    assert text.values == {
        "path": "training.targets",
        "given": ["flow", "volume_5min"],
        "targets": ["flow", "flow"],
    }
    columns = write(tmp_path / "columns.json", {"data": {"target_columns": ["traffic_volume", "volume_5min"]}})
    text = problem(columns, data=ALIASES)
    assert text.code == "settings.duplicate-targets"
    assert text.values["path"] == "data.target_columns"
    assert text.values["given"] == ["traffic_volume", "volume_5min"]
    text = problem("local", evaluation={"other_thresholds": {"flow": LIMITS, "traffic_volume": {}}})
    assert text.code == "settings.duplicate-target-thresholds"
    assert text.values == {
        "path": "evaluation.other_thresholds",
        "given": ["flow", "traffic_volume"],
        "targets": ["flow"],
    }


def test_a_name_without_a_target_is_refused_unchanged() -> None:
    reported = problems(
        "local",
        training={"targets": ["occ", "volume"]},
        evaluation={"other_thresholds": {"occ": LIMITS}, "top": 1},
        data=ALIASES,
    )
    assert sorted((text.values["path"], text.values.get("given")) for text in reported) == [
        ("evaluation.other_thresholds.occ", "occ"),
        ("evaluation.top", None),
        ("training.targets.0", "occ"),
        ("training.targets.1", "volume"),
    ]
    wrong = {"other_thresholds": {"volume_5min": {"random_forest": {"r2": 1}}}}
    text = problem("local", evaluation=wrong, data=ALIASES)
    assert text.code == "settings.unknown-key"
    assert text.values["path"] == "evaluation.other_thresholds.volume_5min.random_forest.r2"
    text = problem("local", evaluation={"other_thresholds": {"avg_speed": LIMITS}})
    assert (text.code, text.values["target"]) == ("settings.misplaced-thresholds", "speed")


@pytest.mark.parametrize("aliases", ["flow", ["flow"], {"v": 3}, {"v": ["flow"]}])
def test_invalid_aliases_hide_no_other_error(aliases: Any) -> None:
    reported = problems("local", data={"aliases": aliases}, training={"targets": ["v"]})
    assert {path.split(".")[0] for path in paths(reported)} == {"data", "training"}
