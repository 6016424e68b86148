"""Partitions: local days of the network, and training weeks that begin on Monday.

The keys of days are defined in `catalogue/clock.py`. `training_window` returns the days that a week trains on.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from traffic_assets.catalogue.clock import day_range
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import runs as messages
from traffic_assets.settings import Settings

MONDAY = 1  # Dagster counts from Sunday
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def build_daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Return one partition for each local day."""
    data = settings.data
    return dg.DailyPartitionsDefinition(
        start_date=data.first_day.isoformat(),
        end_date=(data.last_day + timedelta(days=1)).isoformat() if data.last_day else None,
        timezone=data.time_zone,
    )


def build_weekly_partitions(settings: Settings) -> dg.WeeklyPartitionsDefinition:
    """Return one partition for each training week, from the Monday on or before the first day."""
    data = settings.data
    return dg.WeeklyPartitionsDefinition(
        start_date=_monday(data.first_day).isoformat(),
        end_date=(_monday(data.last_day) + timedelta(days=7)).isoformat() if data.last_day else None,
        timezone=data.time_zone,
        day_offset=MONDAY,
    )


def window_mapping(settings: Settings) -> dg.TimeWindowPartitionMapping:
    """Map a training week to the days of its window: its own days and those of the weeks before."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-(settings.training.window_weeks - 1), allow_nonexistent_upstream_partitions=True
    )


def training_window(week: str, settings: Settings) -> list[str]:
    """Return the keys of the days that a week trains on, in order, within data.first_day and data.last_day."""
    before, after = days_without_data(week, settings)
    outside = {*before, *after}
    return [day for day in _days_of_weeks(week, settings) if day not in outside]


def days_without_data(week: str, settings: Settings) -> tuple[list[str], list[str]]:
    """Return the days of a week's window before data.first_day, and those after data.last_day."""
    days, data = _days_of_weeks(week, settings), settings.data
    before = [day for day in days if day < data.first_day.isoformat()]
    return before, [day for day in days if data.last_day and day > data.last_day.isoformat()]


def first_whole_week(settings: Settings) -> str:
    """Return the first week whose window begins on data.first_day or later."""
    first = _monday(settings.data.first_day + timedelta(days=6))
    return (first + timedelta(weeks=settings.training.window_weeks - 1)).isoformat()


def get_week(day: str) -> str:
    """Return the key of the training week that contains a day."""
    return _monday(date.fromisoformat(day)).isoformat()


def require_partition(tags: Mapping[str, str], partitions: dg.TimeWindowPartitionsDefinition, kind: str) -> None:
    """Raise if a run has no valid partition key.

    Dagster reads the tags first: `dagster job execute` refuses a key that is not a date, and a range with one end only.
    `dg launch` compares its partitions with those of the job before it creates a run.

    Args:
        tags: Tags of the run.
        partitions: Definition with the valid keys.
        kind: "day" or "week".

    Raises:
        dagster.Failure: If the run has no partition, or one that is not valid.
    """
    if problem := find_partition_problem(tags, partitions, kind):
        raise dg.Failure(problem, allow_retries=False)


def find_partition_problem(
    tags: Mapping[str, str], partitions: dg.TimeWindowPartitionsDefinition, kind: str
) -> CodedText | None:
    """Return the reason why a run with these tags has no valid partition key, or None.

    Args:
        tags: Tags of the run.
        partitions: Definition with the valid keys.
        kind: "day" or "week".
    """
    keys = partitions.get_partition_keys()
    if not keys:
        return messages.NO_PARTITION_YET(kind=kind, start=partitions.start.date().isoformat())
    allowed = {"first": keys[0], "last": keys[-1]}
    ends = {name: tags[name] for name in (RANGE_START, RANGE_END) if tags.get(name)}
    single = [tags[PARTITION]] if tags.get(PARTITION) else []
    if kind == "week" and ends:
        return messages.RANGE_OF_WEEKS(given=ends, **allowed)
    if not single and not ends:
        return (messages.NO_DAY if kind == "day" else messages.NO_WEEK)(**allowed)
    for key in [*single, *ends.values()]:
        if not _is_key(key, partitions):
            return _describe_invalid_key(key, kind, partitions, allowed)
    if len(ends) == 1:
        (missing,) = {RANGE_START, RANGE_END}.difference(ends)
        return messages.HALF_RANGE(given=ends, missing=missing, **allowed)
    if ends and ends[RANGE_START] > ends[RANGE_END]:
        return messages.REVERSED_RANGE(given=ends, **allowed)
    return None


def _is_key(key: str, partitions: dg.TimeWindowPartitionsDefinition) -> bool:
    try:
        return partitions.has_partition_key(key)
    except ValueError:  # not a date
        return False


def _describe_invalid_key(
    key: str, kind: str, partitions: dg.TimeWindowPartitionsDefinition, allowed: Mapping[str, str]
) -> CodedText:
    """Return why a key is not valid."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        return messages.NOT_A_DATE(given=key, kind=kind, **allowed)
    if kind == "week" and _monday(day) != day:
        return messages.NOT_A_MONDAY(given=key, monday=_monday(day).isoformat(), **allowed)
    if day > datetime.now(UTC).date() - timedelta(days=8 if kind == "week" else 2):
        return messages.NOT_OVER(given=key, kind=kind, zone=str(partitions.timezone), **allowed)
    return messages.OUTSIDE_DATA(given=key, kind=kind, **allowed)


def _days_of_weeks(week: str, settings: Settings) -> list[str]:
    start = date.fromisoformat(week)
    first = start - timedelta(weeks=settings.training.window_weeks - 1)
    return day_range(first, start + timedelta(days=6))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
