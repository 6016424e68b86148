"""Specification of a sample, with the allowed values."""

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import available_timezones

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from traffic_assets.messages import simulation as messages

Array = NDArray[Any]
_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "sensors": ("1 to 50000", lambda value: 1 <= value <= 50_000),
    "first_day": ("1975-01-01 to 2100-01-01", lambda value: date(1975, 1, 1) <= value <= date(2100, 1, 1)),
    "days": ("1 to 3660", lambda value: 1 <= value <= 3660),
    "seed": ("0 to 4294967295", lambda value: 0 <= value < 2**32),
    "interval_minutes": ("1, 3, 5 or 15", lambda value: value in (1, 3, 5, 15)),
    "time_zone": ("an IANA name such as America/Los_Angeles", lambda value: value in available_timezones()),
    "bad_share": ("0 to 0.5", lambda value: 0.0 <= value <= 0.5),
}


class SampleSpec(BaseModel):
    """Specification of a sample; equal specifications give equal tables.

    A value out of range raises `pydantic.ValidationError`.

    Attributes:
        sensors: Number of sensors.
        first_day: First local day.
        days: Number of local days.
        seed: Seed for all random numbers.
        interval_minutes: Interval of the readings, minutes.
        time_zone: IANA name of the local time zone.
        bad_share: Share of rows that are bad on purpose, to demonstrate the quarantine. Half of them repeat a row, the
            other half have a speed out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensors: int = 12
    first_day: date = date(2026, 1, 5)
    days: int = 14
    seed: int = 42
    interval_minutes: int = 5
    time_zone: str = "America/Los_Angeles"
    bad_share: float = 0.0

    @field_validator(*_ALLOWED)
    @classmethod
    def _check_range(cls, value: Any, info: ValidationInfo) -> Any:
        allowed, is_allowed = _ALLOWED[str(info.field_name)]
        if not is_allowed(value):
            raise ValueError(messages.OUT_OF_RANGE(name=info.field_name, given=value, allowed=allowed))
        return value
