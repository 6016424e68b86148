"""The section data: days, zones, names and fills."""

from datetime import date

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings, FillSettings


def test_first_and_last_day() -> None:
    day = date(2026, 1, 5)
    assert DataSettings(first_day=day, last_day=day).last_day == day
    with pytest.raises(ValidationError, match="last_day 2026-01-04 lies before first_day 2026-01-05"):
        DataSettings(first_day=day, last_day=date(2026, 1, 4))


def test_aliases_are_those_that_are_given() -> None:
    """The reader knows which names somebody gave, and which are only known."""
    assert DataSettings().aliases == {}
    assert DataSettings(aliases={"volume": "flow_rate"}).aliases == {"volume": "flow_rate"}


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Kathmandu"])
def test_time_zones_of_the_database_are_allowed(zone: str) -> None:
    assert DataSettings(time_zone=zone).zone.key == zone


@pytest.mark.parametrize("zone", ["Mars/Base", "", "America", "../../etc/passwd", "UTC+1 ", "\0"])
def test_other_time_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="not a time zone of the IANA database, such as America/Los_Angeles"):
        DataSettings(time_zone=zone)


def test_a_ready_made_table_is_not_filled() -> None:
    assert DataSettings(kind="features", fill=FillSettings()).fill.on is False
    with pytest.raises(ValidationError, match="fill acts on readings"):
        DataSettings(kind="features", fill=FillSettings(forward_fill=True))
    assert DataSettings(fill=FillSettings(interpolation=True)).fill.on
