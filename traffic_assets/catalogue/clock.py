"""Local days and intervals of the network: keys, bounds in UTC, and the local time of a timestamp column.

Partitions are local days; timestamps are stored in UTC. Intervals are aligned on local time. Only the functions that
need pyspark import it, because the code location loads this module. Not here: partitions
(`traffic_assets/partitions.py`).
"""

import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from traffic_assets.messages import features as messages

if TYPE_CHECKING:
    from pyspark.sql import Column

DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")
_YEARS = (1970, 2100)
"""Years in which `irregular_changes` looks for changes of the clock."""


def day_key(day: date) -> str:
    """Return the key of a day's partition.

    >>> day_key(date(2026, 1, 5))
    '2026-01-05'
    """
    return day.isoformat()


def previous_day(key: str, days: int = 1) -> str:
    """Return the key of the day that is `days` earlier.

    >>> previous_day("2026-01-01")
    '2025-12-31'
    """
    return day_key(date.fromisoformat(key) - days * DAY)


def day_range(first: date, last: date) -> list[str]:
    """Return the keys of the days from first to last, inclusive."""
    return [day_key(first + i * DAY) for i in range((last - first).days + 1)]


def day_start(key: str, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return datetime.fromisoformat(key).replace(tzinfo=zone).astimezone(UTC)


def bounds(keys: Iterable[str], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of the earliest day, and the first instant after the latest, in UTC.

    Raises:
        ValueError: If there are no keys.
    """
    ordered = sorted(keys)
    if not ordered:
        raise ValueError(messages.NO_DAYS())
    return day_start(ordered[0], zone), day_start(previous_day(ordered[-1], -1), zone)


def local_time(timestamp: str, zone: ZoneInfo) -> "Column":
    """Return the local time of a UTC timestamp column, for a session whose time zone is UTC."""
    from pyspark.sql import functions as F

    return F.from_utc_timestamp(F.col(timestamp), zone.key)


def local_day(timestamp: str, zone: ZoneInfo) -> "Column":
    """Return the key of the local day of a UTC timestamp column."""
    from pyspark.sql import functions as F

    return F.date_format(local_time(timestamp, zone), "yyyy-MM-dd")


def intervals_of_day(key: str, zone: ZoneInfo, minutes: int) -> int:
    """Return the number of intervals of a local day, which has 23 to 25 hours.

    >>> [intervals_of_day(f"2026-{day}", ZoneInfo("America/Los_Angeles"), 5) for day in ("01-05", "03-08", "11-01")]
    [288, 276, 300]
    """
    start, end = bounds([key], zone)
    return math.ceil((end - start) / timedelta(minutes=minutes))


def interval_start(timestamp: "Column", zone: ZoneInfo, minutes: int) -> "Column":
    """Return the start of the local interval that contains each UTC timestamp, for a session whose time zone is UTC.

    Intervals begin at local midnight plus a multiple of their length, and where a change of the clock divides one.
    Starts are instants, so the two readings of a repeated hour keep different keys.

    Args:
        timestamp: UTC timestamps.
        zone: Time zone of the network.
        minutes: Length of an interval, a divisor of 60.
    """
    from pyspark.sql import functions as F

    def offset(seconds: "Column") -> "Column":
        return F.from_utc_timestamp(F.timestamp_seconds(seconds), zone.key).cast("long") - seconds

    seconds = timestamp.cast("long")
    start = seconds - F.pmod(seconds + offset(seconds), F.lit(60 * minutes))
    if changes := irregular_changes(zone, minutes):
        before = F.filter(F.array(*map(F.lit, changes)), lambda change: change <= seconds)
        start = F.when(offset(start) == offset(seconds), start).otherwise(F.greatest(start, F.array_max(before)))
    return F.timestamp_seconds(start)


@cache
def irregular_changes(zone: ZoneInfo, minutes: int) -> tuple[int, ...]:
    """Return the changes of the clock that divide a local interval, as seconds since 1970.

    Most zones have none. In the others, the part after the change is an interval of its own. Otherwise its start would
    be an instant before the change, whose local time is in another hour or on another day.

    >>> irregular_changes(ZoneInfo("America/Los_Angeles"), 60)
    ()
    >>> irregular_changes(ZoneInfo("Asia/Kathmandu"), 60)  # 1986, from 5:30 to 5:45 hours
    (504901800,)
    """
    first, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in _YEARS)
    week = 7 * 24 * 3600
    changes = []
    for start in range(first, end, week):
        if _offset(start, zone) != _offset(start + week, zone):
            changes.append(_find_change(start, start + week, zone))
    return tuple(change for change in changes if (change + _offset(change, zone)) % (60 * minutes))


def _find_change(before: int, after: int, zone: ZoneInfo) -> int:
    """Return the first second with a new offset between two instants, by bisection."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after


def _offset(seconds: int, zone: ZoneInfo) -> int:
    """Return the seconds that local time is ahead of UTC."""
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
