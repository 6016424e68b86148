"""A target goes by our name, by those that are known, and by those of `data.aliases`, wherever these stand."""

import json
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.target import our_target
from traffic_assets_tests.settings.test_validation import mistakes, write

NAMED = {"volume_5min": "flow", "v_mean": "speed", "volume": "occupancy"}
ALIASES: dict[str, Any] = {"aliases": NAMED}
LIMITS = {"random_forest": {"r2_min": 0.5}}


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("flow", "flow"), ("traffic_volume", "flow"), ("avg_speed", "speed"), ("volume_5min", "flow"),
        ("volume", "volume"),  # which the aliases say to be something else here
        ("occ", "occ"),  # no target, so that a message shows what was given
        ("Flow", "Flow"), (3, 3), (["flow"], ["flow"]),
    ],
)  # fmt: skip
def test_what_a_name_means(given: Any, ours: Any) -> None:
    assert our_target(given, NAMED) == ours


def test_our_own_name_stands_for_itself() -> None:
    assert our_target("speed", {"speed": "flow"}) == "speed"


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
def test_aliases_may_stand_in_another_file_than_the_names(tmp_path: Path, names: dict[str, Any], order: int) -> None:
    top, base = [{"data": ALIASES}, names][::order]
    write(tmp_path / "base.json", base)
    found = load_settings(write(tmp_path / "top.json", {"extends": "base.json", **top}), environ={})
    assert found.training.targets == ["flow", "speed"]
    assert found.get_thresholds("flow", "random_forest").r2_min == 0.5


def test_aliases_of_the_environment_and_names_there_count_too() -> None:
    environ = {
        "TRAFFIC_DATA__ALIASES__volume_5min": "flow",
        "TRAFFIC_TRAINING__TARGETS": '["speed", "volume_5min"]',
        "TRAFFIC_EVALUATION__OTHER_TARGETS__volume_5min__random_forest__r2_min": "0.5",
    }
    found = load_settings("local", environ=environ)
    assert found.training.targets == ["speed", "flow"]
    assert found.get_thresholds("flow", "random_forest").r2_min == 0.5
    assert Settings.model_validate(json.loads(found.model_dump_json())) == found


def test_two_names_of_one_target_are_refused_with_what_they_mean(tmp_path: Path) -> None:
    assert mistakes(training={"targets": ["flow", "volume_5min"]}, data=ALIASES) == [
        "training.targets: given ['flow', 'volume_5min']; the same target twice, since these mean flow, flow; give "
        "each once"
    ]
    columns = write(tmp_path / "columns.json", {"data": {"target_columns": ["traffic_volume", "volume_5min"]}})
    (line,) = mistakes(columns, data=ALIASES)
    assert line.startswith("data.target_columns: given ['traffic_volume', 'volume_5min']; the same target twice")
    assert mistakes(evaluation={"other_thresholds": {"flow": LIMITS, "traffic_volume": {}}}) == [
        "evaluation.other_thresholds: the same target twice, since flow, traffic_volume mean flow; give each under "
        "one name, in every file and in the environment"
    ]


def test_a_name_that_means_no_target_is_refused_as_it_was_given() -> None:
    found = mistakes(
        training={"targets": ["occ", "volume"]},
        evaluation={"other_thresholds": {"occ": LIMITS}, "top": 1},
        data=ALIASES,
    )
    assert sorted(line.split("; ")[0] for line in found) == [
        "evaluation.other_thresholds.occ: given 'occ'",
        "evaluation.top: not a setting",
        "training.targets.0: given 'occ'",
        "training.targets.1: given 'volume'",
    ]
    (line,) = mistakes(evaluation={"other_thresholds": {"volume_5min": {"random_forest": {"r2": 1}}}}, data=ALIASES)
    assert line.startswith("evaluation.other_thresholds.volume_5min.random_forest.r2: not a setting")
    (line,) = mistakes(evaluation={"other_thresholds": {"avg_speed": LIMITS}})
    assert line.endswith("the limits of speed belong to evaluation.thresholds")


@pytest.mark.parametrize("aliases", ["flow", ["flow"], {"v": 3}, {"v": ["flow"]}])
def test_aliases_that_are_none_hide_no_other_mistake(aliases: Any) -> None:
    found = mistakes(data={"aliases": aliases}, training={"targets": ["v"]})
    assert {line.split(":")[0].split(".")[0] for line in found} == {"data", "training"}
