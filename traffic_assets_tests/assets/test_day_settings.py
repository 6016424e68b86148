"""Comparison of days with each other and with the current settings, without Spark."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.assets.day_settings import (
    compare_days,
    current_fingerprint,
    days_to_rebuild,
    different_layouts,
    find_outdated,
    rebuild_commands,
    used_columns,
)
from traffic_assets.catalogue.fingerprint import (
    Fingerprint,
    features_fingerprint,
    readings_fingerprint,
    ready_made_fingerprint,
    sensors_fingerprint,
    without_repeated,
)
from traffic_assets.catalogue.lookup import column_versions
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.tiny import DAYS, tiny_settings

CENTER = (32.7, -117.1)


def generation(day: str, published: int = 5, **record: Any) -> Generation:
    at = datetime(2026, 1, published, tzinfo=UTC)
    return Generation(f"g-{day}", day, f"file:///x/{day}", at, "run", {"rows": 9, **record})


def built_with(
    data: DataSettings, versions: Mapping[str, int] | None = None, detected_format: str = "csv"
) -> Fingerprint:
    readings, sensors = readings_fingerprint(data, detected_format), sensors_fingerprint(data, detected_format, CENTER)
    return features_fingerprint(data, column_versions() | dict(versions or {}), readings, sensors)


def day(key: str, fingerprint: Fingerprint, **record: Any) -> Generation:
    return generation(key, fingerprint=fingerprint.to_json(), **record)


def test_days_that_were_built_alike_do_not_differ(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    comparison = compare_days({key: day(key, built_with(settings.data)) for key in DAYS}, settings)
    assert (comparison.mixed, comparison.warnings) == (None, [])


def test_days_of_different_settings_are_named_with_the_command_that_rebuilds_them(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"free_flow_speed": 40, "rush_hours": [[6, 9]]}})
    old = built_with(DataSettings(rush_hours=[(6, 9)]))
    days = {DAYS[0]: day(DAYS[0], old), DAYS[1]: day(DAYS[1], old), DAYS[2]: day(DAYS[2], built_with(settings.data))}
    mixed = compare_days(days, settings).mixed
    assert mixed is not None
    assert mixed.code == "assets.mixed-settings"
    assert mixed.values["differences"] == {
        "data.free_flow_speed": "65.0 on 2026-01-05 to 2026-01-06; 40.0 on 2026-01-07"
    }
    assert mixed.values["commands"] == ["traffic-assets features 2026-01-05 2026-01-06"]
    assert "training.mixed_settings" in mixed


def test_a_column_that_a_lane_uses_must_have_the_same_version(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    raised, current = built_with(settings.data, {"flow_rate": 0}), built_with(settings.data)
    days = {DAYS[0]: day(DAYS[0], raised), DAYS[1]: day(DAYS[1], current)}
    mixed = compare_days(days, settings).mixed
    assert mixed is not None
    assert mixed.values["differences"] == {"content version of flow_rate": f"0 on {DAYS[0]}; 1 on {DAYS[1]}"}
    assert mixed.values["commands"] == [f"traffic-assets features {DAYS[0]} {DAYS[0]}"]
    without = tiny_settings(tmp_path, {"training": {"exclude_features": ["flow_rate"]}})
    assert compare_days(days, without).mixed is None


def test_a_day_without_a_column_that_others_have_differs(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    full = built_with(settings.data)
    versions = {name: version for name, version in full.versions.items() if name != "speed_lag_3"}
    days = {DAYS[0]: day(DAYS[0], full), DAYS[1]: day(DAYS[1], Fingerprint(full.reading, full.feature, versions))}
    mixed = compare_days(days, settings).mixed
    assert mixed is not None
    assert list(mixed.values["differences"]) == ["content version of speed_lag_3"]
    assert mixed.values["commands"] == [f"traffic-assets features {DAYS[1]} {DAYS[1]}"]


def test_days_of_earlier_code_are_accepted_with_one_warning_that_names_them(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    days = {
        DAYS[0]: generation(DAYS[0]),
        DAYS[1]: day(DAYS[1], built_with(settings.data)),
        DAYS[2]: generation(DAYS[2]),
    }
    comparison = compare_days(days, settings)
    assert comparison.mixed is None
    (warning,) = comparison.warnings
    assert warning.code == "assets.settings-not-recorded"
    assert warning.values["days"] == [DAYS[0], DAYS[2]]


def test_a_detected_format_agrees_with_itself_and_with_its_name(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    written = built_with(DataSettings(format="csv"))
    detected = {DAYS[0]: day(DAYS[0], built_with(settings.data)), DAYS[1]: day(DAYS[1], written)}
    assert compare_days(detected, settings).mixed is None
    changed = detected | {DAYS[2]: day(DAYS[2], built_with(settings.data, detected_format="parquet"))}
    mixed = compare_days(changed, settings).mixed
    assert mixed is not None, "one day is configured as CSV, another was detected as Parquet"
    assert list(mixed.values["differences"]) == ["data.format"]


def test_files_from_other_places_warn(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    made = built_with(settings.data)
    days = {key: day(key, made, source=place) for key, place in zip(DAYS, ("raw/a", "raw/a", "raw/b"), strict=True)}
    comparison = compare_days(days, settings)
    assert comparison.mixed is None
    (warning,) = comparison.warnings
    assert warning.code == "assets.sources-differ"
    assert warning.values["places"] == {
        "data.source raw/a": "2026-01-05 to 2026-01-06",
        "data.source raw/b": "2026-01-07",
    }


def test_days_of_different_sensor_tables_are_reported_by_name(tmp_path: Path) -> None:
    days = {
        DAYS[0]: generation(DAYS[0], published=9, geometry="new"),
        DAYS[1]: generation(DAYS[1], published=7, geometry="old"),
        DAYS[2]: generation(DAYS[2], published=8, geometry="old"),
    }
    warning = different_layouts(days, tiny_settings(tmp_path))
    assert warning is not None
    assert warning.code == "assets.layouts-differ"
    assert warning.values == {
        "layouts": f"new: {DAYS[0]}; old: {DAYS[1]}, {DAYS[2]}",
        "newest": "new",
        "older": [DAYS[1], DAYS[2]],
        "commands": [f"traffic-assets features {DAYS[1]} {DAYS[2]}"],
    }


def test_days_with_one_sensor_table_or_none_are_comparable(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    same = {DAYS[0]: generation(DAYS[0], geometry="a"), DAYS[1]: generation(DAYS[1], geometry="a")}
    assert different_layouts(same, settings) is None
    one = {DAYS[0]: generation(DAYS[0], geometry="a"), DAYS[1]: generation(DAYS[1])}
    assert different_layouts(one, settings) is None


def test_outdated_partitions_are_found_with_the_settings_that_differ(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"speed_unit": "km/h"}})
    generations = {
        DAYS[0]: day(DAYS[0], built_with(DataSettings())),
        DAYS[1]: day(DAYS[1], built_with(settings.data)),
        DAYS[2]: generation(DAYS[2]),
    }
    outdated, unknown = find_outdated(generations, current_fingerprint("feature_table", settings))
    assert {day: without_repeated(differences) for day, differences in outdated.items()} == {
        DAYS[0]: {"data.speed_unit": ("mph", "km/h")}
    }
    assert unknown == [DAYS[2]]


def test_a_day_whose_day_before_was_read_otherwise_is_rebuilt_with_it(tmp_path: Path) -> None:
    """The unit was corrected, and only the last day was built again: its first lags are in the old unit."""
    settings = tiny_settings(tmp_path, {"data": {"speed_unit": "km/h"}})
    read, sensors = readings_fingerprint(settings.data, "csv"), sensors_fingerprint(settings.data, "csv", CENTER)
    old = readings_fingerprint(DataSettings(), "csv")
    rebuilt = features_fingerprint(settings.data, column_versions(), read, sensors, old)
    days = {DAYS[1]: day(DAYS[1], rebuilt)}
    mixed = compare_days(days, settings).mixed
    assert mixed is not None
    assert mixed.values["differences"] == {
        "data.speed_unit": f'"km/h" on {DAYS[1]}, {DAYS[1]} (the sensor table); "mph" on {DAYS[1]} (the day before)'
    }
    assert mixed.values["commands"] == [f"traffic-assets features {DAYS[0]} {DAYS[1]}"]
    outdated, _ = find_outdated(days, current_fingerprint("feature_table", settings))
    assert days_to_rebuild(outdated) == DAYS[:2]


def test_a_day_that_was_rebuilt_from_readings_of_earlier_code_is_accepted(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    sensors = sensors_fingerprint(settings.data, "csv", CENTER)
    partly = features_fingerprint(settings.data, column_versions(), Fingerprint(), sensors, Fingerprint())
    days = {DAYS[0]: day(DAYS[0], partly), DAYS[1]: day(DAYS[1], built_with(settings.data))}
    comparison = compare_days(days, settings)
    assert comparison.mixed is None
    (warning,) = comparison.warnings
    assert warning.values["days"] == [DAYS[0]]


def test_a_ready_made_day_without_a_column_names_the_day_and_the_column(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"kind": "features"}})
    columns = [name for name in column_versions() if name != "sensor_readings"]
    full = ready_made_fingerprint(settings.data, columns, "csv")
    lacking = ready_made_fingerprint(settings.data, [name for name in columns if name != "flow_rate"], "csv")
    mixed = compare_days({DAYS[0]: day(DAYS[0], full), DAYS[1]: day(DAYS[1], lacking)}, settings).mixed
    assert mixed is not None
    assert mixed.code == "assets.mixed-columns"
    assert mixed.values["differences"] == {"content version of flow_rate": f"1 on {DAYS[0]}; absent on {DAYS[1]}"}
    assert mixed.values["commands"] == [f"traffic-assets features {DAYS[1]} {DAYS[1]}"]


@pytest.mark.parametrize(
    ("asset", "outdated"), [("sensor_table", False), ("sensor_readings", False), ("feature_table", True)]
)
def test_an_asset_is_outdated_by_its_own_settings_only(tmp_path: Path, asset: str, outdated: bool) -> None:
    before = current_fingerprint(asset, tiny_settings(tmp_path))
    after = current_fingerprint(asset, tiny_settings(tmp_path, {"data": {"free_flow_speed": 40}}))
    assert bool(find_outdated({"x": day("x", before)}, after)[0]) == outdated


def test_columns_that_no_lane_uses_are_not_compared(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"features": ["hour_sin"], "targets": ["speed"]}})
    assert used_columns(settings) == ["hour_sin", "speed", "sensor_readings"]


def test_each_range_of_consecutive_days_has_its_command(tmp_path: Path) -> None:
    assert rebuild_commands(["2026-02-01", "2026-01-05", "2026-01-31", "2026-01-06"], tiny_settings(tmp_path)) == [
        "traffic-assets features 2026-01-05 2026-01-06",
        "traffic-assets features 2026-01-31 2026-02-01",
    ]
