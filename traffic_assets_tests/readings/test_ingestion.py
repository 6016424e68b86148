"""Ingestion of days: good rows, quarantined rows, counts, and refused days."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from traffic_assets.catalogue.clock import day_start
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.readings.completeness import Completeness
from traffic_assets.readings.ingestion import Ingested, ingest_feature_table, ingest_readings
from traffic_assets.readings.readers import InputError, Source
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA = DataSettings()
MONDAY, TUESDAY, WEDNESDAY = "2026-01-05", "2026-01-06", "2026-01-07"
READING = ["sensor_id", "timestamp", "speed", "flow", "occupancy", "date"]


def source(folder: Path) -> Source:
    return Source(f"file://{folder}", LocalFileSystem(), "auto")


def at(day: str, interval: int = 0) -> datetime:
    """Return the start of a 5-minute interval of a local day (Pacific standard time)."""
    return datetime.fromisoformat(f"{day}T08:00:00").replace(tzinfo=UTC) + timedelta(minutes=5 * interval)


def reading(day: str, interval: int = 0, **other: Any) -> dict[str, Any]:
    good = {"sensor_id": "A", "timestamp": at(day, interval), "speed": 60.0, "flow": 10.0, "occupancy": 0.1}
    return good | other


def parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path, compression="none")
    return path


def day_file(folder: Path, day: str, rows: Sequence[dict[str, Any]]) -> Path:
    return parquet(folder / f"date={day}" / "x.parquet", rows)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def sensors_by_day(ingested: Ingested) -> dict[str, list[str]]:
    names_by_day: dict[str, list[str]] = {}
    for row in ingested.rows.select("date", "sensor_id").collect():
        names_by_day.setdefault(row["date"], []).append(row["sensor_id"])
    return {day: sorted(sensors) for day, sensors in names_by_day.items()}


def reason_code(ingested: Ingested, day: str) -> str:
    """Return the code of the reason for refusing a day."""
    return get_code(InputError(ingested.refused[day]))


def reason_values(ingested: Ingested, day: str) -> dict[str, Any]:
    """Return the values of the reason for refusing a day."""
    return get_values(InputError(ingested.refused[day]))


def count(
    rows: int = 0, quarantined: int = 0, without_target: int = 0, without_day: int = 0, **reasons: int
) -> dict[str, Any]:
    return {
        "rows": rows,
        "quarantined": quarantined,
        "without_target": without_target,
        "without_day": without_day,
        "reasons": reasons,
    }


def test_rows_are_counted_by_day_and_reason(spark: SparkSession, tmp_path: Path) -> None:
    bad = [
        reading(MONDAY, 0, flow=11.0),  # the second of its key
        reading(MONDAY, 1, flow=12.0),
        reading(MONDAY, 20, speed=130.0),
        reading(MONDAY, 21, speed=float("nan")),
    ]
    good = [reading(MONDAY, i) for i in range(16)]
    good[3]["speed"] = None
    day_file(tmp_path, MONDAY, good + bad)
    day_file(tmp_path, TUESDAY, [reading(TUESDAY, i) for i in range(3)])
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DataSettings(max_bad_share=0.2))
    duplicate = "duplicate key (sensor_id, timestamp)"
    reasons = {duplicate: 2, "speed: outside 0..120 mph": 1, "speed: NaN": 1}
    assert ingested.counts == {
        MONDAY: count(16, 4, 1, **reasons),
        TUESDAY: count(3),
        WEDNESDAY: count(),
    }
    assert ingested.refused == {}  # 4 of 20 is just allowed; an empty day is no reason
    assert ingested.missing_columns == []
    assert ingested.rows.columns == READING
    assert ingested.quarantined.columns == ["sensor_id", "timestamp", "speed", "flow", "occupancy", "_reason", "date"]
    assert ingested.rows.groupBy("date").count().collect() != []
    assert {r["flow"] for r in ingested.quarantined.collect() if r["_reason"] == duplicate} == {11.0, 12.0}
    assert ingested.rows.where("flow <> 10").count() == 0
    assert ingested.cached.is_cached
    ingested.cached.unpersist()


def test_a_day_with_too_many_bad_rows_is_refused_with_the_worst_reason_first(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [reading(MONDAY, i) for i in range(20)]
    rows[0]["speed"], rows[1]["speed"], rows[2]["occupancy"] = -1.0, -1.0, 2.0
    day_file(tmp_path, MONDAY, rows)
    day_file(tmp_path, TUESDAY, [reading(TUESDAY, i, speed=60.0 if i else -1.0) for i in range(20)])  # 5%
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DATA)
    assert list(ingested.refused) == [MONDAY]
    assert reason_code(ingested, MONDAY) == "readings.too-many-bad-rows"
    assert reason_values(ingested, MONDAY) == {
        "bad": 3,
        "rows": 20,
        "reasons": ["2 x speed: outside 0..120 mph", "1 x occupancy: outside 0..1"],
        "allowed": 0.05,
    }
    assert ingested.counts[TUESDAY]["quarantined"] == 1


def test_rows_belong_to_their_local_day_and_those_of_other_days_are_ignored(
    spark: SparkSession, tmp_path: Path
) -> None:
    moments = {
        "before": at(MONDAY, -1),
        "first": at(MONDAY),
        "last": at(MONDAY, 287),
        "after": at(MONDAY, 288),
        "far": at(WEDNESDAY),
    }
    parquet(tmp_path / "all.parquet", [reading(MONDAY, sensor_id=s, timestamp=t) for s, t in moments.items()])
    requested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DATA)
    assert sensors_by_day(requested) == {MONDAY: ["first", "last"], TUESDAY: ["after"]}
    assert requested.counts == {MONDAY: count(2), TUESDAY: count(1)}
    single = ingest_readings(spark, source(tmp_path / "all.parquet"), [WEDNESDAY], DATA)
    assert sensors_by_day(single) == {WEDNESDAY: ["far"]}


def test_a_row_whose_timestamp_cannot_be_read_belongs_to_the_day_of_its_file(
    spark: SparkSession, tmp_path: Path
) -> None:
    header = "sensor_id,timestamp,speed\n"
    text(tmp_path / f"date={MONDAY}" / "x.csv", f"{header}A,01/05/2026 08:00:00,60\nB,soon,61\n")
    text(tmp_path / f"date={TUESDAY}" / "x.csv", f"{header}C,,62\nD,later,63\nE,2026-01-06T08:00:00Z,64\n")
    text(tmp_path / f"date={WEDNESDAY}" / "x.csv", "sensor_id,timestamp,speed,flow\nF,never,65,1\n")  # read separately
    data = DataSettings(max_bad_share=1)
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], data)
    assert sensors_by_day(ingested) == {MONDAY: ["A"], TUESDAY: ["E"]}
    unparsable = "timestamp: unparsable"
    assert {(r["sensor_id"], r["date"], r["_reason"]) for r in ingested.quarantined.collect()} == {
        ("B", MONDAY, unparsable),
        ("C", TUESDAY, "timestamp: missing"),
        ("D", TUESDAY, unparsable),
        ("F", WEDNESDAY, unparsable),
    }
    assert ingested.counts[TUESDAY] == count(1, 2, 0, **{unparsable: 1, "timestamp: missing": 1})
    assert ingested.missing_columns == ["flow", "occupancy"]


def test_a_row_in_the_folder_of_another_day_is_quarantined(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        reading(MONDAY, sensor_id="own", timestamp=at(MONDAY)),
        reading(MONDAY, sensor_id="x", timestamp=at(TUESDAY)),
    ]
    parquet(tmp_path / f"date={MONDAY}" / "all.parquet", rows)
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DataSettings(max_bad_share=1))
    assert sensors_by_day(ingested) == {MONDAY: ["own"]}
    assert ingested.counts[MONDAY]["reasons"] == {"timestamp: not of the folder's local day": 1}


def test_without_day_folders_an_unreadable_timestamp_counts_with_the_first_day(
    spark: SparkSession, tmp_path: Path
) -> None:
    text(tmp_path / "all.csv", "sensor_id,timestamp,speed\nA,2026-01-06T20:00:00Z,60\nB,soon,61\n")
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DataSettings(max_bad_share=1))
    assert ingested.counts[MONDAY]["reasons"] == {"timestamp: unparsable": 1}
    assert ingested.counts[TUESDAY]["rows"] == 1


def year_file(folder: Path, own_bad: int) -> None:
    """Write 20 rows of each of two days, some of Monday bad, and 300 with timestamps that cannot be read."""
    rows = [f"A,{at(day, i):%Y-%m-%dT%H:%M:%SZ},60" for day in (MONDAY, TUESDAY) for i in range(20)]
    rows[:own_bad] = [row.replace(",60", ",-60") for row in rows[:own_bad]]
    text(folder / "year.csv", "\n".join(["sensor_id,timestamp,speed", *rows, *(f"{i},soon,60" for i in range(300))]))


def test_without_day_folders_unreadable_timestamps_are_not_in_a_days_share(spark: SparkSession, tmp_path: Path) -> None:
    year_file(tmp_path, own_bad=1)
    unparsable, negative = "timestamp: unparsable", "speed: outside 0..120 mph"
    for day, own in ((MONDAY, {negative: 1}), (TUESDAY, {})):
        ingested = ingest_readings(spark, source(tmp_path), [day], DATA)
        assert ingested.refused == {}
        bad = sum(own.values())
        assert ingested.counts == {day: count(20 - bad, 300 + bad, 0, 300, **{unparsable: 300, **own})}
        assert ingested.quarantined.count() == 300 + bad, "nothing is lost"

    year_file(tmp_path, own_bad=2)
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DATA)
    assert set(ingested.refused) == {MONDAY}
    assert reason_code(ingested, MONDAY) == "readings.too-many-bad-rows"
    values = reason_values(ingested, MONDAY)
    assert (values["bad"], values["rows"]) == (2, 20), "its own rows only"
    assert values["reasons"] == [f"2 x {negative}"]


def test_a_file_without_readable_timestamps_is_not_an_empty_day(spark: SparkSession, tmp_path: Path) -> None:
    text(tmp_path / "all.csv", "sensor_id,timestamp,speed\nA,5th of January,60\nB,5th of January,61\n")
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY], DATA)
    assert set(ingested.refused) == {MONDAY, TUESDAY}
    for day in (MONDAY, TUESDAY):
        assert reason_code(ingested, day) == "readings.unreadable-timestamps"
        assert reason_values(ingested, day) == {"rows": 2, "uri": f"file://{tmp_path}", "value": "5th of January"}


def test_a_day_folder_with_unparsable_timestamps_names_the_setting_and_a_value(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [f"A,05/01/2026 00:{5 * i:02d},60" for i in range(3)]
    text(tmp_path / f"date={MONDAY}" / "x.csv", "\n".join(["sensor_id,timestamp,speed", *rows]))
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY], DATA)
    assert reason_code(ingested, MONDAY) == "readings.unparsable-timestamps"
    values = reason_values(ingested, MONDAY)
    assert (values["value"], values["formats"]) == ("05/01/2026 00:00", ["MM/dd/yyyy HH:mm:ss"])
    assert "data.timestamp_formats" in ingested.refused[MONDAY]


def test_a_days_rows_are_compared_with_its_sensors_and_intervals(spark: SparkSession, tmp_path: Path) -> None:
    spring, autumn = "2026-03-08", "2026-11-01"  # 23 and 25 hours
    day_file(tmp_path, MONDAY, [reading(MONDAY)])
    rows = [reading(TUESDAY, i, sensor_id=s, speed=60.0 if s == "A" else None) for i in range(288) for s in "AB"]
    day_file(tmp_path, TUESDAY, [*rows, reading(TUESDAY), reading(TUESDAY, 3, sensor_id="C", speed=-1.0)])
    for day, intervals in ((spring, 276), (autumn, 300)):
        start = day_start(day, DATA.zone)
        full = [reading(day, timestamp=start + timedelta(minutes=5 * i)) for i in range(intervals)]
        day_file(tmp_path, day, full)
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY, spring, autumn], DATA)
    assert ingested.refused == {}
    assert ingested.completeness == {
        MONDAY: Completeness(rows=1, sensors=1, intervals=288),
        TUESDAY: Completeness(rows=2 * 288, sensors=2, intervals=288),  # without the duplicate and the bad sensor C
        WEDNESDAY: Completeness(rows=0, sensors=0, intervals=288),
        spring: Completeness(rows=276, sensors=1, intervals=276),
        autumn: Completeness(rows=300, sensors=1, intervals=300),
    }
    assert ingested.target_completeness[TUESDAY] == Completeness(rows=288, sensors=1, intervals=288)
    shares = {day: completeness.share for day, completeness in ingested.completeness.items()}
    assert shares == {MONDAY: 1 / 288, TUESDAY: 1.0, WEDNESDAY: 0.0, spring: 1.0, autumn: 1.0}


def test_a_file_of_0_bytes_refuses_its_day_by_name(spark: SparkSession, tmp_path: Path) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        day_file(tmp_path, day, [reading(day)])
    (tmp_path / f"date={TUESDAY}" / "late.parquet").touch()
    (tmp_path / f"date={WEDNESDAY}" / "_SUCCESS").touch()
    (tmp_path / f"date={MONDAY}" / "x.uploaded").touch()  # a marker, not a file of readings
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DATA)
    assert sensors_by_day(ingested) == {MONDAY: ["A"], WEDNESDAY: ["A"]}
    assert reason_code(ingested, TUESDAY) == "readings.empty-files"
    assert reason_values(ingested, TUESDAY) == {"files": [f"file://{tmp_path}/date={TUESDAY}/late.parquet"]}


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_source_of_0_bytes_is_an_error(spark: SparkSession, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    for uri in (tmp_path, tmp_path / name):
        with pytest.raises(InputError) as caught:
            ingest_readings(spark, source(uri), [MONDAY], DATA)
        assert get_code(caught.value) == "readings.empty-files"
        assert get_values(caught.value) == {"files": [f"file://{tmp_path}/{name}"]}


def test_a_file_that_was_cut_off_refuses_its_day_by_name(spark: SparkSession, tmp_path: Path) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        day_file(tmp_path, day, [reading(day, i) for i in range(50)])
    cut = parquet(tmp_path / f"date={TUESDAY}" / "z.parquet", [reading(TUESDAY, i, sensor_id="B") for i in range(50)])
    cut.write_bytes(cut.read_bytes()[:-200])
    rows = [f"A,{at(WEDNESDAY, i):%Y-%m-%dT%H:%M:%SZ},60" for i in range(250)]
    packed = gzip.compress("\n".join(["sensor_id,timestamp,speed", *rows]).encode())
    (tmp_path / f"date={WEDNESDAY}" / "x.parquet").unlink()
    (tmp_path / f"date={WEDNESDAY}" / "x.csv.gz").write_bytes(packed[: len(packed) // 2])
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DATA)
    assert set(ingested.refused) == {TUESDAY, WEDNESDAY}
    assert f"date={TUESDAY}/z.parquet" in ingested.refused[TUESDAY]
    assert f"date={WEDNESDAY}/x.csv.gz" in ingested.refused[WEDNESDAY]
    assert ingested.counts[MONDAY] == count(50)


def test_text_files_that_end_within_a_row_are_named(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"A,{at(MONDAY, i):%Y-%m-%dT%H:%M:%SZ},60,10" for i in range(20)]
    whole = "\n".join(["sensor_id,timestamp,speed,flow", *rows])
    text(tmp_path / f"date={MONDAY}" / "x.csv", whole)
    text(tmp_path / f"date={TUESDAY}" / "x.csv", whole.replace(MONDAY, TUESDAY)[:-4])
    lines = [
        f'{{"sensor_id": "A", "timestamp": "{at(WEDNESDAY, i):%Y-%m-%dT%H:%M:%SZ}", "speed": 60}}' for i in range(20)
    ]
    text(tmp_path / f"date={WEDNESDAY}" / "x.json", "\n".join(lines)[:-4])
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DataSettings(max_bad_share=0.1))
    assert ingested.refused == {}
    places = [f"date={TUESDAY}/x.csv", f"date={WEDNESDAY}/x.json"]
    assert ingested.cut_off == [f"file://{tmp_path}/{place}" for place in places]


@pytest.mark.parametrize("by_day", [True, False])
def test_raw_files_of_different_types_are_reported_as_input(spark: SparkSession, tmp_path: Path, by_day: bool) -> None:
    folder = tmp_path / f"date={MONDAY}" if by_day else tmp_path
    parquet(folder / "a.parquet", [reading(MONDAY, i) for i in range(3)])
    parquet(folder / "b.parquet", [reading(MONDAY, i, speed=60) for i in range(3, 6)])
    if by_day:
        ingested = ingest_readings(spark, source(tmp_path), [MONDAY], DATA)
        error = InputError(ingested.refused[MONDAY])
    else:
        with pytest.raises(InputError) as caught:
            ingest_readings(spark, source(tmp_path), [MONDAY], DATA)
        error = caught.value
    assert get_code(error) == "readings.different-types"
    assert get_values(error)["path"].endswith(".parquet")
    assert "materialize" not in str(error)


def test_days_with_other_columns_and_types_are_combined(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, [reading(MONDAY)])
    day_file(
        tmp_path,
        TUESDAY,
        [{"station": 7, "ts": at(TUESDAY).replace(tzinfo=None), "remark": "x", "speed": 55, "occ": 0.5}],
    )
    text(tmp_path / f"date={WEDNESDAY}" / "x.json", '{"speed": 50.5, "sensor_id": "C", "time": "2026-01-07T08:00:00Z"}')
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DATA)
    assert ingested.rows.dtypes == [
        ("sensor_id", "string"),
        ("timestamp", "timestamp"),
        ("speed", "double"),
        ("flow", "double"),
        ("occupancy", "double"),
        ("date", "string"),
    ]
    rows = ingested.rows.drop("timestamp").orderBy("date").collect()
    assert [tuple(row) for row in rows] == [
        ("A", 60.0, 10.0, 0.1, MONDAY),
        ("7", 55.0, None, 0.5, TUESDAY),
        ("C", 50.5, None, None, WEDNESDAY),
    ]
    assert ingested.missing_columns == ["flow", "occupancy"]
    assert ingested.missing_by_day == {MONDAY: [], TUESDAY: ["flow"], WEDNESDAY: ["flow", "occupancy"]}
    assert ingested.refused == {}


def test_a_day_without_a_required_column_is_refused_and_the_others_are_kept(
    spark: SparkSession, tmp_path: Path
) -> None:
    day_file(tmp_path, MONDAY, [reading(MONDAY)])
    day_file(tmp_path, TUESDAY, [{"sensor_id": "A", "velocity": 60.0}])
    day_file(tmp_path, WEDNESDAY, [reading(WEDNESDAY, speed=[60.0])])
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DATA)
    assert sensors_by_day(ingested) == {MONDAY: ["A"]}
    assert set(ingested.refused) == {TUESDAY, WEDNESDAY}
    assert reason_code(ingested, TUESDAY) == "readings.missing-columns"
    missing = reason_values(ingested, TUESDAY)
    assert missing["path"].endswith(f"date={TUESDAY}")
    assert (missing["columns"], missing["present"]) == (["timestamp", "speed"], ["sensor_id", "velocity"])
    assert reason_code(ingested, WEDNESDAY) == "readings.wrong-column-type"
    wrong = reason_values(ingested, WEDNESDAY)
    assert (wrong["column"], wrong["type"], wrong["allowed"]) == ("speed", "array<double>", "double")
    assert ingested.missing_columns == []  # columns of refused days do not count


def test_a_source_without_a_required_column_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", [{"sensor_id": "A", "timestamp": at(MONDAY)}])
    with pytest.raises(InputError) as caught:
        ingest_readings(spark, source(tmp_path), [MONDAY], DATA)
    assert get_code(caught.value) == "readings.missing-columns"
    assert get_values(caught.value)["columns"] == ["speed"]


def test_a_file_that_was_replaced_is_read_again_in_the_same_session(spark: SparkSession, tmp_path: Path) -> None:
    for delivered in (3, 5):
        day_file(tmp_path, MONDAY, [reading(MONDAY, i, speed=float(delivered)) for i in range(delivered)])
        ingested = ingest_readings(spark, source(tmp_path), [MONDAY], DATA)  # the cache of the first run still exists
        assert ingested.counts == {MONDAY: count(delivered)}
        assert [row["speed"] for row in ingested.rows.collect()] == [delivered] * delivered


def test_days_that_were_never_delivered_are_empty(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, [reading(MONDAY)])
    ingested = ingest_readings(spark, source(tmp_path), [WEDNESDAY], DATA)
    assert ingested.counts == {WEDNESDAY: count()}
    assert ingested.refused == {}
    assert ingested.rows.columns == READING
    assert ingested.rows.collect() == ingested.quarantined.collect() == []


def spoil(path: Path) -> None:
    """Break the first data page but not the footer, so that only reading rows fails."""
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)


def test_a_day_with_a_broken_file_is_refused_and_the_others_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        broken = day_file(tmp_path, day, [reading(day, i) for i in range(50)])
        if day != WEDNESDAY:
            spoil(broken)
    ingested = ingest_readings(spark, source(tmp_path), [MONDAY, TUESDAY, WEDNESDAY], DATA)
    assert set(ingested.refused) == {MONDAY, TUESDAY}
    for day, why in ingested.refused.items():
        assert f"date={day}/x.parquet" in why
    assert ingested.counts[WEDNESDAY] == count(50)
    assert ingested.rows.select("date").distinct().collect() == [(WEDNESDAY,)]


def test_a_broken_file_outside_day_folders_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    spoil(parquet(tmp_path / "all.parquet", [reading(MONDAY, i) for i in range(50)]))
    with pytest.raises(StorageError) as caught:
        ingest_readings(spark, source(tmp_path), [MONDAY], DATA)
    assert get_code(caught.value) == "storage.corrupt-file"
    assert get_values(caught.value)["paths"][1].endswith("/all.parquet")


def test_a_ready_made_feature_table_is_validated_by_type_and_range(spark: SparkSession, tmp_path: Path) -> None:
    row = reading(MONDAY) | {
        "highway_encoded": "I-5 N",
        "is_weekend": False,
        "is_rush_hour": 1,
        "congestion_level": None,
        "hour_sin": 0.5,
        "speed_lag_1": 59,
        "lat_normalized": None,
    }
    rows = [
        row,
        row | {"sensor_id": "B", "hour_sin": 1.5},
        row | {"sensor_id": "C", "speed": None},
        row | {"sensor_id": "D", "is_weekend": True, "lat_normalized": 0.25},
        row | {"sensor_id": "D", "is_weekend": True, "lat_normalized": 0.75},
    ]
    day_file(tmp_path, MONDAY, rows)
    ingested = ingest_feature_table(spark, source(tmp_path), [MONDAY], DataSettings(max_bad_share=0.4))
    assert ingested.refused == {}
    assert ingested.counts[MONDAY] == count(
        3, 2, 1, **{"hour_sin: outside -1..1": 1, "duplicate key (sensor_id, timestamp)": 1}
    )
    types = dict(ingested.rows.dtypes)
    assert {types[c] for c in ("highway_encoded", "is_weekend", "is_rush_hour", "congestion_level")} == {"string"}
    assert types["speed_lag_1"] == types["sensor_id"].replace("string", "double") == "double"
    good = {r["sensor_id"]: r for r in ingested.rows.collect()}
    assert set(good) == {"A", "C", "D"}
    a = good["A"]
    assert (a["highway_encoded"], a["is_weekend"], a["is_rush_hour"]) == ("I-5 N", "false", "1")
    assert (a["hour_sin"], a["speed_lag_1"], a["lat_normalized"], a["congestion_level"]) == (0.5, 59.0, None, None)
    assert (good["D"]["is_weekend"], good["D"]["lat_normalized"]) == ("true", 0.25)
    assert a["timestamp"].replace(tzinfo=None) == at(MONDAY).replace(tzinfo=None)
    assert "speed_variance" in ingested.missing_columns
    assert "sensor_cluster" in ingested.missing_columns
    assert len(ingested.missing_columns) == 21 - 7
    assert "occupancy" not in ingested.rows.columns, "a measurement is not a column of the table"
    assert types["flow"] == "double", "a target is"
