"""Days and weeks of the network, and the refusal of what is neither."""

from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    daily,
    first_whole_week,
    require_partition,
    training_window,
    week_of,
    weekly,
)
from traffic_assets_tests.tiny import tiny_settings


def test_weeks_begin_on_monday_and_in_the_networks_time_zone(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"first_day": "2026-01-07", "time_zone": "Europe/Berlin"}})
    weeks = weekly(settings)
    assert weeks.get_first_partition_key() == "2026-01-05"
    window = weeks.time_window_for_partition_key("2026-01-05")
    assert window.start.isoformat() == "2026-01-05T00:00:00+01:00"
    assert daily(settings).get_first_partition_key() == "2026-01-07"


def test_the_last_day_ends_both(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}})
    assert daily(settings).get_last_partition_key() == "2026-01-14"
    assert weekly(settings).get_last_partition_key() == "2026-01-12"


def test_a_window_is_the_week_and_those_before_it(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"window_weeks": 2, "minimum_days": None}})
    assert training_window("2026-01-12", settings)[0] == "2026-01-05"
    assert training_window("2026-01-12", settings)[-1] == "2026-01-18"
    assert len(training_window("2026-01-12", settings)) == 14
    assert training_window("2026-01-05", settings)[0] == "2026-01-05", "nothing before the first day"


def test_a_window_ends_with_the_last_day(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-07"}})
    assert training_window("2026-01-05", settings) == ["2026-01-05", "2026-01-06", "2026-01-07"]


@pytest.mark.parametrize(("first_day", "week"), [("2026-01-05", "2026-01-12"), ("2026-01-06", "2026-01-19")])
def test_the_first_whole_week_has_its_window_behind_it(tmp_path: Path, first_day: str, week: str) -> None:
    changes = {"data": {"first_day": first_day}, "training": {"window_weeks": 2, "minimum_days": None}}
    settings = tiny_settings(tmp_path, changes)
    assert first_whole_week(settings) == week
    assert len(training_window(week, settings)) == 14


@pytest.mark.parametrize(("day", "week"), [("2026-01-05", "2026-01-05"), ("2026-01-11", "2026-01-05")])
def test_a_day_belongs_to_the_week_of_its_monday(day: str, week: str) -> None:
    assert week_of(day) == week


def test_a_range_needs_both_ends_to_be_days(tmp_path: Path) -> None:
    days = daily(tiny_settings(tmp_path))
    require_partition({RANGE_START: "2026-01-05", RANGE_END: "2026-01-07"}, days, "day")
    with pytest.raises(dg.Failure, match="'2025-12-31' is not a day to work on"):
        require_partition({RANGE_START: "2025-12-31", RANGE_END: "2026-01-07"}, days, "day")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({RANGE_START: "2026-01-07", RANGE_END: "2026-01-05"}, "ends before it begins .*2026-01-07, .*2026-01-05"),
        ({RANGE_START: "2026-01-05"}, f"only one was given .{RANGE_START}: 2026-01-05"),
        ({RANGE_END: "2026-01-05"}, f"only one was given .{RANGE_END}: 2026-01-05"),
        ({PARTITION: "2026-01-05", RANGE_END: "2026-01-06"}, "only one was given"),
    ],
)
def test_half_a_range_and_a_reversed_one_are_refused_with_what_is_allowed(
    tmp_path: Path, tags: dict[str, str], said: str
) -> None:
    days = daily(tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}}))
    with pytest.raises(dg.Failure, match=f"{said}.*allowed are 2026-01-05 to 2026-01-14"):
        require_partition(tags, days, "day")


@pytest.mark.parametrize(
    "tags",
    [
        {RANGE_START: "2026-01-05", RANGE_END: "2026-01-12"},
        {RANGE_START: "2026-01-05", RANGE_END: "2026-01-05"},
        {RANGE_START: "2026-01-05"},
        {PARTITION: "2026-01-05", RANGE_START: "2026-01-05", RANGE_END: "2026-01-12"},
    ],
)
def test_a_range_of_weeks_is_refused(tmp_path: Path, tags: dict[str, str]) -> None:
    weeks = weekly(tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}}))
    with pytest.raises(dg.Failure, match=r"A range of weeks .*: 2026-01-05.* one week.*2026-01-05 to 2026-01-12"):
        require_partition(tags, weeks, "week")


def test_the_hint_fits_both_command_lines(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}})
    with pytest.raises(dg.Failure) as week:
        require_partition({}, weekly(settings), "week")
    assert f'--partition 2026-01-12 (dg launch) or by --tags \'{{"{PARTITION}": "2026-01-12"}}\'' in str(week.value)
    assert "range" not in str(week.value), "a run trains one week"
    with pytest.raises(dg.Failure) as day:
        require_partition({}, daily(settings), "day")
    assert f"a range by --partition-range FIRST...LAST or {RANGE_START} and {RANGE_END}" in str(day.value)


@pytest.mark.parametrize("key", ["2026-1-5", "latest", "../../etc/passwd", "2026-01-05/..", ""])
def test_what_is_no_key_is_refused_with_the_form(tmp_path: Path, key: str) -> None:
    with pytest.raises(dg.Failure, match=r"YYYY-MM-DD|No week was given"):
        require_partition({PARTITION: key}, weekly(tiny_settings(tmp_path)), "week")


def test_before_the_first_week_is_over_there_is_none(tmp_path: Path) -> None:
    weeks = weekly(tiny_settings(tmp_path, {"data": {"first_day": "2999-01-07"}}))
    with pytest.raises(dg.Failure, match="There is no week to work on yet"):
        require_partition({PARTITION: "2999-01-05"}, weeks, "week")
