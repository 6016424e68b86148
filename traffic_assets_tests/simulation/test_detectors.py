"""Detectors: gaps, stuck readings, bad rows."""

import numpy as np
import pandas as pd
import pytest

from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.network import sensors
from traffic_assets.simulation.spec import SampleSpec


def test_readings_carry_their_sensor(spec: SampleSpec, frame: pd.DataFrame) -> None:
    carried = frame[["sensor_id", "latitude", "longitude", "highway", "lanes"]].drop_duplicates()
    pd.testing.assert_frame_equal(carried.reset_index(drop=True), sensors(spec).to_pandas())


def test_readings_are_unique_and_sorted(frame: pd.DataFrame) -> None:
    assert not frame.duplicated(["sensor_id", "timestamp"]).any()
    for _, of_day in frame.groupby(frame["local"].dt.date):
        keys = of_day[["sensor_id", "timestamp"]]
        pd.testing.assert_frame_equal(keys, keys.sort_values(["sensor_id", "timestamp"]))


def test_intervals_go_missing(spec: SampleSpec, frame: pd.DataFrame) -> None:
    expected = spec.days * spec.sensors * 288
    assert 0.02 <= 1 - len(frame) / expected <= 0.06
    assert 0 < frame["speed"].isna().mean() < 0.01
    assert frame.drop(columns="speed").notna().all(axis=None)
    gaps = frame.groupby("sensor_id")["timestamp"].diff() / pd.Timedelta(minutes=5) - 1
    assert (gaps == 1).sum() > 1000  # isolated
    assert gaps.max() >= 12  # an outage of an hour or more


def test_one_day_of_one_sensor_misses_intervals_too() -> None:
    for seed in range(5):
        ((_, table),) = simulate_days(SampleSpec(sensors=1, days=1, seed=seed))
        assert len(table) <= 0.98 * 288


def test_some_readings_are_stuck(frame: pd.DataFrame) -> None:
    same = frame.groupby("sensor_id")["speed"].diff() == 0.0
    assert same.sum() >= 3


def test_flow_speed_and_occupancy_agree(frame: pd.DataFrame) -> None:
    assert frame["occupancy"].between(0, 1).all()
    known = frame.dropna(subset="speed")
    density = known["flow"] * 12 / known["speed"] / known["lanes"]
    effective_feet = 5280 * known["occupancy"] / density
    assert effective_feet.groupby(known["sensor_id"]).median().between(21.5, 25.5).all()
    assert effective_feet.quantile([0.005, 0.995]).between(19, 28).all()
    assert np.corrcoef(density, known["occupancy"])[0, 1] > 0.98
    # The congested branch: less flow than at capacity, and more density than at free flow.
    jammed = known["speed"] < 25
    assert density[jammed].min() > density[known["speed"] > 60].max()
    assert known[jammed]["flow"].mean() / known[jammed]["lanes"].mean() * 12 < 1700


def test_bad_rows_only_by_specification() -> None:
    ((_, clean),) = simulate_days(SampleSpec(days=1))
    ((_, with_bad_rows),) = simulate_days(SampleSpec(days=1, bad_share=0.1))
    frame = with_bad_rows.to_pandas()
    repeated = frame.duplicated(["sensor_id", "timestamp"])
    out_of_range = (frame["speed"] < 0) | (frame["speed"] > 100)
    assert (repeated.sum() + out_of_range.sum()) / len(frame) == pytest.approx(0.1, abs=0.001)
    assert repeated.sum() > 0
    assert (frame["speed"] < 0).any()
    assert (frame["speed"] > 100).any()
    # The other rows are the same as without bad rows.
    kept = frame[~repeated & ~out_of_range]
    merged = kept.merge(clean.to_pandas(), how="left", on=list(frame.columns), indicator=True)
    assert (merged["_merge"] == "both").all()
