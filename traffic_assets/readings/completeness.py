"""Completeness of a day: its rows, compared with those that its sensors would have in all intervals of the day.

Not here: counting the rows (`ingestion.py`), and the days that a training uses (`assets/training.py`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COMPLETENESS, SENSORS = "completeness", "sensors"
"""Fields of a day's record and of its metadata: share of the rows, and number of sensors with a row."""
SENSORS_WITH_TARGET = "sensors_with_target"
"""Field of a day's record: number of sensors with a speed."""


@dataclass(frozen=True)
class Completeness:
    """Rows of a day, and what they are compared with.

    Attributes:
        rows: Number of good rows.
        sensors: Number of sensors with at least one of them.
        intervals: Number of intervals of the day.
    """

    rows: int
    sensors: int
    intervals: int

    @property
    def share(self) -> float:
        """The rows as a share of sensors x intervals; 0 for a day without rows.

        >>> Completeness(rows=1, sensors=1, intervals=288).share
        0.003472222222222222
        """
        expected = self.sensors * self.intervals
        return self.rows / expected if expected else 0.0

    @property
    def record(self) -> dict[str, Any]:
        """The fields of the day's record."""
        return {COMPLETENESS: self.share, SENSORS: self.sensors, "intervals": self.intervals}

    @property
    def values(self) -> dict[str, Any]:
        """The values of a message."""
        return {**asdict(self), COMPLETENESS: self.share}


def is_complete(completeness: float | None, minimum: float) -> bool:
    """Return whether a day counts: its completeness reaches the minimum, or is not known.

    Args:
        completeness: Share of the rows; None for a day that was stored by an earlier version.
        minimum: Setting `data.minimum_completeness`.
    """
    return completeness is None or completeness >= minimum


def list_incomplete(records: Mapping[str, Mapping[str, Any]], minimum: float) -> dict[str, str]:
    """Return the completeness of each day with rows that is below the minimum, as a percentage.

    Args:
        records: Record of each day.
        minimum: Setting `data.minimum_completeness`.
    """
    return {
        day: as_percent(record[COMPLETENESS])
        for day, record in records.items()
        if record["rows"] and not is_complete(record.get(COMPLETENESS), minimum)
    }


def as_percent(share: float) -> str:
    """Return a measured share as a percentage of four digits.

    >>> as_percent(1 / 288)
    '0.3472%'
    """
    return f"{100 * share:.4g}%"


def limit_as_percent(share: float) -> str:
    """Return a limit as a percentage in full.

    >>> limit_as_percent(0.999999)
    '99.9999%'
    """
    return f"{100 * share:.15g}%"
