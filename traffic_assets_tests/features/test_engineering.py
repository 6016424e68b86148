"""Each feature, compared with values computed by hand; the past is found by time and never by row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.features.engineering import build_features
from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.plugins import FEATURE_GROUP
from traffic_assets_tests.codes import get_code
from traffic_assets_tests.packages import Install

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

DATA = DataSettings()
SATURDAY, SUNDAY, MONDAY = "2026-01-03", "2026-01-04", "2026-01-05"
Reading = tuple[str, str, float | None]  # sensor, local time (Pacific standard), speed
PAST = [
    *(f"speed_lag_{k}" for k in (1, 2, 3)),
    *(f"speed_ma_{m}min" for m in (15, 30, 60)),
    "speed_variance",
]
SENSOR_SCHEMA = (
    "sensor_id string, lanes int, lat_normalized double, lon_normalized double, distance_from_center double, "
    "highway_encoded int, sensor_cluster int, free_flow_speed double, latitude double, highway string"
)


def epoch(local: str) -> int:
    """Return the seconds since 1970 of a Pacific standard time."""
    return int((datetime.fromisoformat(local).replace(tzinfo=UTC) + timedelta(hours=8)).timestamp())


def features(
    spark: SparkSession,
    readings: Sequence[tuple[str, int, float | None]],
    days: Sequence[str],
    data: DataSettings = DATA,
    sensors: Sequence[tuple[Any, ...]] = (),
    flow: float | None = 100.0,
) -> list[Row]:
    rows = [(sensor, moment, speed, flow, 0.125) for sensor, moment, speed in readings]
    schema = "sensor_id string, moment long, speed double, flow double, occupancy double"
    frame = spark.createDataFrame(rows, schema).withColumn("date", _null())
    frame = frame.selectExpr(
        "sensor_id", "timestamp_seconds(moment) as timestamp", "speed", "flow", "occupancy", "date"
    )
    table = spark.createDataFrame(list(sensors), SENSOR_SCHEMA)
    return build_features(frame, table, days, data).collect()


def _null() -> Any:
    from pyspark.sql import functions as F

    return F.lit("the partition that it was read from")


def at(rows: Sequence[Row], sensor: str, local: str) -> Row:
    (row,) = (r for r in rows if r["sensor_id"] == sensor and _moment(r) == epoch(local))
    return row


def _moment(row: Row) -> int:
    return int(row["timestamp"].timestamp())


def past(row: Row) -> tuple[float | None, ...]:
    return tuple(row[name] for name in PAST)


def series(
    sensor: str, start: str, speeds: Sequence[float | None], minutes: int = 5
) -> list[tuple[str, int, float | None]]:
    return [(sensor, epoch(start) + 60 * minutes * i, speed) for i, speed in enumerate(speeds)]


def test_every_feature_of_a_reading_after_a_complete_hour(spark: SparkSession) -> None:
    readings = series("A", f"{MONDAY} 07:00", [*(40.0 + i for i in range(14)), 52.0])
    table = [("A", 4, 0.25, 0.75, 12.5, 3, 5, 80.0, 32.0, "I-5")]
    rows = features(spark, readings, [MONDAY], sensors=table)
    assert len(rows) == 15
    row = at(rows, "A", f"{MONDAY} 08:10")
    angle = 2 * pi * 490 / 1440
    expected = {
        "hour_sin": pytest.approx(sin(angle)),
        "hour_cos": pytest.approx(cos(angle)),
        "time_since_midnight": 490.0,
        "lat_normalized": 0.25,
        "lon_normalized": 0.75,
        "distance_from_center": 12.5,
        "traffic_efficiency": 0.8,  # 52 / 65
        "occupancy_ratio": 0.125,
        "flow_rate": 300.0,  # 100 * 12 / 4
        "speed_variance": pytest.approx(17.5 / 6),  # of 48, ..., 53
        "speed_lag_1": 53.0,
        "speed_lag_2": 52.0,
        "speed_lag_3": 51.0,
        "speed_ma_15min": pytest.approx(52.0),
        "speed_ma_30min": pytest.approx(50.5),
        "speed_ma_60min": pytest.approx(47.5),  # of 42 (07:10), ..., 53 (08:05)
        "highway_encoded": 3,
        "is_weekend": 0,
        "is_rush_hour": 1,
        "sensor_cluster": 5,
        "congestion_level": 0,
    }
    assert set(expected) == {column.name for column in FEATURES}
    assert row.asDict() == expected | {
        "sensor_id": "A",
        "timestamp": row["timestamp"],
        "speed": 52.0,
        "flow": 100.0,
        "date": MONDAY,
    }


def test_a_gap_is_null_and_never_a_neighbours_value(spark: SparkSession) -> None:
    readings = [
        ("A", epoch(f"{MONDAY} 06:00"), 50.0),
        ("A", epoch(f"{MONDAY} 06:10"), None),
        ("A", epoch(f"{MONDAY} 06:15"), 60.0),
        ("A", epoch(f"{MONDAY} 06:30"), 70.0),
        ("A", epoch(f"{MONDAY} 08:00"), 20.0),
        ("B", epoch(f"{MONDAY} 06:05"), 99.0),  # another sensor's interval is not a neighbour
        ("B", epoch(f"{MONDAY} 06:10"), 98.0),
    ]
    rows = features(spark, readings, [MONDAY])
    assert len(rows) == 6  # the row without a speed is left out
    assert past(at(rows, "A", f"{MONDAY} 06:00")) == (None,) * 7
    # 06:10 has no speed and 06:05 no reading; of one speed there is no variance
    assert past(at(rows, "A", f"{MONDAY} 06:15")) == (None, None, 50.0, 50.0, 50.0, 50.0, None)
    assert past(at(rows, "A", f"{MONDAY} 06:30")) == (None, None, 60.0, 60.0, 55.0, 55.0, 25.0)
    assert past(at(rows, "A", f"{MONDAY} 08:00")) == (None,) * 7
    assert past(at(rows, "B", f"{MONDAY} 06:10"))[:3] == (99.0, None, None)


def test_the_past_includes_the_hour_before_midnight(spark: SparkSession) -> None:
    readings = [
        ("A", epoch(f"{SUNDAY} 22:55"), 1.0),  # too long ago
        ("A", epoch(f"{SUNDAY} 23:00"), 30.0),
        ("A", epoch(f"{SUNDAY} 23:45"), 40.0),
        ("A", epoch(f"{SUNDAY} 23:55"), 50.0),
        ("A", epoch(f"{MONDAY} 00:00"), 60.0),
        ("A", epoch(f"{MONDAY} 00:05"), 70.0),
        ("A", epoch("2026-01-06 00:00"), 1.0),
        ("B", epoch(f"{MONDAY} 00:00"), 60.0),  # its day before is not published
    ]
    rows = features(spark, readings, [MONDAY])
    assert sorted((r["sensor_id"], r["speed"], r["date"]) for r in rows) == [
        ("A", 60.0, MONDAY),
        ("A", 70.0, MONDAY),
        ("B", 60.0, MONDAY),
    ]
    assert past(at(rows, "A", f"{MONDAY} 00:00")) == (50.0, None, 40.0, 45.0, 45.0, 40.0, 25.0)
    assert past(at(rows, "A", f"{MONDAY} 00:05")) == (60.0, 50.0, None, 55.0, 50.0, 50.0, pytest.approx(200 / 3))
    assert past(at(rows, "B", f"{MONDAY} 00:00")) == (None,) * 7


def test_the_local_clock_of_weekdays_and_weekends(spark: SparkSession) -> None:
    expected = {  # is_weekend, is_rush_hour, time_since_midnight
        f"{SATURDAY} 00:00": (1, 0, 0),
        f"{SATURDAY} 08:00": (1, 0, 480),
        f"{SUNDAY} 17:00": (1, 0, 1020),
        f"{SUNDAY} 23:55": (1, 0, 1435),
        f"{MONDAY} 00:00": (0, 0, 0),
        f"{MONDAY} 06:55": (0, 0, 415),
        f"{MONDAY} 07:00": (0, 1, 420),
        f"{MONDAY} 09:55": (0, 1, 595),
        f"{MONDAY} 10:00": (0, 0, 600),
        f"{MONDAY} 12:00": (0, 0, 720),
        f"{MONDAY} 15:55": (0, 0, 955),
        f"{MONDAY} 16:00": (0, 1, 960),
        f"{MONDAY} 18:55": (0, 1, 1135),
        f"{MONDAY} 19:00": (0, 0, 1140),
    }
    readings = [("A", epoch(local), 60.0) for local in expected]
    rows = features(spark, readings, [SATURDAY, SUNDAY, MONDAY])
    clock = {local: at(rows, "A", local) for local in expected}
    assert {
        local: (r["is_weekend"], r["is_rush_hour"], r["time_since_midnight"]) for local, r in clock.items()
    } == expected
    assert {local: r["date"] for local, r in clock.items()} == {local: local[:10] for local in expected}
    noon = clock[f"{MONDAY} 12:00"]
    assert (noon["hour_sin"], noon["hour_cos"]) == (pytest.approx(0, abs=1e-12), -1)
    evening = clock[f"{MONDAY} 18:55"]
    assert evening["hour_sin"] == pytest.approx(sin(2 * pi * (18 + 55 / 60) / 24))


def test_rush_hours_and_time_zone_are_settings(spark: SparkSession) -> None:
    data = DataSettings(time_zone="Asia/Kathmandu", rush_hours=[(8.5, 9)])  # UTC + 5:45
    starts = {"2026-01-05T02:40:00": (505, 0), "2026-01-05T02:45:00": (510, 1), "2026-01-05T03:15:00": (540, 0)}
    readings = [("A", int(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp()), 60.0) for t in starts]
    rows = sorted(features(spark, readings, [MONDAY], data), key=_moment)
    assert [(r["time_since_midnight"], r["is_rush_hour"]) for r in rows] == list(starts.values())
    without = features(spark, readings, [MONDAY], DataSettings(time_zone="Asia/Kathmandu", rush_hours=[]))
    assert {r["is_rush_hour"] for r in without} == {0}


def test_a_clock_change_affects_local_time_but_not_the_past(spark: SparkSession) -> None:
    def utc(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    spring = [utc("2026-03-08T09:55"), utc("2026-03-08T10:00"), utc("2026-03-09T06:55"), utc("2026-03-09T07:00")]
    rows = sorted(features(spark, [("A", t, float(i)) for i, t in enumerate(spring)], ["2026-03-08"]), key=_moment)
    assert [(r["time_since_midnight"], r["speed_lag_1"]) for r in rows] == [(115, None), (180, 0.0), (1435, None)]
    assert rows[1]["hour_sin"] == pytest.approx(sin(2 * pi * 3 / 24))

    autumn = [utc("2026-11-01T07:00"), utc("2026-11-01T08:30"), utc("2026-11-01T09:25"), utc("2026-11-01T09:30")]
    autumn += [utc("2026-11-02T07:55"), utc("2026-11-02T08:00")]
    rows = sorted(features(spark, [("A", t, float(i)) for i, t in enumerate(autumn)], ["2026-11-01"]), key=_moment)
    assert [r["time_since_midnight"] for r in rows] == [0, 90, 85, 90, 1435]
    assert [r["speed_lag_1"] for r in rows] == [None, None, None, 2.0, None]
    assert rows[3]["speed_ma_60min"] == pytest.approx(1.5)  # 08:30 and 09:25 UTC
    assert {r["date"] for r in rows} == {"2026-11-01"}
    assert {r["is_weekend"] for r in rows} == {1}


@pytest.mark.parametrize(
    ("setting", "free_flow"), [(65.0, None), ("per_sensor", 65.0)], ids=["the network's", "the sensor's own"]
)
def test_efficiency_and_congestion_level(spark: SparkSession, setting: Any, free_flow: float | None) -> None:
    expected = {
        0.0: (0.0, 3),
        25.9: (25.9 / 65, 3),
        26.0: (0.4, 2),
        38.9: (38.9 / 65, 2),
        39.0: (0.6, 1),
        51.9: (51.9 / 65, 1),
        52.0: (0.8, 0),
        65.0: (1.0, 0),
        97.5: (1.5, 0),
        120.0: (1.5, 0),
    }
    sensors = [("A", 4, None, None, None, None, None, free_flow, None, None)]
    rows = features(
        spark,
        series("A", f"{MONDAY} 00:00", list(expected)),
        [MONDAY],
        DataSettings(free_flow_speed=setting),
        sensors,
    )
    computed = {r["speed"]: (r["traffic_efficiency"], r["congestion_level"]) for r in rows}
    assert computed == {speed: (pytest.approx(share), level) for speed, (share, level) in expected.items()}


def test_sensors_with_incomplete_descriptions(spark: SparkSession) -> None:
    names = ("own", "stood still", "unknown night", "no row")
    table = [
        ("own", 2, 0.5, 0.5, 1.0, 0, 0, 50.0, 1.0, "x"),
        ("stood still", None, None, None, None, None, None, 0.0, None, None),
        ("unknown night", 3, None, None, None, 1, None, None, None, "y"),
    ]
    readings = [(name, epoch(f"{MONDAY} 00:00"), 25.0) for name in names]
    rows = features(spark, readings, [MONDAY], DataSettings(free_flow_speed="per_sensor"), table)
    computed = {r["sensor_id"]: (r["traffic_efficiency"], r["congestion_level"], r["flow_rate"]) for r in rows}
    assert computed == {
        "own": (0.5, 2, 600.0),
        "stood still": (None, None, 1200.0),  # one lane if the number of lanes is unknown
        "unknown night": (None, None, 400.0),
        "no row": (None, None, 1200.0),
    }
    (stranger,) = (r for r in rows if r["sensor_id"] == "no row")
    for name in ("lat_normalized", "lon_normalized", "distance_from_center", "highway_encoded", "sensor_cluster"):
        assert stranger[name] is None


def test_another_interval_changes_lags_and_flow_but_not_the_minutes_of_the_means(spark: SparkSession) -> None:
    readings = series("A", f"{MONDAY} 06:00", [10.0, 20.0, 30.0, 40.0, 50.0], minutes=15)
    rows = features(spark, readings, [MONDAY], DataSettings(interval_minutes=15), flow=25.0)
    last = at(rows, "A", f"{MONDAY} 07:00")
    assert past(last) == (40.0, 30.0, 20.0, 40.0, 35.0, 25.0, 25.0)
    assert last["flow_rate"] == 100.0
    unknown = features(spark, readings[:1], [MONDAY], flow=None)
    assert unknown[0]["flow_rate"] is None


def test_no_days_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError) as caught:
        features(spark, [], [])
    assert get_code(caught.value) == "features.no-days"


def test_types_and_order_of_the_columns(spark: SparkSession) -> None:
    frame = spark.sql("select '' sensor_id, now() timestamp, 0D speed, 0D flow, 0D occupancy").limit(0)
    types = dict(build_features(frame, spark.createDataFrame([], SENSOR_SCHEMA), [MONDAY], DATA).dtypes)
    assert list(types) == ["sensor_id", "timestamp", *(column.name for column in FEATURES), "speed", "flow", "date"]
    integers = {"highway_encoded", "is_weekend", "is_rush_hour", "sensor_cluster", "congestion_level"}
    assert {name for name, kind in types.items() if kind == "int"} == integers


Slots = dict[int, float | None]


def expected_past(slots: Slots, slot: int) -> tuple[float | None, ...]:
    """Compute the past of a reading naively; `slots` has the speed by number of the 5-minute interval."""

    def speeds(intervals: int) -> list[float]:
        window = (slots.get(earlier) for earlier in range(slot - intervals, slot))
        return [speed for speed in window if speed is not None]

    def mean(values: list[float]) -> float | None:
        return sum(values) / len(values) if values else None

    recent = speeds(6)
    middle = mean(recent)
    variance = mean([(v - middle) ** 2 for v in recent]) if middle is not None and len(recent) > 1 else None
    return (*(slots.get(slot - k) for k in (1, 2, 3)), *(mean(speeds(n)) for n in (3, 6, 12)), variance)


gappy = st.dictionaries(
    st.integers(-20, 40), st.none() | st.integers(0, 480).map(lambda quarters: quarters / 4), max_size=45
)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.lists(gappy, min_size=15, max_size=30))
def test_the_past_of_series_with_gaps_equals_a_naive_search(spark: SparkSession, sensors: list[Slots]) -> None:
    midnight = epoch(f"{MONDAY} 00:00")
    readings = [
        (str(number), midnight + 300 * slot, speed)
        for number, slots in enumerate(sensors)
        for slot, speed in slots.items()
    ]
    rows = features(spark, readings, [MONDAY])
    computed = {(int(r["sensor_id"]), (_moment(r) - midnight) // 300): past(r) for r in rows}
    expected = {
        (number, slot): expected_past(slots, slot)
        for number, slots in enumerate(sensors)
        for slot, speed in slots.items()
        if slot >= 0 and speed is not None
    }
    assert computed == {key: tuple(v if v is None else pytest.approx(v) for v in row) for key, row in expected.items()}


ADDED = """
from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.extension import Feature

def expression(data):
    from pyspark.sql import Window
    from pyspark.sql import functions as F
    by_time = Window.partitionBy("sensor_id").orderBy(F.col("timestamp").cast("long"))
    return F.max("speed").over(by_time.rangeBetween(-7200, -1)) - F.col("speed_lag_1")

DROP = Feature(
    name="speed_drop",
    title="Drop from the last two hours' maximum",
    column=Column("speed_drop", "numeric", "double", "mph", 0, 120, "before", ("speed",), "maximum minus last speed"),
    expression=expression,
    lookback_minutes=120,
)
"""


def test_an_installed_feature_is_computed_with_the_others_from_its_own_past(
    spark: SparkSession, install: Install
) -> None:
    readings = [("A", epoch(f"{SUNDAY} 22:30"), 70.0), ("A", epoch(f"{SUNDAY} 23:55"), 50.0)]
    readings += [("A", epoch(f"{MONDAY} 00:00"), 40.0), ("A", epoch(f"{MONDAY} 00:35"), 30.0)]
    without = features(spark, readings, [MONDAY])
    install("acme-features", ADDED, {FEATURE_GROUP: {"speed_drop": "DROP"}})
    rows = features(spark, readings, [MONDAY])
    assert [(row["timestamp"], row["speed_drop"]) for row in rows][:1] == [(without[0]["timestamp"], 20.0)]
    assert rows[1]["speed_drop"] is None, "there is no reading an interval earlier"
    for ours, theirs in zip(without, rows, strict=True):
        assert {name: value for name, value in theirs.asDict().items() if name != "speed_drop"} == ours.asDict()
