"""The partitions: local days of the network, and training weeks that begin on Monday.

What a day or a week is lives here and in `catalogue/clock.py`; which days a week trains on is `training_window`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from traffic_assets.catalogue.clock import day_range
from traffic_assets.settings import Settings

MONDAY = 1  # Dagster counts from Sunday
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a local day."""
    data = settings.data
    return dg.DailyPartitionsDefinition(
        start_date=data.first_day.isoformat(),
        end_date=(data.last_day + timedelta(days=1)).isoformat() if data.last_day else None,
        timezone=data.time_zone,
    )


def weekly(settings: Settings) -> dg.WeeklyPartitionsDefinition:
    """One partition a training week, from the Monday on or before the first day."""
    data = settings.data
    return dg.WeeklyPartitionsDefinition(
        start_date=_monday(data.first_day).isoformat(),
        end_date=(_monday(data.last_day) + timedelta(days=7)).isoformat() if data.last_day else None,
        timezone=data.time_zone,
        day_offset=MONDAY,
    )


def window_mapping(settings: Settings) -> dg.TimeWindowPartitionMapping:
    """The days of a training week's window: its own and those of the weeks before."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-(settings.training.window_weeks - 1), allow_nonexistent_upstream_partitions=True
    )


def training_window(week: str, settings: Settings) -> list[str]:
    """Keys of the days that a week trains on, in order: those of its weeks that the data has."""
    before, after = days_without_data(week, settings)
    outside = {*before, *after}
    return [day for day in _days_of_weeks(week, settings) if day not in outside]


def days_without_data(week: str, settings: Settings) -> tuple[list[str], list[str]]:
    """The days of a week's window that lie before data.first_day, and those after data.last_day."""
    days, data = _days_of_weeks(week, settings), settings.data
    before = [day for day in days if day < data.first_day.isoformat()]
    return before, [day for day in days if data.last_day and day > data.last_day.isoformat()]


def first_whole_week(settings: Settings) -> str:
    """The first week whose window begins no earlier than data.first_day."""
    first = _monday(settings.data.first_day + timedelta(days=6))
    return (first + timedelta(weeks=settings.training.window_weeks - 1)).isoformat()


def week_of(day: str) -> str:
    """The key of the training week that a day belongs to."""
    return _monday(date.fromisoformat(day)).isoformat()


def require_partition(tags: Mapping[str, str], partitions: dg.TimeWindowPartitionsDefinition, what: str) -> None:
    """Refuse a run without a usable partition key.

    This is not the first to read the tags: Dagster parses them where a run is created, so `dagster job execute`
    refuses a text that is no date, and a range with one end only, by a message of Dagster's own. `dg launch` compares
    its partitions with the job's before it creates a run, so a key that is not one of them does not get here.

    Args:
        tags: of the run.
        partitions: what the key must be one of.
        what: "day" or "week", for the message.

    Raises:
        dagster.Failure: naming what was given, what is allowed and how to give it.
    """
    keys = partitions.get_partition_keys()
    if not keys:
        raise _refused(f"there is no {what} to work on yet: none since data.first_day is over")
    allowed = f"allowed are {keys[0]} to {keys[-1]}"
    give_one = (
        f"give one by --partition {keys[-1]} (dg launch) or by "
        f'--tags \'{{"{PARTITION}": "{keys[-1]}"}}\' (dagster job execute)'
    )
    ends = {name: tags[name] for name in (RANGE_START, RANGE_END) if tags.get(name)}
    asked = [tags[PARTITION]] if tags.get(PARTITION) else []
    if what == "week" and ends:
        raise _refused(
            f"a range of weeks was given ({_listed(ends)}), but a run trains one week; {give_one} to a run for each "
            f"week; {allowed}"
        )
    if not asked and not ends:
        by_range = f", or a range by --partition-range FIRST...LAST or {RANGE_START} and {RANGE_END}"
        raise _refused(f"no {what} was given; {allowed}; {give_one}{by_range if what == 'day' else ''}")
    for key in [*asked, *ends.values()]:
        if not _is_key(key, partitions):
            raise _refused(f"{key!r} is not a {what} to work on: {_why_not(key, what, partitions)}; {allowed}")
    if len(ends) == 1:
        raise _refused(f"a range has two ends, and only one was given ({_listed(ends)}); {allowed}")
    if ends and ends[RANGE_START] > ends[RANGE_END]:
        raise _refused(f"the range ends before it begins ({_listed(ends)}); give the earlier {what} first; {allowed}")


def _is_key(key: str, partitions: dg.TimeWindowPartitionsDefinition) -> bool:
    try:
        return partitions.has_partition_key(key)
    except ValueError:  # no date at all
        return False


def _why_not(key: str, what: str, partitions: dg.TimeWindowPartitionsDefinition) -> str:
    try:
        day = date.fromisoformat(key)
    except ValueError:
        return "a key has the form YYYY-MM-DD"
    if what == "week" and _monday(day) != day:
        return f"weeks are named by their Monday, here {_monday(day)}"
    if day > datetime.now(UTC).date() - timedelta(days=8 if what == "week" else 2):
        return f"it is not over yet (time zone {partitions.timezone})"
    return "it lies outside data.first_day and data.last_day"


def _listed(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in tags.items())


def _refused(message: str) -> dg.Failure:
    return dg.Failure(message[:1].upper() + message[1:] + ".", allow_retries=False)


def _days_of_weeks(week: str, settings: Settings) -> list[str]:
    start = date.fromisoformat(week)
    first = start - timedelta(weeks=settings.training.window_weeks - 1)
    return day_range(first, start + timedelta(days=6))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
