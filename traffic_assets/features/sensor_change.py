"""Changes of settings or code since the previous sensor table, and the values that they make unknown.

Not here: building the table (`sensors.py`), and fingerprints (`catalogue/fingerprint.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from traffic_assets.catalogue.fingerprint import Fingerprint, sensors_fingerprint
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.settings.data import ALIASES, DataSettings

FREE_FLOW = "free_flow_speed"
_ALL = frozenset({*(column.name for column in SENSOR_COLUMNS), FREE_FLOW} - {"sensor_id"})
_READING_TIMES = frozenset({"speed", "timestamp"})
"""Columns of the input that free-flow speeds are computed from."""
_FREE_FLOW_SETTINGS = ("timestamps", "timestamp_formats", "speed_unit", "time_zone", "free_flow_speed")
_DERIVED_SETTINGS = frozenset({"data.center"})
"""Settings of values that every build computes again, without reading files."""


@dataclass(frozen=True)
class Change:
    """What changed since the previous table.

    Attributes:
        settings: Both values of each setting that differs, by its path.
        stale: Columns whose previous values depend on these settings.
        rebuilt: True if previous values are replaced where the files still have them: another content version, or no
            fingerprint.
        days: Days whose folders are new or changed; None if the source has no day folders.
    """

    settings: Mapping[str, tuple[Any, Any]] | None = None
    stale: frozenset[str] = frozenset()
    rebuilt: bool = False
    days: list[str] | None = None

    def __bool__(self) -> bool:
        return bool(self.settings) or self.rebuilt

    @property
    def read_again(self) -> bool:
        """True if every file must be read again."""
        return self.rebuilt or bool(set(self.settings or ()) - _DERIVED_SETTINGS)


def find_change(previous: Fingerprint | None, data: DataSettings) -> Change:
    """Return what changed since a table with a fingerprint; without one, nothing is known to depend on a change."""
    current = sensors_fingerprint(data)
    if previous is None:
        return Change(rebuilt=True)
    settings = previous.differences(current)
    rebuilt = bool(previous.version_differences(current, current.versions))
    return Change(settings, _stale_columns(settings), rebuilt)


def find_lost_values(old: Iterable[Any], new: Iterable[Any], change: Change) -> dict[str, list[str]]:
    """Return the sensors that lose a value that depends on a changed setting, by column.

    Args:
        old: Rows of the previous table.
        new: Rows of the new table.
        change: What changed between them.
    """
    values = {row["sensor_id"]: row for row in new}
    rows = list(old)
    lost = {
        column: sorted(
            row["sensor_id"] for row in rows if row[column] is not None and values[row["sensor_id"]][column] is None
        )
        for column in sorted(change.stale)
    }
    return {column: sensors for column, sensors in lost.items() if sensors}


def _stale_columns(settings: Mapping[str, tuple[Any, Any]]) -> frozenset[str]:
    if {"data.kind", "data.format"} & settings.keys():
        return _ALL
    columns = _columns_of_aliases(*settings.get("data.aliases", ({}, {})))
    if "sensor_id" in columns:
        return _ALL
    stale = columns & _ALL
    if columns & _READING_TIMES or any(f"data.{name}" in settings for name in _FREE_FLOW_SETTINGS):
        stale |= {FREE_FLOW}
    return frozenset(stale)


def _columns_of_aliases(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Return the columns of the catalogue that aliases which differ concern."""
    changed = [alias for alias in {**old, **new} if old.get(alias) != new.get(alias)]
    named = {name for alias in changed for name in (alias, old.get(alias), new.get(alias), ALIASES.get(alias))}
    return {name for name in named if name is not None}
