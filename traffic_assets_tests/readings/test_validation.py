"""Validation of rows: bad ones get a reason, good ones the catalogue's types and units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import feature_table_columns
from traffic_assets.catalogue.readings import KEYS, READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.readings.readers import InputError
from traffic_assets.readings.validation import REASON, UNPARSABLE, mark_duplicates, require_columns, validate_rows
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

UTC_INPUT = DataSettings()
LOCAL_INPUT = DataSettings(timestamps="local")
AT = "2026-01-05T08:00:00Z"
INF = float("inf")


def stamps(frame: DataFrame, data: DataSettings) -> dict[str, str | None]:
    """Return every timestamp of `frame` in UTC, by the text of column `given`."""
    rows = (
        validate_rows(frame, [READING_COLUMNS[1], Column("given", "description", "string")], data, "x")
        .selectExpr("given", "cast(timestamp as string) as found")
        .collect()
    )
    return {row["given"]: row["found"] and row["found"][:-3] for row in rows}


def texts(spark: SparkSession, timestamps: Sequence[str]) -> DataFrame:
    return spark.createDataFrame([(text, text) for text in timestamps], "timestamp string, given string")


def reasons(spark: SparkSession, columns: Sequence[Column], rows: Sequence[dict[str, Any]], schema: str) -> list[Any]:
    """Return the reason of each row, in order."""
    names = [part.split()[0] for part in schema.split(", ")]
    frame = spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], schema).coalesce(1)
    return [row[REASON] for row in validate_rows(frame, columns, UTC_INPUT, "x").collect()]


def test_timestamps_with_a_zone_ignore_the_setting(spark: SparkSession) -> None:
    expected = {
        "2026-01-05T08:03:59Z": "2026-01-05 08:00",
        "2026-01-05T08:03:59.123456Z": "2026-01-05 08:00",
        "2026-01-05 00:03:00-08:00": "2026-01-05 08:00",
        "2026-01-05T00:03:00-0800": "2026-01-05 08:00",
        "2026-01-05 00:03:00-08": "2026-01-05 08:00",
        "2026-01-05 08:03:00 UTC": "2026-01-05 08:00",
        "2026-01-05 16:03:00 GMT+8": "2026-01-05 08:00",
        "2026-01-05 13:33:00+05:30": "2026-01-05 08:00",
        "2026-07-05T10:03:00 Europe/Berlin": "2026-07-05 08:00",
    }
    frame = texts(spark, list(expected))
    assert stamps(frame, UTC_INPUT) == expected
    assert stamps(frame, LOCAL_INPUT) == expected


def test_timestamps_without_a_zone_are_utc_or_local_by_setting(spark: SparkSession) -> None:
    utc = {
        "2026-01-05 08:03:00": "2026-01-05 08:00",
        "2026-01-05T08:04:59.999": "2026-01-05 08:00",
        "2026-01-05 08:05": "2026-01-05 08:05",
        "01/05/2026 08:05:00": "2026-01-05 08:05",  # as PeMS writes it
        "2026-01-05": "2026-01-05 00:00",
        "2026-07-05 08:03:00": "2026-07-05 08:00",
    }
    local = {
        "2026-01-05 08:03:00": "2026-01-05 16:00",
        "2026-01-05T08:04:59.999": "2026-01-05 16:00",
        "2026-01-05 08:05": "2026-01-05 16:05",
        "01/05/2026 08:05:00": "2026-01-05 16:05",
        "2026-01-05": "2026-01-05 08:00",
        "2026-07-05 08:03:00": "2026-07-05 15:00",  # summer time
    }
    frame = texts(spark, list(utc))
    assert stamps(frame, UTC_INPUT) == utc
    assert stamps(frame, LOCAL_INPUT) == local


def test_timestamp_formats_are_tried_in_order_and_may_have_a_zone(spark: SparkSession) -> None:
    data = DataSettings(
        timestamps="local",
        timestamp_formats=["HH:mm dd-MM-yyyy", "dd.MM.yyyy HH:mm 'Zeit'", "yyyyMMdd HHmm XX", "MM/dd/yyyy hh:mm a"],
    )
    expected = {
        "08:05 05-01-2026": "2026-01-05 16:05",  # -2026 is not a zone
        "05.01.2026 08:05 Zeit": "2026-01-05 16:05",
        "20260105 0805 +0000": "2026-01-05 08:05",
        "01/05/2026 08:05 PM": "2026-01-06 04:05",
        "01/05/2026 08:05:00": None,  # the default format is replaced
    }
    assert stamps(texts(spark, list(expected)), data) == expected


def test_other_texts_are_unparsable_or_missing_timestamps(spark: SparkSession) -> None:
    timestamps = ["yesterday", "2026-02-30 00:00:00", "12:30", "T12:30:00", "1767600000", "", "  ", None]
    rows = [{"sensor_id": "A", "timestamp": text, "speed": 1.0} for text in timestamps]
    refused = reasons(spark, READING_COLUMNS, rows, "sensor_id string, timestamp string, speed double")
    assert refused == ["timestamp: unparsable"] * 5 + ["timestamp: missing"] * 3


def test_the_text_of_an_unparsable_timestamp_is_kept(spark: SparkSession) -> None:
    rows = [("A", "yesterday"), ("B", AT), ("C", ""), ("D", None)]
    frame = spark.createDataFrame(rows, "sensor_id string, timestamp string").coalesce(1)
    typed = validate_rows(frame, READING_COLUMNS, UTC_INPUT, "x")
    assert {row["sensor_id"]: row[UNPARSABLE] for row in typed.collect()} == {
        "A": "yesterday",
        "B": None,
        "C": None,
        "D": None,
    }


@pytest.mark.parametrize(
    ("zone", "text", "start"),
    [
        ("Asia/Kolkata", "2026-01-05 00:00:00", "2026-01-04 18:30"),
        ("Asia/Kathmandu", "2026-01-05 23:59:00", "2026-01-05 17:15"),
        ("Australia/Lord_Howe", "2026-01-05 00:00:00", "2026-01-04 13:00"),  # 11 hours ahead in summer
        ("Australia/Lord_Howe", "2026-07-05 00:00:00", "2026-07-04 13:30"),  # 10.5 hours in winter
    ],
)
def test_hourly_readings_keep_their_local_hour_and_day(spark: SparkSession, zone: str, text: str, start: str) -> None:
    data = DataSettings(timestamps="local", time_zone=zone, interval_minutes=60)
    assert stamps(texts(spark, [text]), data) == {text: start}


def test_timestamps_of_parquet_files(spark: SparkSession, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 5, 8, 3)
    pacific = moment.replace(tzinfo=timezone(timedelta(hours=-8)))
    columns = {
        "naive": pa.array([moment], pa.timestamp("us")),
        "utc": pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
        "pacific": pa.array([pacific], pa.timestamp("us", tz="America/Los_Angeles")),
        "millis": pa.array([moment], pa.timestamp("ms")),
        "day": pa.array([date(2026, 1, 5)]),
        "epoch": pa.array([1767600180]),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    frame = spark.read.parquet(str(tmp_path / "x.parquet"))
    by_convention = {}
    for data in (UTC_INPUT, LOCAL_INPUT):
        one = None
        for name in columns:
            part = frame.selectExpr(f"{name} as timestamp", f"'{name}' as given")
            typed = validate_rows(part, [READING_COLUMNS[1], Column("given", "description", "string")], data, "x")
            one = typed if one is None else one.unionByName(typed)
        assert one is not None
        by_convention[data.timestamps] = {
            row[0]: row[1] for row in one.selectExpr("given", "date_format(timestamp, 'MM-dd HH:mm:ss')").collect()
        }
    with_zone = {"utc": "01-05 08:00:00", "pacific": "01-05 16:00:00", "epoch": "01-05 08:00:00"}
    assert by_convention["utc"] == with_zone | {
        "naive": "01-05 08:00:00",
        "millis": "01-05 08:00:00",
        "day": "01-05 00:00:00",
    }
    assert by_convention["local"] == with_zone | {
        "naive": "01-05 16:00:00",
        "millis": "01-05 16:00:00",
        "day": "01-05 08:00:00",
    }


@pytest.mark.parametrize(("minutes", "floored"), [(1, "08:59"), (15, "08:45"), (60, "08:00")])
def test_timestamps_are_floored_to_the_interval(spark: SparkSession, minutes: int, floored: str) -> None:
    text = "1969-12-31 08:59:59" if minutes == 60 else "2026-01-05 08:59:59"  # before 1970 too
    timestamps = stamps(texts(spark, [text]), DataSettings(interval_minutes=minutes))
    assert timestamps == {text: f"{text[:10]} {floored}"}


def test_readings_out_of_range_unparsable_or_without_key(spark: SparkSession) -> None:
    good = {"sensor_id": "A", "timestamp": AT, "speed": "60.5", "flow": "10", "occupancy": "0.1"}
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"speed": None, "flow": None, "occupancy": None}, None),
        ({"speed": "", "flow": " "}, None),
        ({"speed": "0", "occupancy": "1"}, None),
        ({"speed": "120", "flow": "2e4", "occupancy": "0"}, None),
        ({"speed": "fast"}, "speed: unparsable"),
        ({"speed": "60,5"}, "speed: unparsable"),
        ({"speed": "NaN"}, "speed: NaN"),
        ({"speed": "120.01"}, "speed: outside 0..120 mph"),
        ({"speed": "-0.01"}, "speed: outside 0..120 mph"),
        ({"speed": "Infinity"}, "speed: infinite"),
        ({"flow": "-1"}, "flow: outside 0..20000 veh/interval"),
        ({"occupancy": "1.5"}, "occupancy: outside 0..1"),
        ({"occupancy": "15%"}, "occupancy: unparsable"),
        ({"sensor_id": None}, "sensor_id: missing"),
        ({"sensor_id": ""}, "sensor_id: missing"),
        ({"timestamp": None}, "timestamp: missing"),
        ({"timestamp": "x", "speed": "x"}, "timestamp: unparsable"),  # the first in the catalogue's order
    ]
    refused = reasons(
        spark,
        READING_COLUMNS,
        [good | case for case, _ in cases],
        "sensor_id string, timestamp string, speed string, flow string, occupancy string",
    )
    assert refused == [reason for _, reason in cases]


def test_sensor_descriptions(spark: SparkSession) -> None:
    good = {"sensor_id": "A", "latitude": 32.8, "longitude": -117.1, "highway": "I-5", "lanes": "4"}
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"lanes": "4.0"}, None),  # as pandas writes integers if some are missing
        ({"lanes": None, "latitude": None, "highway": None}, None),
        ({"lanes": "4.5"}, "lanes: unparsable"),
        ({"lanes": "four"}, "lanes: unparsable"),
        ({"lanes": "NaN"}, "lanes: unparsable"),
        ({"lanes": "inf"}, "lanes: unparsable"),
        ({"lanes": "0"}, "lanes: outside 1..20"),
        ({"latitude": 91.0}, "latitude: outside -90..90 degrees"),
        ({"longitude": float("nan")}, "longitude: NaN"),
    ]
    schema = "sensor_id string, latitude double, longitude double, highway string, lanes string"
    assert reasons(spark, SENSOR_COLUMNS, [good | case for case, _ in cases], schema) == [why for _, why in cases]
    frame = spark.createDataFrame([("A", "4.0"), ("B", "3")], "sensor_id string, lanes string")
    typed = validate_rows(frame, SENSOR_COLUMNS, UTC_INPUT, "x")
    assert dict(typed.dtypes)["lanes"] == "int"
    assert {row["sensor_id"]: row["lanes"] for row in typed.collect()} == {"A": 4, "B": 3}


def test_columns_have_the_catalogues_types_even_if_the_input_lacks_them(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(7, AT, 60, "extra")], "sensor_id int, timestamp string, speed int, remark string")
    typed = validate_rows(frame, READING_COLUMNS, UTC_INPUT, "x")
    assert typed.dtypes == [
        ("sensor_id", "string"),
        ("timestamp", "timestamp"),
        ("speed", "double"),
        ("flow", "double"),
        ("occupancy", "double"),
        (REASON, "string"),
        (UNPARSABLE, "string"),
    ]
    assert typed.drop("timestamp").first() == ("7", 60.0, None, None, None, None)


def test_kilometres_are_converted_in_every_column_of_speeds(spark: SparkSession) -> None:
    data = DataSettings(speed_unit="km/h")
    frame = spark.createDataFrame(
        [("A", AT, 160.9344, 80.4672, 2.589988110336, 100.0, 1.0), ("B", AT, 200.0, 1.0, 1.0, 1.0, 1.0)],
        "sensor_id string, timestamp string, speed double, speed_lag_1 double, speed_variance double, "
        "flow_rate double, distance_from_center double",
    )
    first, second = validate_rows(frame, feature_table_columns(), data, "x").orderBy("sensor_id").collect()
    assert first["speed"] == pytest.approx(100)
    assert first["speed_lag_1"] == pytest.approx(50)
    assert first["speed_variance"] == pytest.approx(1)
    assert (first["flow_rate"], first["distance_from_center"]) == (100, 1)
    assert first[REASON] is None
    assert second[REASON] == "speed: outside 0..120 mph"  # 124 mph


def test_a_feature_without_upper_limit_is_finite(spark: SparkSession) -> None:
    rows = [{"sensor_id": "A", "timestamp": AT, "speed_variance": v} for v in (0.0, 1e9, INF, float("nan"), -1.0)]
    refused = reasons(spark, feature_table_columns(), rows, "sensor_id string, timestamp string, speed_variance double")
    assert refused == [
        None,
        None,
        "speed_variance: infinite",
        "speed_variance: NaN",
        "speed_variance: outside 0..inf mph²",
    ]


@pytest.mark.parametrize(
    ("column", "sql_type", "allowed"),
    [
        ("speed", "array<double>", "double"),
        ("speed", "date", "double"),
        ("speed", "timestamp", "double"),
        ("sensor_id", "struct<a:int>", "string"),
        ("timestamp", "boolean", "timestamp"),
        ("occupancy", "map<string,int>", "double"),
    ],
)
def test_columns_of_an_impossible_type_are_refused(
    spark: SparkSession, column: str, sql_type: str, allowed: str
) -> None:
    frame = spark.createDataFrame([], f"{column} {sql_type}")
    with pytest.raises(InputError) as caught:
        validate_rows(frame, READING_COLUMNS, UTC_INPUT, "file:///in/x.parquet")
    assert get_code(caught.value) == "readings.wrong-column-type"
    assert get_values(caught.value) == {
        "column": column,
        "path": "file:///in/x.parquet",
        "type": sql_type,
        "allowed": allowed,
    }


def test_missing_columns_are_named_with_what_is_there(spark: SparkSession) -> None:
    frame = spark.createDataFrame([], "sensor_id string, velocity double")
    require_columns(frame, ["sensor_id"], "x")
    with pytest.raises(InputError) as caught:
        require_columns(frame, ["sensor_id", "timestamp", "speed"], "x")
    assert get_code(caught.value) == "readings.missing-columns"
    assert get_values(caught.value) == {
        "path": "x",
        "columns": ["timestamp", "speed"],
        "required": ["sensor_id", "timestamp", "speed"],
        "present": ["sensor_id", "velocity"],
    }


def test_the_same_duplicate_is_kept_in_any_order_of_rows(spark: SparkSession) -> None:
    rows = [
        ("A", "t1", 50.0, 9.0, None),
        ("A", "t1", 50.0, 3.0, None),  # this one: lowest speed, then lowest flow
        ("A", "t1", 60.0, 1.0, None),
        ("A", "t1", None, 0.0, None),  # no speed comes last
        ("A", "t2", 50.0, 9.0, None),
        ("B", "t1", 50.0, 9.0, None),
        ("C", "t1", 10.0, 1.0, "speed: NaN"),  # bad already: keeps its reason and does not replace the good one
        ("C", "t1", 20.0, 1.0, None),
        ("C", "t1", 15.0, 1.0, "speed: NaN"),
    ]
    schema = f"sensor_id string, timestamp string, speed double, flow double, {REASON} string"
    results = []
    for order in (rows, rows[::-1]):
        frame = spark.createDataFrame(order, schema).repartition(3)
        marked = mark_duplicates(frame, KEYS, ["speed", "flow"])
        assert marked.columns == frame.columns
        results.append(sorted((tuple(row) for row in marked.collect()), key=str))
    assert results[0] == results[1]
    duplicate = "duplicate key (sensor_id, timestamp)"
    assert {row[:4]: row[4] for row in results[0]} == {
        ("A", "t1", 50.0, 9.0): duplicate,
        ("A", "t1", 50.0, 3.0): None,
        ("A", "t1", 60.0, 1.0): duplicate,
        ("A", "t1", None, 0.0): duplicate,
        ("A", "t2", 50.0, 9.0): None,
        ("B", "t1", 50.0, 9.0): None,
        ("C", "t1", 10.0, 1.0): "speed: NaN",
        ("C", "t1", 15.0, 1.0): "speed: NaN",
        ("C", "t1", 20.0, 1.0): None,
    }
