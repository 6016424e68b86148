"""Days that were built with other settings than the others of their week, with real builds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from traffic_assets.assets.day_settings import compare_days
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.catalogue.fingerprint import FINGERPRINT, recorded_fingerprint
from traffic_assets.checks import CURRENT_SETTINGS
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Generation
from traffic_assets_tests.data_changes import CHANGES, HARMLESS, SOURCES
from traffic_assets_tests.deployment import Deployment, copied
from traffic_assets_tests.runs import failure_codes, failures, get_failure_values, get_metadata, run_features, run_train
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPLITS = list(SPLIT_ASSETS.values())
CODE_VERSION = "dagster/code_version"


@pytest.fixture
def copy(with_features: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A copy of the tiny features that a test may rebuild."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield copied(with_features, tmp_path / "copy", instance)


def days_of(deployment: Deployment) -> dict[str, Generation]:
    return deployment.hdfs.dataset("feature_table", "date").current_generations(DAYS)


def rebuild(made: Deployment, day: str, changes: Mapping[str, Any]) -> Deployment:
    settings = tiny_settings(made.base, changes)
    result = run_features(build_defs(settings), made.instance, [day])
    assert result.success, failures(result)
    return Deployment(made.base, settings, made.instance, result)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def to_csv(spark: SparkSession, base: Path) -> None:
    """Replace the Parquet files of the second day by CSV."""
    folder = base / "raw" / "readings" / f"date={DAYS[1]}"
    rows = [row.asDict() for row in spark.read.parquet(f"file://{folder}").collect()]
    for file in folder.iterdir():
        file.unlink()
    write_csv(folder / "x.csv", [row | {"timestamp": f"{row['timestamp'].isoformat()}Z"} for row in rows])


def elsewhere(spark: SparkSession, base: Path) -> None:
    """Move the raw readings to another folder, with a table of the sensors."""
    (base / "raw" / "readings").rename(base / "elsewhere")
    columns = ("sensor_id", "latitude", "longitude", "highway", "lanes")
    rows = spark.read.parquet(f"file://{base}/elsewhere").select(*columns).distinct().collect()
    write_csv(base / "sensors.csv", [row.asDict() for row in rows])


PREPARE: dict[str, Callable[[SparkSession, Path], None]] = {
    "format": to_csv,
    "source": elsewhere,
    "sensors_source": elsewhere,
}
"""What happens to the files before the second day is built."""


@pytest.mark.parametrize("setting", sorted(CHANGES))
def test_no_change_of_a_data_setting_between_two_days_passes_unnoticed(
    spark: SparkSession, copy: Deployment, setting: str
) -> None:
    change = CHANGES[setting]
    if change.before and setting != "format":
        rebuild(copy, DAYS[0], {"data": change.before})
    if prepare := PREPARE.get(setting):
        prepare(spark, copy.base)
    places = {
        "source": f"file://{copy.base}/elsewhere",
        **({"sensors_source": f"file://{copy.base}/sensors.csv"} if setting == "sensors_source" else {}),
    }
    data = change.after | (places if setting in SOURCES else {})
    rebuilt = rebuild(copy, DAYS[1], {"data": data})
    compared = {day: generation for day, generation in days_of(rebuilt).items() if day != DAYS[2]}
    comparison = compare_days(compared, rebuilt.settings)
    if setting in SOURCES:
        assert "assets.sources-differ" in [warning.code for warning in comparison.warnings]
    elif setting in HARMLESS:
        assert (comparison.mixed, comparison.warnings) == (None, [])
    else:
        assert comparison.mixed is not None
        differing = comparison.mixed.values["differences"]
        assert [name for name in differing if name.startswith("data.")] == [f"data.{setting.split('.')[0]}"]
        assert set(differing) == {f"data.{setting.split('.')[0]}"} or setting == "kind", "which lacks columns too"


def test_a_week_of_mixed_days_is_refused_until_the_named_command_rebuilt_them(
    spark: SparkSession, copy: Deployment
) -> None:
    mixed = rebuild(copy, DAYS[2], {"data": {"free_flow_speed": 40}})
    refused = run_train(build_defs(mixed.settings), copy.instance, WEEK, only=SPLITS)
    assert failure_codes(refused) == {"splits": "assets.mixed-settings"}
    values = get_failure_values(refused)["splits"]
    assert values["commands"] == [f"traffic-assets features {DAYS[0]} {DAYS[1]}"]
    assert mixed.hdfs.dataset("train_split").current(WEEK) is None

    warning = {"data": {"free_flow_speed": 40}, "training": {"mixed_settings": "warn"}}
    warned = run_train(build_defs(tiny_settings(copy.base, warning)), copy.instance, WEEK, only=SPLITS)
    assert warned.success, failures(warned)
    assert "data.free_flow_speed" in get_metadata(warned, "splits", "train_split")["settings"]

    assert run_features(build_defs(mixed.settings), copy.instance, DAYS[:2]).success
    trained = run_train(build_defs(mixed.settings), copy.instance, WEEK, only=SPLITS)
    assert trained.success, failures(trained)
    assert get_metadata(trained, "splits", "train_split")["settings"] == "the same on every day"


def test_every_asset_of_data_records_its_fingerprint_and_shows_its_code_version(
    spark: SparkSession, with_features: Deployment
) -> None:
    for asset in ("sensor_table", "sensor_readings", "feature_table"):
        for key, generation in with_features.hdfs.dataset(asset).current_generations().items():
            stored = generation.record[FINGERPRINT]
            assert stored["reading"]["values"]["format"] == "parquet", key
            assert stored["reading"]["detected"] == ["format"]
            assert recorded_fingerprint(generation.record) is not None
        (event, *_) = with_features.features.asset_materializations_for_node(asset)
        (definition,) = [
            a for a in build_defs(with_features.settings).resolve_all_asset_specs() if a.key == dg.AssetKey(asset)
        ]
        assert event.tags is not None
        assert event.tags[CODE_VERSION] == generation.record["code_version"] == definition.code_version
    sensors = with_features.hdfs.dataset("sensor_table").current(UNPARTITIONED)
    assert sensors is not None
    center = recorded_fingerprint(sensors.record).feature.values["center"]  # type: ignore[union-attr]
    assert center == sensors.record["facts"]["mean_position"]


def test_a_check_lists_the_outdated_days_and_the_settings(spark: SparkSession, copy: Deployment) -> None:
    changed = rebuild(copy, DAYS[1], {"data": {"speed_unit": "km/h"}})
    checks = {
        evaluation.asset_key.to_user_string(): evaluation
        for evaluation in changed.features.get_asset_check_evaluations()
        if evaluation.check_name == CURRENT_SETTINGS
    }
    assert set(checks) == {"sensor_table", "sensor_readings", "feature_table"}
    assert checks["sensor_table"].passed, "the run has built it again"
    outdated = {DAYS[0]: ["data.speed_unit"], DAYS[2]: ["data.speed_unit"]}
    after_old_day = {DAYS[1]: ["data.speed_unit of the day before"]}
    for asset, expected, last in (
        ("sensor_readings", outdated, DAYS[0]),
        ("feature_table", outdated | after_old_day, DAYS[2]),  # the first lags of the rebuilt day are in the old unit
    ):
        evaluation = checks[asset]
        assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert evaluation.metadata["code"].value == "checks.outdated"
        assert evaluation.metadata["outdated"].value == expected
        assert f"traffic-assets features {DAYS[0]} {last}" in (evaluation.description or "")


def test_a_published_day_of_a_failed_range_has_its_code_version_too(spark: SparkSession, copy: Deployment) -> None:
    for file in (copy.base / "raw" / "readings" / f"date={DAYS[1]}").iterdir():
        file.write_bytes(b"PAR1 and then nothing")
    assert not run_features(build_defs(copy.settings), copy.instance, DAYS).success
    versions = {
        record.asset_materialization.partition: (record.asset_materialization.tags or {}).get(CODE_VERSION)
        for record in copy.instance.fetch_materializations(dg.AssetKey("feature_table"), limit=10).records
        if record.asset_materialization
    }
    assert set(versions) == {DAYS[0], DAYS[2]}
    assert versions[DAYS[0]] == versions[DAYS[2]] == days_of(copy)[DAYS[0]].record["code_version"]


def test_a_day_of_earlier_code_is_accepted_with_a_warning(spark: SparkSession, copy: Deployment) -> None:
    pointer = copy.base / "processed" / "ml-features" / "_pointers" / f"{DAYS[0]}.json"
    stored = json.loads(pointer.read_text())
    del stored["record"][FINGERPRINT]
    pointer.write_text(json.dumps(stored))
    trained = run_train(build_defs(copy.settings), copy.instance, WEEK, only=SPLITS)
    assert trained.success, failures(trained)
    assert DAYS[0] in get_metadata(trained, "splits", "train_split")["settings"]
