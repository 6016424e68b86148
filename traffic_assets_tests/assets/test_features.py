"""The feature table as an asset: the record of each day, and a ready-made table that a user provides."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets.resources import build_resources
from traffic_assets_tests.deployment import Deployment, copied
from traffic_assets_tests.runs import failure_codes, failures, get_failure_values, run_features, run_train
from traffic_assets_tests.tiny import DAYS, WEEK, only_lanes, tiny_settings


def test_each_day_records_what_went_in(with_features: Deployment) -> None:
    dataset = with_features.hdfs.dataset("feature_table")
    records = {day: generation.record for day, generation in dataset.current_generations(DAYS).items()}
    readings = with_features.hdfs.dataset("sensor_readings").current_generations(DAYS)
    assert [records[day]["sensor_readings"] for day in DAYS] == [readings[day].id for day in DAYS]
    assert [records[day]["lookback"] for day in DAYS] == [None, *DAYS[:-1]]
    for day in DAYS:
        assert records[day]["rows"] == readings[day].record["rows"] - records[day]["rows_without_target"]
        assert records[day]["missing_features"] == []
    sensor_table = with_features.hdfs.dataset("sensor_table").current(UNPARTITIONED)
    assert sensor_table is not None
    assert {record["geometry"] for record in records.values()} == {sensor_table.record["facts"]["geometry"]}


def test_a_damaged_day_before_is_not_left_out_of_the_lags(
    spark: SparkSession, with_features: Deployment, tmp_path: Path
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        made = copied(with_features, tmp_path, instance)
        before = made.hdfs.dataset("sensor_readings").current(DAYS[0])
        assert before is not None
        (file,) = local_path(before.uri).glob("*.parquet")
        file.unlink()
        result = run_features(build_defs(made.settings), instance, DAYS[1:2])
        assert failure_codes(result) == {"feature_table": "storage.damaged-generation"}
        values = get_failure_values(result)["feature_table"]
        assert list(values["files"]) == [f"file://{file}"]
        assert values["remedy"] == f"traffic-assets features {DAYS[0]} {DAYS[0]}"
        assert run_features(build_defs(made.settings), instance, DAYS[:2]).success


def test_the_simulated_days_are_complete(with_features: Deployment) -> None:
    for key in ("sensor_readings", "feature_table"):
        for generation in with_features.hdfs.dataset(key).current_generations(DAYS).values():
            record = generation.record
            assert record["completeness"] == record["rows"] / (3 * 288) > 0.9
            assert (record["sensors"], record["intervals"]) == (3, 288)
    evaluations = with_features.features.get_asset_check_evaluations()
    days = {e.partition for e in evaluations if e.asset_key == dg.AssetKey("feature_table")}
    assert days == {None, *DAYS}, "a run over a range has results for every day, and one for all settings"
    assert [(e.asset_key, e.check_name, e.description) for e in evaluations if not e.passed] == []


@pytest.mark.parametrize("kind", ["readings", "features"])
def test_a_day_of_one_row_warns_and_does_not_count_for_training(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "raw" / "readings"
    for day in DAYS[:2]:
        (folder / f"date={day}").mkdir(parents=True)
        start = datetime.fromisoformat(f"{day}T08:00:00")  # local midnight in UTC
        moments = [start + timedelta(minutes=5 * i) for i in range(288 if day == DAYS[0] else 1)]
        rows = [f"{sensor},{moment.isoformat()}Z,60" for moment in moments for sensor in "AB"]
        unknown = [f"C,{moment.isoformat()}Z," for moment in moments]  # no speed, so no row of features
        content = "\n".join(["sensor_id,timestamp,speed", *rows, *unknown])
        (folder / f"date={day}" / "readings.csv").write_text(content)
    settings = tiny_settings(tmp_path, {"data": {"kind": kind}})
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_features(build_defs(settings), instance, DAYS)
        assert result.success, failures(result)
        train = run_train(build_defs(settings), instance, WEEK)
    assert failure_codes(train)["splits"] == "assets.days-missing"
    values = get_failure_values(train)["splits"]
    assert (values["available"], values["incomplete"], values["empty"]) == (1, {DAYS[1]: "0.3472%"}, [DAYS[2]])
    records = {
        day: g.record
        for day, g in build_resources(settings)["hdfs"].dataset("feature_table").current_generations(DAYS).items()
    }
    shares = {day: (record["completeness"], record["sensors"]) for day, record in records.items()}
    assert shares == {DAYS[0]: (1.0, 2), DAYS[1]: (1 / 288, 2), DAYS[2]: (0.0, 0)}
    shown = {e.partition: e.metadata for e in result.asset_materializations_for_node("feature_table")}
    assert {day: metadata["completeness"].value for day, metadata in shown.items()} == {
        day: share for day, (share, _) in shares.items()
    }
    checked = {
        (e.check_name, e.partition): e.passed
        for e in result.get_asset_check_evaluations()
        if e.asset_key == dg.AssetKey("feature_table")
    }
    assert [checked["complete", day] for day in DAYS] == [True, False, False]
    assert [checked["has_rows", day] for day in DAYS] == [True, True, False]
    if kind == "readings":
        assert [checked["sensors_report", day] for day in DAYS] == [True, True, True]
        assert (records[DAYS[0]]["sensors_seen"], records[DAYS[0]]["sensors_known"]) == (3, 3)


def test_missing_sensor_data_is_recorded(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "readings" / f"date={DAYS[0]}"
    folder.mkdir(parents=True)
    rows = [f"A,{DAYS[0]}T20:{minute:02d}:00Z,60,10,0.1,32.7,-117.1" for minute in range(0, 60, 5)]
    header = "sensor_id,timestamp,speed,flow,occupancy,latitude,longitude"
    (folder / "readings.csv").write_text("\n".join([header, *rows]))
    settings = tiny_settings(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_features(build_defs(settings), instance, DAYS[:1])
    assert result.success, failures(result)
    current = build_resources(settings)["hdfs"].dataset("feature_table").current(DAYS[0])
    assert current.record["missing_features"] == ["highway_encoded"]
    assert current.record["sensors_without_lanes"] == 1
    (event,) = result.asset_materializations_for_node("feature_table")
    assert event.metadata["lanes"].value == "one assumed for 1 of 1 sensors, for flow_rate"


def test_readings_from_sensors_outside_the_sensor_table_are_counted(spark: SparkSession, tmp_path: Path) -> None:
    readings = tmp_path / "raw" / "readings"
    header, described = "sensor_id,timestamp,speed", tmp_path / "sensors.csv"
    described.write_text("sensor_id,latitude,longitude,highway,lanes\nA,32.7,-117.1,I-5,4\n")
    for day in DAYS[:2]:
        (readings / f"date={day}").mkdir(parents=True)
        names = "AAB" if day == DAYS[0] else "A"
        rows = [f"{name},{day}T20:{5 * i:02d}:00Z,60" for i, name in enumerate(names)]
        (readings / f"date={day}" / "x.csv").write_text("\n".join([header, *rows, f"B,{day}T21:00:00Z,"]))
    settings = tiny_settings(tmp_path, {"data": {"sensors_source": str(described)}})
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_features(build_defs(settings), instance, DAYS[:2])
    assert result.success, failures(result)
    dataset = build_resources(settings)["hdfs"].dataset("feature_table")
    assert {day: g.record["rows_of_unknown_sensors"] for day, g in dataset.current_generations().items()} == {
        DAYS[0]: 1,
        DAYS[1]: 0,
    }
    shown = {
        event.partition: event.metadata["rows_of_unknown_sensors"].value
        for event in result.asset_materializations_for_node("feature_table")
    }
    assert shown == {DAYS[0]: 1, DAYS[1]: 0}


def test_gaps_are_filled_if_configured(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "readings" / f"date={DAYS[0]}"
    folder.mkdir(parents=True)
    rows = [f"A,{DAYS[0]}T20:{minute:02d}:00Z,{speed},32.7,-117.1" for minute, speed in ((0, 60), (10, 50), (20, 20))]
    (folder / "readings.csv").write_text("\n".join(["sensor_id,timestamp,speed,latitude,longitude", *rows]))
    fill = {"forward_fill": True, "interpolation": True, "longest_gap_minutes": 5}
    for fill_settings, lags, shown in (
        ({}, (None, 50.0, None), "no"),
        (fill, (50.0, 50.0, 55.0), "by interpolation, then forward fill, up to 5 minutes"),
    ):
        settings = tiny_settings(tmp_path, {"data": {"fill": fill_settings}})
        with dg.DagsterInstance.ephemeral() as instance:
            result = run_features(build_defs(settings), instance, DAYS[:1])
        assert result.success, failures(result)
        dataset = build_resources(settings)["hdfs"].dataset("feature_table")
        (last,) = read_current(spark, dataset.root).where("speed = 20").collect()
        assert tuple(last[f"speed_lag_{k}"] for k in (1, 2, 3)) == lags
        assert dataset.current(DAYS[0]).record["fill"] == settings.data.fill.model_dump()
        (event,) = result.asset_materializations_for_node("feature_table")
        assert event.metadata["gaps_filled"].value == shown


def test_the_lags_of_the_first_hour_come_from_the_day_before(spark: SparkSession, with_features: Deployment) -> None:
    root = with_features.hdfs.dataset("feature_table").root
    nulls = {
        row["date"]: row["nulls"]
        for row in read_current(spark, root)
        .where("time_since_midnight = 0")
        .selectExpr("date", "speed_lag_1 IS NULL AS none")
        .groupBy("date")
        .agg({"none": "max"})
        .withColumnRenamed("max(none)", "nulls")
        .collect()
    }
    assert nulls[DAYS[0]], "nothing is published before the first day"
    assert not all(nulls[day] for day in DAYS[1:])


def test_a_ready_made_table_with_names_instead_of_codes_is_trained_on(
    spark: SparkSession, with_features: Deployment, tmp_path: Path
) -> None:
    table = read_current(spark, with_features.hdfs.dataset("feature_table").root).drop("date").toPandas()
    assert isinstance(table, pd.DataFrame)
    table["timestamp"] = table["timestamp"].dt.tz_localize(UTC)
    table["highway_encoded"] = "I-" + table["highway_encoded"].astype(str)
    table["is_weekend"] = table["is_weekend"] == 1
    table = table.rename(columns={"speed": "avg_speed"}).drop(columns=["flow_rate"])
    source = tmp_path / "theirs"
    source.mkdir()
    table.to_csv(source / "features.csv", index=False)
    before = (source / "features.csv").read_bytes()

    lane = Lane("linear_regression")
    changes = {**only_lanes(lane.id), "data": {"kind": "features", "source": str(source)}}
    settings = tiny_settings(tmp_path / "base", changes)
    with dg.DagsterInstance.ephemeral() as instance:
        features = run_features(build_defs(settings), instance, DAYS)
        assert features.success, failures(features)
        only = [*SPLIT_ASSETS.values(), "fitted_preprocessor", lane.cv_report, lane.model]
        train = run_train(build_defs(settings), instance, WEEK, only=only)
    assert train.success, failures(train)
    record = build_resources(settings)["hdfs"].dataset(lane.model).current(WEEK).record
    slots = [slot["name"] for slot in record["slots"]]
    assert record["features"]["missing"] == ["flow_rate"]
    assert "highway_encoded=I-0" in slots
    assert "is_weekend=False" in slots
    assert set(record["features"]["numeric"]) | set(record["features"]["categorical"]) == {
        c.name for c in FEATURES if c.name != "flow_rate"
    }
    assert (source / "features.csv").read_bytes() == before, "the user's table is only read"
