"""The check on outdated partitions, from records alone."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.assets.day_settings import current_fingerprint
from traffic_assets.catalogue.fingerprint import FINGERPRINT
from traffic_assets.checks import CURRENT_SETTINGS, build_outdated
from traffic_assets.checks.outdated import VALUES_SHOWN, evaluate_settings
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets_tests.settings.problems import write
from traffic_assets_tests.tiny import DAYS, tiny_settings

FEATURES = "feature_table"


def publish(dataset: Dataset, key: str, record: dict[str, Any]) -> None:
    staged = dataset.stage("run-1")
    dataset.filesystem.write_new(f"{staged}/data/x", b"x")
    dataset.publish(key, f"{staged}/data", "run-1", record)


def evaluate(settings: Settings, asset: str) -> dg.AssetCheckResult:
    (check,) = [c for c in build_outdated(settings) if {key.asset_key for key in c.check_keys} == {dg.AssetKey(asset)}]
    result = check(dg.build_asset_check_context(), hdfs=build_resources(settings)["hdfs"])
    assert isinstance(result, dg.AssetCheckResult)
    return result


@pytest.mark.parametrize("asset", ["sensor_table", "sensor_readings", "feature_table"])
def test_it_passes_if_everything_was_built_with_the_current_settings(tmp_path: Path, asset: str) -> None:
    settings = tiny_settings(tmp_path)
    record = {FINGERPRINT: current_fingerprint(asset, settings).to_json(), "facts": {}}
    for key in [UNPARTITIONED] if asset == "sensor_table" else DAYS:
        publish(build_resources(settings)["hdfs"].dataset(asset), key, record)
    assert evaluate(settings, asset).passed


def test_a_damaged_pointer_is_named_and_does_not_stop_the_run(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    dataset = build_resources(settings)["hdfs"].dataset("feature_table")
    for day in DAYS:
        publish(dataset, day, {FINGERPRINT: current_fingerprint("feature_table", settings).to_json()})
    pointer = tmp_path / "processed" / "ml-features" / "_pointers" / f"{DAYS[1]}.json"
    pointer.write_text(pointer.read_text()[:50])
    result = evaluate(settings, "feature_table")
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["code"].value == "storage.damaged-pointer"
    assert f"traffic-assets features {DAYS[1]} {DAYS[1]}" in str(result.description)


def test_every_asset_of_data_has_the_check(tmp_path: Path) -> None:
    for kind, assets in (
        ("readings", ["feature_table", "sensor_readings", "sensor_table"]),
        ("features", ["feature_table"]),
    ):
        checks = build_outdated(tiny_settings(tmp_path, {"data": {"kind": kind}}))
        keys = sorted((key.asset_key.to_user_string(), key.name) for check in checks for key in check.check_keys)
        assert keys == [(asset, CURRENT_SETTINGS) for asset in assets]


def test_the_record_that_is_stored_is_json(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    for asset in ("sensor_table", "sensor_readings", "feature_table"):
        assert json.loads(json.dumps(current_fingerprint(asset, settings).to_json()))


def built(base: Path, speeds: dict[str, int]) -> dict[str, Generation]:
    """Return features of days that were built with different free-flow speeds."""
    generations = {}
    for day, speed in speeds.items():
        settings = tiny_settings(base, {"data": {"free_flow_speed": speed}})
        record: dict[str, Any] = {FINGERPRINT: current_fingerprint(FEATURES, settings).to_json()}
        generations[day] = Generation(day, day, "file:///x", datetime(2026, 1, 9, tzinfo=UTC), "run", record)
    return generations


def shown(base: Path, speeds: dict[str, int], profile: str = "local") -> CodedText:
    settings = load_settings(profile, {"data": {"free_flow_speed": 65}}, {})
    current = current_fingerprint(FEATURES, settings)
    text = evaluate_settings(FEATURES, built(base, speeds), current, settings).description
    assert isinstance(text, CodedText)
    return text


def test_every_stored_value_is_shown_with_its_days(tmp_path: Path) -> None:
    text = shown(tmp_path, {"2026-01-05": 40, "2026-01-06": 50, "2026-01-07": 50})
    values = "40.0 on 2026-01-05; 50.0 on 2026-01-06 to 2026-01-07, now 65.0"
    assert text.values["settings"]["data.free_flow_speed"] == values


def test_one_stored_value_is_shown_alone(tmp_path: Path) -> None:
    text = shown(tmp_path, {"2026-01-05": 40, "2026-01-06": 40})
    assert text.values["settings"]["data.free_flow_speed"] == "40.0, now 65.0"


def test_many_stored_values_are_counted(tmp_path: Path) -> None:
    text = shown(tmp_path, {f"2026-01-{day:02}": 20 + day for day in range(1, VALUES_SHOWN + 3)})
    assert text.values["settings"]["data.free_flow_speed"].endswith("; 2 other values, now 65.0")


def test_the_command_names_the_profile(tmp_path: Path) -> None:
    profile = write(tmp_path / "mine.json", {"extends": "local"})
    commands = shown(tmp_path, {"2026-01-05": 40}, profile).values["commands"]
    assert commands == [f"traffic-assets features 2026-01-05 2026-01-05 --profile {profile}"]
