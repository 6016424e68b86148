"""Local days of the network: keys, bounds in UTC, and the local time of a timestamp column.

Partitions are local days; timestamps are stored in UTC. Only the two functions that need pyspark import it, because the
code location loads this module. Not here: partitions (`traffic_assets/partitions.py`).
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from traffic_assets.messages import features as messages

if TYPE_CHECKING:
    from pyspark.sql import Column

DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")


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
