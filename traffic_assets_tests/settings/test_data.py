"""The section data: days, time zones, aliases and fills."""

from datetime import date

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings, FillSettings
from traffic_assets_tests.settings.problems import codes, problem, texts


def test_first_and_last_day() -> None:
    day = date(2026, 1, 5)
    assert DataSettings(first_day=day, last_day=day).last_day == day
    with pytest.raises(ValidationError) as caught:
        DataSettings(first_day=day, last_day=date(2026, 1, 4))
    (text,) = texts(caught.value)
    assert text.code == "settings.days-out-of-order"
    assert text.values == {"first_day": day, "last_day": date(2026, 1, 4)}


def test_only_configured_aliases_are_listed() -> None:
    """Leave out common names, which the reader distinguishes from configured ones."""
    assert DataSettings().aliases == {}
    assert DataSettings(aliases={"volume": "flow_rate"}).aliases == {"volume": "flow_rate"}


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Kathmandu"])
def test_time_zones_of_the_database_are_allowed(zone: str) -> None:
    assert DataSettings(time_zone=zone).zone.key == zone


@pytest.mark.parametrize("zone", ["Mars/Base", "", "America", "../../etc/passwd", "UTC+1 ", "\0"])
def test_other_time_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DataSettings(time_zone=zone)
    (text,) = texts(caught.value)
    assert (text.code, text.values) == ("settings.unknown-time-zone", {"zone": zone})


def test_a_ready_made_table_is_not_filled() -> None:
    assert DataSettings(kind="features", fill=FillSettings()).fill.on is False
    with pytest.raises(ValidationError) as caught:
        DataSettings(kind="features", fill=FillSettings(forward_fill=True))
    assert codes(caught.value) == ["settings.filled-feature-table"]
    assert DataSettings(fill=FillSettings(interpolation=True)).fill.on


@pytest.mark.parametrize("minutes", [7, 8, 25, 45])
def test_an_interval_that_does_not_divide_an_hour_is_refused(minutes: int) -> None:
    text = problem("local", data={"interval_minutes": minutes})
    assert (text.code, text.values["minutes"]) == ("settings.interval-not-in-hour", minutes)
