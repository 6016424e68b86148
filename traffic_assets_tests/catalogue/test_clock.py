"""Local days with 23 to 25 hours, the local day of a timestamp, and the local interval that contains it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import functions as F

from traffic_assets.catalogue import clock
from traffic_assets_tests.codes import get_code

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LA = ZoneInfo("America/Los_Angeles")
ZONES = {  # a day in 2025 on which the clock changes, if it does
    "America/Los_Angeles": ["2025-03-09", "2025-11-02"],
    "America/St_Johns": ["2025-03-09", "2025-11-02"],  # 3:30 and 2:30 hours behind
    "Asia/Kolkata": ["2025-01-01"],
    "Asia/Kathmandu": ["1986-01-01", "2025-01-01"],  # 1986 from 5:30 to 5:45 hours ahead
    "Australia/Lord_Howe": ["2025-04-06", "2025-10-05"],  # by half an hour
    "Pacific/Chatham": ["2025-04-06", "2025-09-28"],  # at 2:45 and 3:45
    "Africa/Cairo": ["2025-04-25", "2025-10-31"],  # at midnight
}
INTERVALS = [1, 5, 15, 20, 60]


def test_keys_of_days() -> None:
    assert clock.day_key(date(2026, 3, 8)) == "2026-03-08"
    assert clock.previous_day("2026-03-01") == "2026-02-28"
    assert clock.previous_day("2024-03-01", 2) == "2024-02-28"
    assert clock.previous_day("2025-12-31", -1) == "2026-01-01"
    assert clock.day_range(date(2025, 12, 30), date(2026, 1, 2)) == [
        "2025-12-30",
        "2025-12-31",
        "2026-01-01",
        "2026-01-02",
    ]
    assert clock.day_range(date(2026, 1, 1), date(2026, 1, 1)) == ["2026-01-01"]
    assert clock.day_range(date(2026, 1, 2), date(2026, 1, 1)) == []


@pytest.mark.parametrize(
    ("key", "hours", "start"),
    [
        ("2026-01-05", 24, datetime(2026, 1, 5, 8, tzinfo=UTC)),
        ("2026-03-08", 23, datetime(2026, 3, 8, 8, tzinfo=UTC)),
        ("2026-03-09", 24, datetime(2026, 3, 9, 7, tzinfo=UTC)),
        ("2026-11-01", 25, datetime(2026, 11, 1, 7, tzinfo=UTC)),
    ],
)
def test_bounds_of_a_day(key: str, hours: int, start: datetime) -> None:
    assert clock.bounds([key], LA) == (start, start + timedelta(hours=hours))
    assert clock.day_start(key, LA) == start


def test_bounds_of_many_days_in_any_order() -> None:
    start, end = clock.bounds(iter(["2026-03-09", "2026-03-07", "2026-03-08"]), LA)
    assert start == datetime(2026, 3, 7, 8, tzinfo=UTC)
    assert end == datetime(2026, 3, 10, 7, tzinfo=UTC)
    assert end - start == timedelta(hours=71)


def test_a_day_starts_at_one_if_the_clock_changes_at_midnight() -> None:
    start, end = clock.bounds(["2026-03-29"], ZoneInfo("Asia/Beirut"))
    assert start == datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert end - start == timedelta(hours=23)


def test_bounds_need_at_least_one_day() -> None:
    with pytest.raises(ValueError) as caught:
        clock.bounds([], LA)
    assert get_code(caught.value) == "features.no-days"


def test_a_timestamp_belongs_to_its_local_day(spark: SparkSession) -> None:
    expected = {
        "2026-01-05T07:55:00Z": ("2026-01-04", "2026-01-04 23:55:00"),
        "2026-01-05T08:00:00Z": ("2026-01-05", "2026-01-05 00:00:00"),
        "2026-03-08T09:55:00Z": ("2026-03-08", "2026-03-08 01:55:00"),
        "2026-03-08T10:00:00Z": ("2026-03-08", "2026-03-08 03:00:00"),
        "2026-03-09T06:55:00Z": ("2026-03-08", "2026-03-08 23:55:00"),
        "2026-11-01T08:30:00Z": ("2026-11-01", "2026-11-01 01:30:00"),
        "2026-11-01T09:30:00Z": ("2026-11-01", "2026-11-01 01:30:00"),
        "2026-11-02T07:55:00Z": ("2026-11-01", "2026-11-01 23:55:00"),
    }
    rows = (
        spark.createDataFrame([(text,) for text in expected], "text string")
        .selectExpr("text", "cast(text as timestamp) as timestamp")
        .select("text", clock.local_day("timestamp", LA), clock.local_time("timestamp", LA).cast("string"))
        .collect()
    )
    assert {row[0]: (row[1], row[2]) for row in rows} == expected


def bucket(moment: datetime, zone: ZoneInfo, minutes: int) -> tuple[object, ...]:
    """Return the local interval of an instant: day, hour, number within the hour, and offset."""
    local = moment.astimezone(zone)
    return local.date(), local.hour, local.minute // minutes, local.utcoffset()


def first_of_bucket(moment: datetime, zone: ZoneInfo, minutes: int) -> datetime:
    """Return the first minute of the local interval of an instant, found by going back minute by minute."""
    start = moment.replace(second=0)
    while bucket(start - timedelta(minutes=1), zone, minutes) == bucket(moment, zone, minutes):
        start -= timedelta(minutes=1)
    return start


@pytest.mark.parametrize("name", ZONES)
def test_an_interval_starts_on_local_time_and_never_before_a_change_of_the_clock(
    spark: SparkSession, name: str
) -> None:
    zone = ZoneInfo(name)
    firsts = [clock.day_start(day, zone) - timedelta(hours=2) for day in ZONES[name]]
    moments = [first + timedelta(seconds=467 * i) for first in firsts for i in range(31 * 3600 // 467)]
    rows = (
        spark.createDataFrame([(int(moment.timestamp()),) for moment in moments], "moment long")
        .selectExpr("moment", "timestamp_seconds(moment) AS timestamp")
        .select("moment", *(clock.interval_start(F.col("timestamp"), zone, m).cast("long") for m in INTERVALS))
        .orderBy("moment")
        .collect()
    )
    for at, minutes in enumerate(INTERVALS, 1):
        starts = [datetime.fromtimestamp(row[at], UTC) for row in rows]
        assert starts == [first_of_bucket(datetime.fromtimestamp(row[0], UTC), zone, minutes) for row in rows]
        assert starts == sorted(starts), "time never goes back"
        local = [
            (moment.astimezone(zone), start.astimezone(zone)) for moment, start in zip(moments, starts, strict=True)
        ]
        assert all((a.date(), a.hour) == (b.date(), b.hour) for a, b in local), "hour and day stay"


def test_readings_one_interval_apart_never_share_a_start(spark: SparkSession) -> None:
    """Hourly readings of any phase, over both changes of the clock."""
    zone = ZoneInfo("Australia/Lord_Howe")
    for first in ("2025-04-05", "2025-10-04"):
        begin = int(clock.day_start(first, zone).timestamp())
        phases = [(phase, begin + 60 * phase + 3600 * hour) for phase in (0, 7, 30, 45) for hour in range(48)]
        frame = spark.createDataFrame(phases, "phase int, moment long")
        start = clock.interval_start(F.timestamp_seconds("moment"), zone, 60)
        assert frame.select("phase", start).distinct().count() == len(phases)


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "number"),
    [
        ("America/Los_Angeles", "2026-01-05", 5, 288),
        ("America/Los_Angeles", "2026-03-08", 5, 276),
        ("America/Los_Angeles", "2026-11-01", 5, 300),
        ("Asia/Kolkata", "2026-01-05", 60, 24),
        ("Australia/Lord_Howe", "2025-10-05", 60, 24),  # 23.5 hours, and an interval of half an hour
        ("Australia/Lord_Howe", "2025-04-06", 60, 25),  # 24.5 hours
        ("Australia/Lord_Howe", "2025-04-06", 15, 98),
    ],
)
def test_the_number_of_intervals_of_a_day(zone: str, day: str, minutes: int, number: int) -> None:
    assert clock.intervals_of_day(day, ZoneInfo(zone), minutes) == number


def test_most_zones_have_no_interval_that_a_change_of_the_clock_divides() -> None:
    assert [clock.irregular_changes(ZoneInfo(zone), 60) for zone in ("America/Los_Angeles", "Asia/Kolkata")] == [(), ()]
    assert clock.irregular_changes(ZoneInfo("Australia/Lord_Howe"), 30) == ()
    (change,) = clock.irregular_changes(ZoneInfo("Asia/Kathmandu"), 60)
    assert datetime.fromtimestamp(change, UTC) == datetime(1985, 12, 31, 18, 30, tzinfo=UTC)
