"""The network: sensors, highways and positions."""

from pathlib import Path

import numpy as np
import pytest

from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.network import SENSOR_SCHEMA, sensors
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample


def test_network_is_large_enough_and_plausible(spec: SampleSpec) -> None:
    table = sensors(spec).to_pandas()
    assert sensors(spec).schema.equals(SENSOR_SCHEMA)
    assert len(table) == table["sensor_id"].nunique() == spec.sensors >= 12
    assert table["highway"].nunique() >= 3
    assert table["lanes"].between(2, 6).all()
    for _, corridor in table.groupby("highway", sort=False):
        north = np.diff(corridor["latitude"]) * 69.0
        east = np.diff(corridor["longitude"]) * 58.1
        miles = np.hypot(north, east)
        assert ((miles > 0.25) & (miles < 1.25)).all()
        # Downstream is always the same way.
        assert (north * north[0] + east * east[0] > 0).all()


@pytest.mark.parametrize("count", [1, 2, 5, 40, 100])
def test_any_number_of_sensors(count: int) -> None:
    spec = SampleSpec(sensors=count, days=1)
    table = sensors(spec).to_pandas()
    assert len(table) == count
    assert table["highway"].nunique() >= min(3, count)
    ((_, day),) = simulate_days(spec)
    assert set(day["sensor_id"].to_pylist()) == set(table["sensor_id"])
    assert day.to_pandas()["speed"].dropna().between(3, 90).all()


def test_more_sensors_more_highways() -> None:
    counts = [len(set(sensors(SampleSpec(sensors=count))["highway"].to_pylist())) for count in (16, 36, 72)]
    assert counts == sorted(set(counts))


def test_a_network_of_thousands_is_plausible(tmp_path: Path) -> None:
    report = write_sample(SampleSpec(sensors=2500, days=2), tmp_path)
    assert report.sensors == 2500
    assert 0.05 <= report.congested_share <= 0.25
    assert 2 <= report.persistence_rmse_15min_mph <= 4


def test_the_largest_network_has_its_sensors_on_the_map_and_apart() -> None:
    table = sensors(SampleSpec(sensors=50_000)).to_pandas()
    assert table["sensor_id"].is_unique
    assert not table.duplicated(["latitude", "longitude"]).any()
    assert table["latitude"].between(-80, 80).all()
    assert table["longitude"].between(-180, 180).all()
