"""Days and weeks of the network, and the refusal of other keys."""

from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    build_daily_partitions,
    build_weekly_partitions,
    first_whole_week,
    get_week,
    require_partition,
    training_window,
)
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.tiny import tiny_settings


def test_weeks_begin_on_monday_and_in_the_networks_time_zone(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"first_day": "2026-01-07", "time_zone": "Europe/Berlin"}})
    weeks = build_weekly_partitions(settings)
    assert weeks.get_first_partition_key() == "2026-01-05"
    window = weeks.time_window_for_partition_key("2026-01-05")
    assert window.start.isoformat() == "2026-01-05T00:00:00+01:00"
    assert build_daily_partitions(settings).get_first_partition_key() == "2026-01-07"


def test_the_last_day_ends_both(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}})
    assert build_daily_partitions(settings).get_last_partition_key() == "2026-01-14"
    assert build_weekly_partitions(settings).get_last_partition_key() == "2026-01-12"


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
def test_the_first_whole_week_has_a_complete_window(tmp_path: Path, first_day: str, week: str) -> None:
    changes = {"data": {"first_day": first_day}, "training": {"window_weeks": 2, "minimum_days": None}}
    settings = tiny_settings(tmp_path, changes)
    assert first_whole_week(settings) == week
    assert len(training_window(week, settings)) == 14


@pytest.mark.parametrize(("day", "week"), [("2026-01-05", "2026-01-05"), ("2026-01-11", "2026-01-05")])
def test_a_day_belongs_to_the_week_of_its_monday(day: str, week: str) -> None:
    assert get_week(day) == week


def refusal(tags: dict[str, str], partitions: dg.TimeWindowPartitionsDefinition, kind: str) -> dg.Failure:
    with pytest.raises(dg.Failure) as refused:
        require_partition(tags, partitions, kind)
    assert not refused.value.allow_retries
    return refused.value


def test_a_range_needs_both_ends_to_be_days(tmp_path: Path) -> None:
    days = build_daily_partitions(tiny_settings(tmp_path))
    require_partition({RANGE_START: "2026-01-05", RANGE_END: "2026-01-07"}, days, "day")
    refused = refusal({RANGE_START: "2025-12-31", RANGE_END: "2026-01-07"}, days, "day")
    assert get_code(refused) == "runs.outside-data"
    assert get_values(refused)["given"] == "2025-12-31"


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({RANGE_START: "2026-01-07", RANGE_END: "2026-01-05"}, "runs.reversed-range"),
        ({RANGE_START: "2026-01-05"}, "runs.half-range"),
        ({RANGE_END: "2026-01-05"}, "runs.half-range"),
        ({PARTITION: "2026-01-05", RANGE_END: "2026-01-06"}, "runs.half-range"),
    ],
)
def test_half_a_range_and_a_reversed_one_are_refused_with_what_is_allowed(
    tmp_path: Path, tags: dict[str, str], code: str
) -> None:
    days = build_daily_partitions(tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}}))
    refused = refusal(tags, days, "day")
    assert get_code(refused) == code
    values = get_values(refused)
    assert (values["first"], values["last"]) == ("2026-01-05", "2026-01-14")
    ends = {name: value for name, value in tags.items() if name != PARTITION}
    assert values["given"] == ends
    if code == "runs.half-range":
        assert {values["missing"], *ends} == {RANGE_START, RANGE_END}


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
    weeks = build_weekly_partitions(tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}}))
    refused = refusal(tags, weeks, "week")
    assert get_code(refused) == "runs.range-of-weeks"
    values = get_values(refused)
    assert values["given"][RANGE_START] == "2026-01-05"
    assert (values["first"], values["last"]) == ("2026-01-05", "2026-01-12")


def test_the_hint_has_the_options_of_both_command_lines(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-14"}})
    week = refusal({}, build_weekly_partitions(settings), "week")
    assert get_code(week) == "runs.no-week"
    assert f'--partition 2026-01-12 (dg launch) or --tags \'{{"{PARTITION}": "2026-01-12"}}\'' in str(week)
    assert "range" not in str(week), "a run trains one week"
    day = refusal({}, build_daily_partitions(settings), "day")
    assert get_code(day) == "runs.no-day"
    assert "For a range, pass --partition-range FIRST...LAST" in str(day)
    assert f"{RANGE_START} and {RANGE_END}" in str(day)


@pytest.mark.parametrize("key", ["2026-1-5", "latest", "../../etc/passwd", "2026-01-05/..", ""])
def test_an_invalid_key_is_refused_with_the_form(tmp_path: Path, key: str) -> None:
    refused = refusal({PARTITION: key}, build_weekly_partitions(tiny_settings(tmp_path)), "week")
    assert get_code(refused) == ("runs.not-a-date" if key else "runs.no-week")
    if key:
        assert get_values(refused)["given"] == key


def test_a_day_that_is_not_a_monday_is_refused_as_a_week(tmp_path: Path) -> None:
    refused = refusal({PARTITION: "2026-01-07"}, build_weekly_partitions(tiny_settings(tmp_path)), "week")
    assert get_code(refused) == "runs.not-a-monday"
    assert get_values(refused)["monday"] == "2026-01-05"


def test_a_week_that_is_not_over_is_refused(tmp_path: Path) -> None:
    refused = refusal({PARTITION: "2999-01-07"}, build_weekly_partitions(tiny_settings(tmp_path)), "week")
    assert get_code(refused) == "runs.not-over"
    assert get_values(refused)["zone"] == "America/Los_Angeles"


def test_before_the_first_week_is_over_there_is_none(tmp_path: Path) -> None:
    weeks = build_weekly_partitions(tiny_settings(tmp_path, {"data": {"first_day": "2999-01-07"}}))
    refused = refusal({PARTITION: "2999-01-05"}, weeks, "week")
    assert get_code(refused) == "runs.no-partition-yet"
    assert get_values(refused)["kind"] == "week"
