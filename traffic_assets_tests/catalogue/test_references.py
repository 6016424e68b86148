"""Columns that the settings name: each one that does not exist is a mistake of the settings."""

import pytest

from traffic_assets.settings import load_settings
from traffic_assets_tests.settings.problems import problem, problems


@pytest.mark.parametrize(
    ("alias", "column", "code"),
    [
        ("Fluss", "fluss", "settings.unknown-alias"),
        ("v", "spede", "settings.misspelled-alias"),
        ("speed", "velocity", "settings.reversed-alias"),
        ("lag", "hour_sin", "settings.unknown-alias"),
    ],
)
def test_an_alias_of_an_unknown_column_is_refused_by_name(alias: str, column: str, code: str) -> None:
    text = problem("local", data={"aliases": {alias: column, "q": "flow"}})
    assert text.code == code
    assert (text.values["path"], text.values["column"]) == (f"data.aliases.{alias}", column)


def test_features_of_a_ready_made_table_can_have_aliases() -> None:
    data = {"kind": "features", "aliases": {"lag": "speed_lag_1", "v": "speed", "Id": "sensor_id"}}
    assert load_settings("local", {"data": data}, {}).data.aliases == data["aliases"]


def test_unknown_names_are_listed_at_once() -> None:
    reported = problems(
        "local", data={"aliases": {"x": "y"}}, training={"features": ["hour_sine"], "exclude_features": ["z"]}
    )
    assert [text.code for text in reported] == ["settings.unknown-alias", "features.unknown", "features.unknown"]
