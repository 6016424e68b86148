"""The section `data`: where readings come from and how they are to be understood."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from traffic_assets.settings.section import Name, Section
from traffic_assets.settings.uri import absolute_uri

Percent = Annotated[float, Field(ge=0, le=1)]
Hour = Annotated[float, Field(ge=0, le=24)]

# What users' files call our columns; a setting adds to this or replaces an entry.
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


class FillSettings(Section):
    """How gaps in a sensor's speeds are filled before lags and moving means are taken; off by default.

    What fills a gap was measured before the reading whose past it is in; the target is never filled.
    """

    forward_fill: bool = Field(default=False, description="a missing speed is the last one before it")
    interpolation: bool = Field(
        default=False, description="a missing speed lies on the line between its neighbours; comes before forward_fill"
    )
    longest_gap_minutes: Annotated[int, Field(ge=1, le=360)] = Field(
        default=15, description="how far from the missing speed those that fill it may lie"
    )

    @property
    def on(self) -> bool:
        """Whether anything is filled."""
        return self.forward_fill or self.interpolation


class DataSettings(Section):
    """Where readings come from and how they are to be understood."""

    source: str | None = Field(default=None, description="URI of the input; {base_uri}/raw/readings if absent")
    kind: Literal["readings", "features"] = Field(
        default="readings", description="raw detector readings, or a ready-made feature table (read only)"
    )
    format: Literal["auto", "parquet", "csv", "json"] = "auto"
    sensors_source: str | None = Field(
        default=None, description="URI of sensor metadata; taken from the readings if absent"
    )
    aliases: dict[Name, Name] = Field(
        default_factory=dict, description="name in the file -> our name, beside the names that are known"
    )
    time_zone: str = Field(default="America/Los_Angeles", description="the network's; days and weeks are local")
    timestamps: Literal["utc", "local"] = Field(
        default="utc", description="what a timestamp without a zone means in the input"
    )
    timestamp_formats: list[Name] = Field(
        default=["MM/dd/yyyy HH:mm:ss"], description="tried after ISO 8601, as Spark's to_timestamp writes them"
    )
    interval_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    speed_unit: Literal["mph", "km/h"] = "mph"
    first_day: date = Field(default=date(2024, 1, 1), description="the first daily partition")
    last_day: date | None = Field(default=None, description="the last daily partition; open if absent")
    free_flow_speed: Annotated[float, Field(gt=0)] | Literal["per_sensor"] = Field(
        default=65.0, description="mph for the whole network, or per_sensor (85th percentile at night)"
    )
    center: tuple[float, float] | None = Field(
        default=None, description="latitude, longitude; the mean of the sensors if absent"
    )
    rush_hours: list[tuple[Hour, Hour]] = Field(default=[(7, 10), (16, 19)], description="local, on weekdays")
    max_bad_share: Percent = Field(default=0.05, description="a day with more quarantined rows is refused")
    fill: FillSettings = Field(default_factory=FillSettings)

    @field_validator("source", "sensors_source")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return None if value is None else absolute_uri(value)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError("not a time zone of the IANA database, such as America/Los_Angeles") from error
        return value

    @model_validator(mode="after")
    def _days_are_in_order(self) -> "DataSettings":
        if self.last_day and self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} lies before first_day {self.first_day}")
        for start, end in self.rush_hours:
            if start >= end:
                raise ValueError(f"rush_hours: {start} to {end} is not a span; give [from, to] with from < to")
        return self

    @model_validator(mode="after")
    def _only_readings_are_filled(self) -> "DataSettings":
        if self.fill.on and self.kind == "features":
            raise ValueError("fill acts on readings; a ready-made feature table (kind features) is taken as it is")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The network's time zone."""
        return ZoneInfo(self.time_zone)
