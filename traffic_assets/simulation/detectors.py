"""Detectors that measure the true flow and density with noise and faults."""

from typing import Any

import numpy as np
import pyarrow as pa

from traffic_assets.simulation.demand import autoregressive_noise
from traffic_assets.simulation.network import READING_SCHEMA, SENSOR_COLUMNS, Network
from traffic_assets.simulation.spec import Array, SampleSpec

SPEED_RANGE_MPH = (4.0, 90.0)  # range of a working detector


def detect(
    spec: SampleSpec, net: Network, stamps: Array, flow: Array, density: Array, rng: np.random.Generator
) -> pa.Table:
    """Return the readings of one day, with noise and faults.

    Args:
        spec: Sample to simulate.
        net: Network of the sample.
        stamps: Interval starts, microseconds UTC.
        flow: True flow, vehicles per hour, (intervals, sensors).
        density: True density, vehicles per mile, (intervals, sensors).
        rng: Random number generator.
    """
    cells, shape = net.cells[net.sensor_cell], flow.shape
    # Space-mean speed is flow over density (Edie 1963); drivers slow down a little as the road fills up.
    speed = flow / density * (1.0 - 0.07 * np.minimum(flow / cells["capacity"], 1.0) ** 4)
    speed += 1.2 * autoregressive_noise(rng, shape, spec, 100.0) + 1.2 * autoregressive_noise(rng, shape, spec, 6.0)
    speed = np.clip(speed + 0.4 * rng.standard_normal(shape[1]), *SPEED_RANGE_MPH)
    per_interval = spec.interval_minutes / 60
    count = flow * per_interval
    count = np.clip(np.round(count + 0.6 * np.sqrt(count) * rng.standard_normal(shape)), 0.0, None)
    covered = count / per_interval / speed / cells["lanes"] * net.vehicle_feet / 5280.0
    occupancy = np.clip(covered * (1.0 + 0.04 * rng.standard_normal(shape)), 0.0, 1.0)
    # Intervals without vehicles have no speed, and some faults lose only the speed.
    speed[(count == 0.0) | (rng.random(shape) < 0.002)] = np.nan

    # Isolated losses are a fixed number for each sensor, so that at least 2% are missing every day.
    lost = rng.random(shape).argsort(axis=0) < np.ceil(0.024 * shape[0])
    for sensor in range(shape[1]):
        if rng.random() < 0.04:  # outage of some hours
            start = rng.integers(shape[0])
            lost[start : start + round(rng.uniform(60.0, 360.0) / spec.interval_minutes), sensor] = True
        if rng.random() < 0.02:  # stuck detector that repeats one reading
            start = rng.integers(shape[0])
            stuck = slice(start, start + round(rng.uniform(20.0, 60.0) / spec.interval_minutes))
            for values in (speed, count, occupancy):
                values[stuck, sensor] = values[start, sensor]

    which, when = np.nonzero(~lost.T)
    columns: dict[str, Any] = {name: net.sensors[name].take(pa.array(which)) for name in SENSOR_COLUMNS}
    columns["timestamp"] = pa.array(stamps[when], pa.timestamp("us", tz="UTC"))
    for name, values in (("speed", speed), ("flow", count), ("occupancy", occupancy)):
        columns[name] = pa.array(values[when, which], from_pandas=True)
    return pa.table([columns[name] for name in READING_SCHEMA.names], schema=READING_SCHEMA)


def add_bad_rows(table: pa.Table, share: float, rng: np.random.Generator) -> pa.Table:
    """Return the table with bad rows: half of them repeat a row, the other half have a speed out of range.

    Args:
        table: Good readings.
        share: Share of bad rows in the result.
        rng: Random number generator.
    """
    rows = len(table)
    each = round(share * rows / (2.0 - share))  # repeated rows make the table longer
    chosen = rng.permutation(rows)[: 2 * each]
    speed = table["speed"].to_numpy().copy()
    speed[chosen[:each]] = rng.choice([-1.0, 5.0], each) * rng.uniform(25.0, 60.0, each)
    at = READING_SCHEMA.get_field_index("speed")
    changed = table.set_column(at, READING_SCHEMA.field(at), pa.array(speed, from_pandas=True))
    return changed.take(pa.array(np.sort(np.concatenate([np.arange(rows), chosen[each:]]))))
