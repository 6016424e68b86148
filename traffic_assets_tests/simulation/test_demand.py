"""Demand and capacity: peaks, incidents, and the local clock."""

from datetime import date

import pandas as pd
import pytest

from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import CONGESTED_BELOW_MPH
from traffic_assets_tests.simulation.grids import readings


def test_weekday_peaks_are_slower_than_the_same_hours_at_weekends(frame: pd.DataFrame) -> None:
    weekday = frame["local"].dt.weekday < 5
    for hours in ([7, 8], [16, 17]):
        peak = frame["local"].dt.hour.isin(hours)
        assert frame[weekday & peak]["speed"].mean() < frame[~weekday & peak]["speed"].mean() - 5
        assert frame[weekday & peak]["flow"].mean() > frame[~weekday & peak]["flow"].mean()


def test_corridors_differ_in_their_heavy_peak(frame: pd.DataFrame) -> None:
    weekdays = frame[frame["local"].dt.weekday < 5]
    hour = weekdays["local"].dt.hour
    morning = weekdays[hour.between(7, 9)].groupby("highway")["speed"].mean()
    evening = weekdays[hour.between(16, 18)].groupby("highway")["speed"].mean()
    assert (morning < evening - 5).any()
    assert (evening < morning - 5).any()


def test_incidents_cause_rare_congestion_outside_the_peaks() -> None:
    frame = readings(SampleSpec(days=42))
    hour, weekend = frame["local"].dt.hour, frame["local"].dt.weekday >= 5
    outside = frame[(weekend & hour.between(9, 20)) | (~weekend & hour.between(12, 13))]
    slow = outside["speed"].dropna() < CONGESTED_BELOW_MPH
    assert slow.sum() >= 12
    assert slow.mean() < 0.05


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 3, 9), 24), (date(2026, 11, 1), 25)])
def test_local_days_have_as_many_hours_as_the_clock_says(day: date, hours: int) -> None:
    ((simulated, table),) = simulate_days(SampleSpec(first_day=day, days=1))
    stamps = table.to_pandas()["timestamp"]
    assert simulated == day
    assert set(stamps.dt.tz_convert("America/Los_Angeles").dt.date) == {day}
    assert stamps.nunique() == hours * 12
    assert stamps.max() - stamps.min() == pd.Timedelta(hours=hours) - pd.Timedelta(minutes=5)


def test_demand_follows_the_local_clock_across_a_change_of_clocks() -> None:
    frame = readings(SampleSpec(first_day=date(2026, 3, 2), days=14))  # clocks change on Sunday 8 March
    weekdays = frame[frame["local"].dt.weekday < 5]
    before = weekdays["local"].dt.date <= date(2026, 3, 6)
    hour = weekdays["local"].dt.hour
    flows = [weekdays[part].groupby(hour[part])["flow"].mean() for part in (before, ~before)]
    assert (flows[0] / flows[1]).loc[[4, 5, 6]].between(0.85, 1.18).all()
