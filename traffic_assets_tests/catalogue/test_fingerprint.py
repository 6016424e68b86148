"""Fingerprints: resolved values, what counts as a difference, and that no data setting is forgotten."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.catalogue.fingerprint import (
    FINGERPRINT,
    Fingerprint,
    Part,
    features_fingerprint,
    readings_fingerprint,
    ready_made_fingerprint,
    recorded_fingerprint,
    sensors_fingerprint,
    without_repeated,
)
from traffic_assets.catalogue.lookup import column_versions
from traffic_assets.settings import Settings
from traffic_assets.settings.data import ALIASES, DataSettings
from traffic_assets.settings.section import Section
from traffic_assets_tests.data_changes import CHANGES, HARMLESS, OTHER_SECTIONS, SOURCES

DEFAULTS = DataSettings().model_dump(mode="json", exclude={"source", "sensors_source", "last_day"})


def of_features(data: DataSettings) -> Fingerprint:
    return features_fingerprint(data, column_versions())


def as_stored(data: DataSettings) -> Fingerprint:
    """Return the fingerprint of a day whose files and sensors were found so."""
    readings, sensors = readings_fingerprint(data, "parquet"), sensors_fingerprint(data, "parquet", (32.7, -117.1))
    return features_fingerprint(data, column_versions(), readings, sensors)


def with_changes(changes: Mapping[str, Any]) -> DataSettings:
    return DataSettings.model_validate(changes)


def test_a_fingerprint_survives_storage() -> None:
    made = features_fingerprint(
        DataSettings(center=(32.5, -117.1)),
        column_versions(),
        readings_fingerprint(DataSettings(), "csv"),
        sensors_fingerprint(DataSettings(), "csv", (32.5, -117.1)),
    )
    assert recorded_fingerprint(json.loads(json.dumps({FINGERPRINT: made.to_json()}))) == made
    assert recorded_fingerprint({"rows": 3}) is None


def test_a_default_that_is_written_out_changes_nothing() -> None:
    written = with_changes(DEFAULTS | {"aliases": {"occ": "occupancy"}})
    assert ALIASES["occ"] == "occupancy"
    for build in (of_features, readings_fingerprint, sensors_fingerprint, ready_made_fingerprint):
        assert build(written).to_json() == build(DataSettings()).to_json()
        assert build(written).code_version == build(DataSettings()).code_version


def test_a_detected_value_that_is_written_out_is_no_difference() -> None:
    detected = sensors_fingerprint(DataSettings(), "csv", (32.123456789, -117.2))
    written = sensors_fingerprint(DataSettings(format="csv", center=(32.123456789, -117.2)))
    assert detected.differences(written) == written.differences(detected) == {}
    elsewhere = sensors_fingerprint(DataSettings(format="csv", center=(32.1235, -117.2)))
    assert list(detected.differences(elsewhere)) == ["data.center"]


def test_values_that_were_detected_differ_as_data_do() -> None:
    first, second = (sensors_fingerprint(DataSettings(), f, (x, 0.0)) for f, x in (("csv", 1.0), ("parquet", 2.0)))
    assert first.differences(second) == {}


def test_what_one_of_two_does_not_record_is_not_compared() -> None:
    earlier = Fingerprint(Part({"speed_unit": "mph"}))
    assert earlier.differences(readings_fingerprint(DataSettings(time_zone="Asia/Tokyo"))) == {}
    assert list(earlier.differences(readings_fingerprint(DataSettings(speed_unit="km/h")))) == ["data.speed_unit"]


def test_features_have_the_settings_that_their_readings_were_read_with() -> None:
    misread = readings_fingerprint(DataSettings())
    corrected = DataSettings(speed_unit="km/h")
    made = features_fingerprint(corrected, column_versions(), misread, sensors_fingerprint(corrected))
    assert made.differences(of_features(corrected)) == {"data.speed_unit": ("mph", "km/h")}


def test_features_have_the_settings_of_their_sensor_table_and_of_the_day_before() -> None:
    own = DataSettings(free_flow_speed="per_sensor")
    corrected = own.model_copy(update={"speed_unit": "km/h"})
    read, table = readings_fingerprint(corrected), sensors_fingerprint(corrected)
    on_old_table = features_fingerprint(corrected, column_versions(), read, sensors_fingerprint(own), read)
    assert on_old_table.differences(of_features(corrected)) == {"data.speed_unit of the sensor table": ("mph", "km/h")}
    after_old_day = features_fingerprint(corrected, column_versions(), read, table, readings_fingerprint(own))
    assert after_old_day.differences(of_features(corrected)) == {"data.speed_unit of the day before": ("mph", "km/h")}
    first = features_fingerprint(corrected, column_versions(), read, table, Fingerprint())
    assert first.differences(of_features(corrected)) == {}, "nothing is known of the day before"


def test_a_format_that_is_written_out_does_not_change_the_code_version() -> None:
    for build in (of_features, readings_fingerprint, sensors_fingerprint, ready_made_fingerprint):
        assert build(DataSettings(format="csv")).code_version == build(DataSettings()).code_version


def test_the_order_of_rush_hours_does_not_matter_but_that_of_formats_does() -> None:
    swapped = DataSettings(rush_hours=[(16, 19), (7, 10)])
    assert of_features(swapped).differences(of_features(DataSettings())) == {}
    patterns = ["MM/dd/yyyy HH:mm", "dd/MM/yyyy HH:mm"]
    one, other = (DataSettings(timestamp_formats=p) for p in (patterns, patterns[::-1]))
    differences = of_features(one).differences(of_features(other))
    assert list(without_repeated(differences)) == ["data.timestamp_formats"]


@pytest.mark.parametrize("setting", sorted(CHANGES))
def test_no_change_of_a_data_setting_passes_unnoticed(setting: str) -> None:
    change = CHANGES[setting]
    before, after = with_changes(change.before), with_changes(change.after)
    expected = [] if setting in HARMLESS.keys() | SOURCES else [f"data.{setting.split('.')[0]}"]
    assert list(without_repeated(as_stored(before).differences(as_stored(after)))) == expected
    is_marked = bool(expected) and setting != "format"  # whether it is detected or written is not known while loading
    assert (of_features(before).code_version != of_features(after).code_version) == is_marked


def test_every_data_setting_is_changed_by_these_tests() -> None:
    assert set(_paths(DataSettings)) == set(CHANGES)
    assert set(HARMLESS) <= set(CHANGES)
    assert not set(HARMLESS) & SOURCES


def test_days_depend_on_no_other_section() -> None:
    assert set(Settings.model_fields) - {"data"} == set(OTHER_SECTIONS)
    for build in (features_fingerprint, readings_fingerprint, sensors_fingerprint, ready_made_fingerprint):
        assert next(iter(inspect.signature(build).parameters.values())).annotation is DataSettings


def test_the_tables_below_depend_on_their_own_settings_only() -> None:
    plain, rush = DataSettings(), DataSettings(rush_hours=[(6, 9)])
    assert readings_fingerprint(plain).code_version == readings_fingerprint(rush).code_version
    assert sensors_fingerprint(plain).code_version == sensors_fingerprint(rush).code_version
    slow = DataSettings(free_flow_speed=40)
    assert sensors_fingerprint(plain).code_version == sensors_fingerprint(slow).code_version, "no sensor has a speed"
    own = DataSettings(free_flow_speed="per_sensor")
    assert sensors_fingerprint(plain).code_version != sensors_fingerprint(own).code_version
    assert readings_fingerprint(plain).code_version == readings_fingerprint(own).code_version


def test_a_raised_content_version_changes_the_code_version() -> None:
    versions = column_versions()
    raised = features_fingerprint(DataSettings(), versions | {"flow_rate": 2})
    assert raised.code_version != of_features(DataSettings()).code_version
    assert raised.version_differences(of_features(DataSettings()), versions) == {"flow_rate": (2, 1)}
    absent = features_fingerprint(DataSettings(), {k: v for k, v in versions.items() if k != "flow_rate"})
    assert absent.version_differences(raised, ["flow_rate"]) == {"flow_rate": (None, 2)}


def _paths(section: type[Section], prefix: str = "") -> list[str]:
    paths = []
    for name, info in section.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            paths += _paths(kind, f"{prefix}{name}.")
        else:
            paths.append(f"{prefix}{name}")
    return paths


def test_the_stored_example_has_values_beside_a_hash(tmp_path: Path) -> None:
    stored = readings_fingerprint(DataSettings(aliases={"q": "flow"}), "csv").to_json()
    assert stored["reading"]["values"]["aliases"] == {"q": "flow"}
    assert stored["reading"]["detected"] == ["format"]
    assert len(stored["reading"]["hash"]) == 16
    assert stored["versions"] == {"sensor_readings": 1}
