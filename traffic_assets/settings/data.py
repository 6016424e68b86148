"""The section `data`: sources, formats and units of the input."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from traffic_assets.messages import settings as messages
from traffic_assets.settings.section import Name, Section
from traffic_assets.settings.timestamp_patterns import find_pattern_problem
from traffic_assets.settings.uri import absolute_uri

Percent = Annotated[float, Field(ge=0, le=1)]
Hour = Annotated[float, Field(ge=0, le=24)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
"""Range of daily partitions; the arithmetic of dates ends soon after it."""
DayCheck = Literal["has_rows", "complete", "few_quarantined", "no_unknown_sensor", "no_missing_column"]
"""Checks of sensors, readings and features that a deployment can make blocking."""

ALIASES = {
    "avg_speed": "speed",
    "speed_mph": "speed",
    "traffic_volume": "flow",
    "volume": "flow",
    "occ": "occupancy",
    "station": "sensor_id",
    "station_id": "sensor_id",
    "detector_id": "sensor_id",
    "ts": "timestamp",
    "time": "timestamp",
    "datetime": "timestamp",
    "lat": "latitude",
    "lon": "longitude",
    "lng": "longitude",
    "freeway": "highway",
    "road": "highway",
}
"""Column of the catalogue by common column name of input files; the setting `aliases` extends or replaces them."""


def _parsable(pattern: str) -> str:
    if problem := find_pattern_problem(pattern):
        raise ValueError(problem)
    return pattern


class FillSettings(Section):
    """Fills of gaps in a sensor's speeds, applied before lags and moving means; off by default.

    A fill uses only speeds from before the reading that the feature belongs to. The target is never filled.
    """

    forward_fill: bool = Field(
        default=False, description="Fill a missing speed with the sensor's last speed before it."
    )
    interpolation: bool = Field(
        default=False,
        description="Fill a missing speed by linear interpolation between its neighbours, before `forward_fill`.",
    )
    longest_gap_minutes: Annotated[int, Field(ge=1, le=360)] = Field(
        default=15, description="Maximum distance in minutes between a missing speed and a speed that fills it."
    )

    @property
    def on(self) -> bool:
        """True if any fill is on."""
        return self.forward_fill or self.interpolation


class DataSettings(Section):
    """Sources, formats and units of the input."""

    source: str | None = Field(default=None, description="URI of the input files. Default: `{base_uri}/raw/readings`.")
    kind: Literal["readings", "features"] = Field(
        default="readings",
        description="`readings` for raw detector readings, `features` for a ready-made feature table.",
    )
    format: Literal["auto", "parquet", "csv", "json"] = Field(
        default="auto", description="File format of the input. `auto` uses the file extension."
    )
    sensors_source: str | None = Field(
        default=None, description="URI of a table of sensors. Default: sensors are derived from the readings."
    )
    aliases: dict[Name, Name] = Field(
        default_factory=dict,
        description="Additional column names: maps a column of the file to a column of the catalogue.",
    )
    time_zone: str = Field(
        default="America/Los_Angeles", description="IANA time zone of the network. Days and weeks are local."
    )
    timestamps: Literal["utc", "local"] = Field(
        default="utc", description="Time zone of input timestamps that name none: UTC or `time_zone`."
    )
    timestamp_formats: list[Annotated[Name, AfterValidator(_parsable)]] = Field(
        default=["MM/dd/yyyy HH:mm:ss"],
        description="Timestamp patterns of Spark's `to_timestamp`, tried after ISO 8601.",
    )
    interval_minutes: Annotated[int, Field(ge=1, le=60)] = Field(
        default=5, description="Length of a reading's interval, in minutes."
    )
    speed_unit: Literal["mph", "km/h"] = Field(
        default="mph", description="Unit of speeds in the input. Speeds are converted to mph when they are read."
    )
    first_day: date = Field(default=date(2024, 1, 1), description="First daily partition.")
    last_day: date | None = Field(default=None, description="Last daily partition. Default: the last complete day.")
    free_flow_speed: Annotated[float, Field(gt=0)] | Literal["per_sensor"] = Field(
        default=65.0,
        description="Free-flow speed in mph, or `per_sensor` for each sensor's 85th percentile at night.",
    )
    center: tuple[Latitude, Longitude] | None = Field(
        default=None,
        description="Latitude and longitude of the network's centre. Default: the mean position of the sensors.",
    )
    rush_hours: list[tuple[Hour, Hour]] = Field(
        default=[(7, 10), (16, 19)], description="Rush hours on weekdays, as pairs of local hours [from, to]."
    )
    max_bad_share: Percent = Field(
        default=0.05, description="Maximum share of quarantined rows. A day with more is refused."
    )
    minimum_completeness: Percent = Field(
        default=0.5,
        description="Minimum share of the readings that a day's sensors would have in all intervals of the day. A day "
        "with less warns and does not count for training. 0 turns it off.",
    )
    blocking_checks: list[DayCheck] = Field(
        default=[],
        description="Checks of sensors, readings and features that stop a run if they fail. The others only warn.",
    )
    fill: FillSettings = Field(default_factory=FillSettings)

    @field_validator("source", "sensors_source")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return None if value is None else absolute_uri(value)

    @field_validator("interval_minutes")
    @classmethod
    def _divides_an_hour(cls, value: int) -> int:
        if 60 % value:
            allowed = [minutes for minutes in range(1, 61) if 60 % minutes == 0]
            raise ValueError(messages.INTERVAL_NOT_IN_HOUR(minutes=value, allowed=allowed))
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(messages.UNKNOWN_TIME_ZONE(zone=value)) from error
        return value

    @field_validator("first_day", "last_day")
    @classmethod
    def _within_range(cls, value: date | None) -> date | None:
        if value is not None and not FIRST_DAY <= value <= LAST_DAY:
            raise ValueError(messages.DAY_OUT_OF_RANGE(day=value, first=FIRST_DAY, last=LAST_DAY))
        return value

    @model_validator(mode="after")
    def _days_are_in_order(self) -> "DataSettings":
        if self.last_day and self.last_day < self.first_day:
            raise ValueError(messages.DAYS_OUT_OF_ORDER(first_day=self.first_day, last_day=self.last_day))
        for start, end in self.rush_hours:
            if start >= end:
                raise ValueError(messages.INVALID_RUSH_HOURS(start=start, end=end))
        return self

    @model_validator(mode="after")
    def _only_readings_are_filled(self) -> "DataSettings":
        if self.fill.on and self.kind == "features":
            raise ValueError(messages.FILLED_FEATURE_TABLE())
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The network's time zone, parsed."""
        return ZoneInfo(self.time_zone)
