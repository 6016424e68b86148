"""Raw data as assets: quarantined rows, refused days, empty days and the sensor table."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets import jobs
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import Internal
from traffic_assets.features import sensors
from traffic_assets.partitions import RANGE_END, RANGE_START
from traffic_assets.resources import build_resources
from traffic_assets_tests.runs import (
    QUIET,
    failure_codes,
    failures,
    get_failure_values,
    get_refusal_codes,
    materialized,
    run_features,
)
from traffic_assets_tests.tiny import DAYS, tiny_settings

HEADER = "sensor_id,timestamp,speed,latitude,longitude\n"
NOON = "T20:00:00Z"  # local noon


def write_day(base: Path, day: str, rows: list[str], header: str = HEADER) -> None:
    folder = base / "raw" / "readings" / f"date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "readings.csv").write_text(header + "".join(f"{row}\n" for row in rows))


def good_rows(day: str) -> list[str]:
    return [f"A,{day}T20:{minute:02d}:00Z,{60 + minute / 10},32.7,-117.1" for minute in range(0, 60, 5)]


@pytest.fixture
def resource(tmp_path: Path) -> HdfsResource:
    resource = build_resources(tiny_settings(tmp_path))["hdfs"]
    assert isinstance(resource, HdfsResource)
    return resource


def run(base: Path, days: list[str], **data: object) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return run_features(build_defs(tiny_settings(base, {"data": data})), instance, days)


def test_bad_rows_are_stored_with_their_day(spark: SparkSession, tmp_path: Path, resource: HdfsResource) -> None:
    write_day(tmp_path, DAYS[0], [*good_rows(DAYS[0]), f"A,{DAYS[0]}T21:00:00Z,-5,32.7,-117.1"])
    result = run(tmp_path, DAYS[:1], max_bad_share=0.2)
    assert result.success, failures(result)
    current = resource.dataset("sensor_readings").current(DAYS[0])
    assert current is not None
    assert current.record["rows"] == spark.read.parquet(current.uri).count() == 12
    assert current.record["reasons"] == {"speed: outside 0..120 mph": 1}
    (bad,) = spark.read.parquet(f"{current.uri}/{Internal.QUARANTINE}").collect()
    assert (bad["speed"], bad["_reason"]) == (-5.0, "speed: outside 0..120 mph")
    (event,) = result.asset_materializations_for_node("sensor_readings")
    assert event.metadata["quarantined"].value == 1


def test_a_refused_day_keeps_its_data_and_the_good_days_are_published(
    spark: SparkSession, tmp_path: Path, resource: HdfsResource
) -> None:
    for day in DAYS:
        write_day(tmp_path, day, good_rows(day))
    assert run(tmp_path, DAYS).success
    both = ("sensor_readings", "feature_table")
    before = {key: resource.dataset(key).current_generations(DAYS) for key in both}
    write_day(tmp_path, DAYS[1], ["A,soon,60,32.7,-117.1"])
    write_day(tmp_path, DAYS[2], [row.rsplit(",", 2)[0] for row in good_rows(DAYS[2])], "sensor_id,timestamp,fast\n")
    result = run(tmp_path, DAYS)
    assert not result.success
    assert failure_codes(result)["feature_table"] == "storage.partitions-refused"
    said = get_failure_values(result)["feature_table"]["refused"]
    assert list(said) == DAYS[1:3]
    assert "'soon'" in said[DAYS[1]], "a value that cannot be parsed"
    assert "data.timestamp_formats" in said[DAYS[1]]
    assert "sensor_id, timestamp, fast" in said[DAYS[2]]
    assert get_refusal_codes(result, "sensor_readings") == {
        DAYS[1]: "readings.unparsable-timestamps",
        DAYS[2]: "readings.missing-columns",
    }
    after = {key: resource.dataset(key).current_generations(DAYS) for key in both}
    for key in both:
        assert [after[key][day].id == before[key][day].id for day in DAYS] == [False, True, True], key
    assert after["feature_table"][DAYS[0]].record["sensor_readings"] == after["sensor_readings"][DAYS[0]].id

    write_day(tmp_path, DAYS[1], good_rows(DAYS[1]))
    assert run(tmp_path, DAYS[1:2]).success, "a run of only the corrected day"
    assert all(resource.dataset(key).current_generations(DAYS)[DAYS[1]].id != before[key][DAYS[1]].id for key in both)


def test_a_refused_day_in_the_middle_is_not_the_lookback_of_the_next(
    spark: SparkSession, tmp_path: Path, resource: HdfsResource
) -> None:
    for day in (DAYS[0], DAYS[2]):
        write_day(tmp_path, day, good_rows(day))
    write_day(tmp_path, DAYS[1], ["A,soon,60,32.7,-117.1"])
    assert not run(tmp_path, DAYS).success
    published = resource.dataset("feature_table").current_generations(DAYS)
    assert list(published) == [DAYS[0], DAYS[2]]
    assert published[DAYS[2]].record["lookback"] is None
    assert published[DAYS[2]].record["rows"] == 12


def test_a_run_of_only_the_readings_fails_too(spark: SparkSession, tmp_path: Path, resource: HdfsResource) -> None:
    write_day(tmp_path, DAYS[0], good_rows(DAYS[0]))
    write_day(tmp_path, DAYS[1], ["A,soon,60,32.7,-117.1"])
    job = build_defs(tiny_settings(tmp_path)).resolve_job_def(jobs.FEATURES)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            tags={RANGE_START: DAYS[0], RANGE_END: DAYS[1]},
            instance=instance,
            raise_on_error=False,
            run_config=QUIET,
            asset_selection=[dg.AssetKey("sensor_readings")],
        )
    assert failure_codes(result)["sensor_readings"] == "storage.partitions-refused"
    assert list(get_failure_values(result)["sensor_readings"]["refused"]) == [DAYS[1]]
    assert resource.dataset("sensor_readings").partitions() == DAYS[:1]


def test_nothing_stays_in_memory_after_a_run(spark: SparkSession, tmp_path: Path) -> None:
    def persisted() -> set[int]:
        return set(spark.sparkContext._jsc.getPersistentRDDs().keySet())

    before = persisted()
    write_day(tmp_path, DAYS[0], good_rows(DAYS[0]))
    write_day(tmp_path, DAYS[1], ["A,soon,60,32.7,-117.1"])
    run(tmp_path, DAYS[:2])
    assert persisted() <= before


def test_runs_at_the_same_time_do_not_move_highway_codes(
    spark: SparkSession, tmp_path: Path, resource: HdfsResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = HEADER.replace("\n", ",highway\n")
    write_day(tmp_path, DAYS[0], [f"{row},I-8" for row in good_rows(DAYS[0])], header)
    build, others = sensors.build_sensor_table, ["one other run"]

    def overtaken(*arguments: Any) -> sensors.SensorTable:
        table = build(*arguments)
        if others and others.pop():
            write_day(tmp_path, DAYS[1], [f"B{row},I-5" for row in good_rows(DAYS[1])], header)
            assert run(tmp_path, DAYS[1:2]).success
        return table

    monkeypatch.setattr(sensors, "build_sensor_table", overtaken)
    result = run(tmp_path, DAYS[:1])
    assert result.success, failures(result)
    current = resource.dataset("sensor_table").current(UNPARTITIONED)
    assert current is not None
    assert current.record["facts"]["highway_codes"] == {"I-5": 0, "I-8": 1}


def test_a_corrupt_file_refuses_its_day_by_name(spark: SparkSession, tmp_path: Path, resource: HdfsResource) -> None:
    write_day(tmp_path, DAYS[0], good_rows(DAYS[0]))
    torn = tmp_path / "raw" / "readings" / f"date={DAYS[1]}"
    torn.mkdir()
    (torn / "torn.parquet").write_bytes(b"PAR1 not really")
    result = run(tmp_path, DAYS[:2])
    assert not result.success
    assert "torn.parquet" in failures(result)["feature_table"]
    assert resource.dataset("sensor_readings").partitions() == DAYS[:1]
    (event,) = result.asset_materializations_for_node("sensor_table")
    refused = event.metadata["refused"].value
    assert isinstance(refused, dict)
    assert "torn.parquet" in refused[DAYS[1]]


def test_a_day_without_rows_is_published_empty(spark: SparkSession, tmp_path: Path, resource: HdfsResource) -> None:
    write_day(tmp_path, DAYS[0], good_rows(DAYS[0]))
    result = run(tmp_path, DAYS[:2])
    assert result.success, failures(result)
    assert {"sensor_readings", "feature_table", "sensor_table"} <= materialized(result)
    empty = resource.dataset("feature_table").current(DAYS[1])
    assert empty is not None
    assert empty.record["rows"] == 0
    assert "traffic_efficiency" in spark.read.parquet(empty.uri).columns


def test_missing_input_is_reported_with_a_fix(spark: SparkSession, tmp_path: Path) -> None:
    result = run(tmp_path, DAYS[:1])
    assert set(failure_codes(result).values()) == {"readings.no-input"}
