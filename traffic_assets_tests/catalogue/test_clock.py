"""Local days with 23 to 25 hours, and the local day of a timestamp."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from traffic_assets.catalogue import clock
from traffic_assets_tests.codes import get_code

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LA = ZoneInfo("America/Los_Angeles")


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
