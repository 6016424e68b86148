"""The cell transmission model: queues, capacity, free flow."""

import numpy as np
import pandas as pd

from traffic_assets.simulation.network import sensors
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import CONGESTED_BELOW_MPH
from traffic_assets_tests.simulation.grids import speed_grid


def test_speeds_spread_as_on_a_freeway(frame: pd.DataFrame) -> None:
    speed = frame["speed"].dropna()
    assert speed.between(3, 90).all()
    assert speed.min() < 20
    assert speed.max() > 70
    assert 10 <= speed.std() <= 14
    assert 0.05 <= (speed < CONGESTED_BELOW_MPH).mean() <= 0.25


def test_free_flow_at_night(frame: pd.DataFrame) -> None:
    night = frame[frame["local"].dt.hour < 4].groupby("sensor_id")["speed"]
    assert night.mean().between(62, 70).all()
    assert night.std().between(1.2, 2.5).all()
    assert 1.5 <= night.std().mean() <= 2.5


def test_persistence_error_at_15_minutes(frame: pd.DataFrame) -> None:
    grid = speed_grid(frame)
    assert 2.0 <= np.sqrt(np.nanmean((grid.shift(-3) - grid) ** 2)) <= 4.0


def test_queues_spread_upstream(spec: SampleSpec, frame: pd.DataFrame) -> None:
    """Check that speeds near a bottleneck fall before those further upstream in a heavy peak."""
    table = sensors(spec).to_pandas()
    corridor = table[table["highway"] == table["highway"].iloc[0]]  # heavy in the morning
    weekdays = frame[(frame["local"].dt.weekday < 5) & frame["local"].dt.hour.between(5, 11)]
    slow = weekdays[weekdays["speed"] < CONGESTED_BELOW_MPH]
    onset = slow.groupby([slow["local"].dt.date, "sensor_id"])["timestamp"].min().unstack("sensor_id")
    upstream, near = corridor["sensor_id"].iloc[[0, 3]]
    delay = (onset[upstream] - onset[near]) / pd.Timedelta(minutes=1)
    assert delay.median() >= 10


def test_flow_stays_within_capacity(frame: pd.DataFrame) -> None:
    per_lane_hour = frame["flow"] * 12 / frame["lanes"]
    assert per_lane_hour.between(0, 2200).all()
    assert per_lane_hour.max() > 1600
    assert (frame["flow"] == frame["flow"].round()).all()  # vehicles are counted
