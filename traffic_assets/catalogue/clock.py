"""Local days of the network: keys, their bounds in UTC, and the local clock of a timestamp column.

Days are local because a traffic day is; timestamps are stored in UTC. pyspark is imported in
the two functions that need it, since partitions are built when the code location loads. Those live in
`traffic_assets/partitions.py`.
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
    """The key of a day's partition, `YYYY-MM-DD`."""
    return day.isoformat()


def previous_day(key: str, days: int = 1) -> str:
    """The key of the day `days` before."""
    return day_key(date.fromisoformat(key) - days * DAY)


def day_range(first: date, last: date) -> list[str]:
    """Keys of the days from first to last, both included."""
    return [day_key(first + i * DAY) for i in range((last - first).days + 1)]


def day_start(key: str, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC."""
    return datetime.fromisoformat(key).replace(tzinfo=zone).astimezone(UTC)


def bounds(keys: Iterable[str], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of the earliest day and first instant after the latest, in UTC.

    Raises:
        ValueError: without keys.
    """
    ordered = sorted(keys)
    if not ordered:
        raise ValueError(messages.NO_DAYS())
    return day_start(ordered[0], zone), day_start(previous_day(ordered[-1], -1), zone)


def local_time(timestamp: str, zone: ZoneInfo) -> "Column":
    """The wall clock of a UTC timestamp column (the session's time zone is UTC)."""
    from pyspark.sql import functions as F

    return F.from_utc_timestamp(F.col(timestamp), zone.key)


def local_day(timestamp: str, zone: ZoneInfo) -> "Column":
    """The key of the local day of a UTC timestamp column."""
    from pyspark.sql import functions as F

    return F.date_format(local_time(timestamp, zone), "yyyy-MM-dd")
