"""Fingerprints: what the content of a stored partition depends on, as values beside a hash.

A record contains the fingerprint of its partition in the field `fingerprint`:

    {"reading": {"values": {...}, "detected": [...], "hash": "..."},    how files were read
     "feature": {"values": {...}, "detected": [...], "hash": "..."},    how features were computed
     "inputs": {"the sensor table": {...}, "the day before": {...}},    what other partitions were built with
     "versions": {"<dataset or column>": 1, ...}}                       content versions of the code

Values are resolved: a default and the same value in a settings file give the same fingerprint. A *detected* value was
found in the data, because no setting has it. Two detected values always agree; a difference between them is a
difference of the data. A part or a value that only one of two fingerprints has is not compared, because earlier code
did not record it. Not here: which days of a week differ (`assets/day_settings.py`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from traffic_assets.catalogue.readings import READINGS_VERSION
from traffic_assets.catalogue.sensors import SENSORS_VERSION
from traffic_assets.settings.data import ALIASES, DataSettings

FINGERPRINT = "fingerprint"
"""Field of a record."""

SENSOR_TABLE, DAY_BEFORE = "the sensor table", "the day before"
"""Inputs of a day of the feature table."""
DATASETS = ("sensor_readings", "sensor_table")
"""Names of versions that are not those of columns."""

_DIGITS = 9  # a centre that was printed and written into the settings again


@dataclass(frozen=True)
class Part:
    """Resolved settings that a content depends on.

    Attributes:
        values: Value by name of the setting, without its section; values are JSON.
        detected: Names of the values that were found in the data.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    detected: frozenset[str] = frozenset()

    @property
    def hash(self) -> str:
        """A short hash of the values."""
        return short_hash({"values": self.values, "detected": sorted(self.detected)})

    def to_json(self) -> dict[str, Any]:
        """Return the part as a record contains it."""
        return {"values": dict(self.values), "detected": sorted(self.detected), "hash": self.hash}

    def differences(self, other: "Part") -> dict[str, tuple[Any, Any]]:
        """Return both values of each setting that differs, by name."""
        return {
            name: (value, other.values[name])
            for name, value in self.values.items()
            if name in other.values and not self._agrees(name, value, other)
        }

    def _agrees(self, name: str, value: Any, other: "Part") -> bool:
        both_detected = name in self.detected and name in other.detected
        unknown = (name in self.detected and value is None) or (name in other.detected and other.values[name] is None)
        return both_detected or unknown or _round(value) == _round(other.values[name])


@dataclass(frozen=True)
class Fingerprint:
    """What the content of a partition depends on.

    Attributes:
        reading: How files were read.
        feature: How features were computed.
        versions: Content version by dataset or column.
        inputs: What the other partitions behind it were built with, by name of the input.
    """

    reading: Part = field(default_factory=Part)
    feature: Part = field(default_factory=Part)
    versions: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, Part] = field(default_factory=dict)

    @property
    def code_version(self) -> str:
        """Dagster's code version of an asset: content versions, then settings.

        The file format is left out: the settings alone do not tell a format that is detected from one that is written.
        """
        versions = list(self.versions.values())
        content = str(versions[0]) if len(versions) == 1 else short_hash(self.versions)[:8]
        reading = {name: value for name, value in self.reading.values.items() if name != "format"}
        return f"{content}-{short_hash([reading, self.feature.hash])[:8]}"

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as a record contains it."""
        parts = {"reading": self.reading.to_json(), "feature": self.feature.to_json()}
        inputs = {name: part.to_json() for name, part in self.inputs.items()}
        return {**parts, "inputs": inputs, "versions": dict(self.versions)}

    def differences(self, other: "Fingerprint") -> dict[str, tuple[Any, Any]]:
        """Return both values of each setting that differs, by its path."""
        both = self.reading.differences(other.reading) | self.feature.differences(other.feature)
        differences = {f"data.{name}": values for name, values in both.items()}
        for source in self.inputs.keys() & other.inputs.keys():
            of_input = self.inputs[source].differences(other.inputs[source])
            differences |= {f"data.{name} of {source}": values for name, values in of_input.items()}
        return differences

    def version_differences(self, other: "Fingerprint", names: Iterable[str]) -> dict[str, tuple[Any, Any]]:
        """Return both content versions of each named dataset or column that differs; None for an absent column.

        The version of a dataset that only one of the two records is not compared.
        """
        versions = {name: (self.versions.get(name), other.versions.get(name)) for name in names}
        return {
            name: pair
            for name, pair in versions.items()
            if pair[0] != pair[1] and not (name in DATASETS and None in pair)
        }


def without_repeated(differences: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return differences to show: those of an input only if the day itself does not have them."""
    return {
        name: pair
        for name, pair in differences.items()
        if name.partition(" of ")[0] not in differences or " of " not in name
    }


def recorded_fingerprint(record: Mapping[str, Any]) -> Fingerprint | None:
    """Return the fingerprint of a record; None if earlier code wrote it."""
    stored = record.get(FINGERPRINT)
    if stored is None:
        return None
    inputs = {name: _read_part(part) for name, part in stored.get("inputs", {}).items()}
    return Fingerprint(_read_part(stored["reading"]), _read_part(stored["feature"]), stored["versions"], inputs)


def readings_fingerprint(data: DataSettings, detected_format: str | None = None) -> Fingerprint:
    """Return the fingerprint of a day of `sensor_readings`.

    Args:
        data: Settings of the input.
        detected_format: Format of the files if `data.format` is `auto`; None if it is not known.
    """
    clock = Part({"time_zone": data.time_zone, "interval_minutes": data.interval_minutes})
    return Fingerprint(_reading(data, detected_format), clock, {"sensor_readings": READINGS_VERSION})


def sensors_fingerprint(
    data: DataSettings, detected_format: str | None = None, center: Iterable[float | None] | None = None
) -> Fingerprint:
    """Return the fingerprint of `sensor_table`.

    Args:
        data: Settings of the input.
        detected_format: Format of the files if `data.format` is `auto`; None if it is not known.
        center: Mean position of the sensors, degrees, if `data.center` is not set; None if it is not known.
    """
    per_sensor = data.free_flow_speed == "per_sensor"
    values = {"time_zone": data.time_zone, "free_flow_speed": "per_sensor" if per_sensor else "one for all sensors"}
    feature = Part(values | {"center": _center(data, center)}, _detected_center(data))
    return Fingerprint(_reading(data, detected_format), feature, {"sensor_table": SENSORS_VERSION})


def features_fingerprint(
    data: DataSettings,
    columns: Mapping[str, int],
    readings: Fingerprint | None = None,
    sensors: Fingerprint | None = None,
    day_before: Fingerprint | None = None,
) -> Fingerprint:
    """Return the fingerprint of a day of `feature_table`.

    Files are read, and the centre is used, by the assets below it. So their values come from the fingerprints of the
    generations that the day was computed from. A fingerprint without values stands for a generation of earlier code.

    Args:
        data: Settings of the features.
        columns: Content version by column.
        readings: Fingerprint of the day of `sensor_readings`; None for one by the settings.
        sensors: Fingerprint of `sensor_table`; None for one by the settings.
        day_before: Fingerprint of the readings of the day before, which the first lags come from; None for one by the
            settings.
    """
    readings = readings or readings_fingerprint(data)
    sensors = sensors or sensors_fingerprint(data)
    values = {
        "time_zone": data.time_zone,
        "interval_minutes": data.interval_minutes,
        "free_flow_speed": data.free_flow_speed,
        "rush_hours": sorted([start, end] for start, end in data.rush_hours),
        "fill": data.fill.model_dump(mode="json") if data.fill.on else "off",
        **{name: value for name, value in sensors.feature.values.items() if name == "center"},
    }
    feature = Part(values, sensors.feature.detected & {"center"})
    described = {name: value for name, value in sensors.feature.values.items() if name != "center"}
    inputs = {
        SENSOR_TABLE: Part({**sensors.reading.values, **described}, sensors.reading.detected),
        DAY_BEFORE: (day_before or readings_fingerprint(data)).reading,
    }
    return Fingerprint(readings.reading, feature, {**columns, **readings.versions}, inputs)


def ready_made_fingerprint(
    data: DataSettings, columns: Iterable[str] = (), detected_format: str | None = None
) -> Fingerprint:
    """Return the fingerprint of a day of a ready-made `feature_table`, whose columns have the version of its reading.

    Args:
        data: Settings of the input.
        columns: Columns that the table has.
        detected_format: Format of the files if `data.format` is `auto`; None if it is not known.
    """
    read = readings_fingerprint(data, detected_format)
    return Fingerprint(read.reading, read.feature, dict.fromkeys((*columns, "sensor_readings"), READINGS_VERSION))


def _read_part(stored: Mapping[str, Any]) -> Part:
    return Part(stored["values"], frozenset(stored["detected"]))


def short_hash(value: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _reading(data: DataSettings, detected_format: str | None) -> Part:
    """Return how files are read."""
    detected = data.format == "auto"
    values = {
        "kind": data.kind,
        "format": detected_format if detected else data.format,
        # those that differ from the built-in ones
        "aliases": {alias: name for alias, name in sorted(data.aliases.items()) if ALIASES.get(alias) != name},
        "timestamps": data.timestamps,
        "timestamp_formats": list(data.timestamp_formats),
        "speed_unit": data.speed_unit,
    }
    return Part(values, frozenset({"format"} if detected else ()))


def _center(data: DataSettings, mean: Iterable[float | None] | None) -> list[float | None] | None:
    center = data.center or mean
    return None if center is None else list(center)


def _detected_center(data: DataSettings) -> frozenset[str]:
    return frozenset() if data.center else frozenset({"center"})


def _round(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_round(v) for v in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
