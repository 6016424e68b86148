"""Demand and capacity of a local day: commuter peaks, noise and incidents."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from traffic_assets.simulation.network import Network
from traffic_assets.simulation.spec import Array, SampleSpec


def interval_starts(spec: SampleSpec, day: date) -> tuple[Array, Array]:
    """Return the interval starts of a local day (23, 24 or 25 hours): microseconds UTC, and local hours of the day."""
    zone = ZoneInfo(spec.time_zone)
    start, end = (datetime.combine(d, time(), zone).timestamp() for d in (day, day + timedelta(days=1)))
    seconds = np.arange(round(start), round(end), spec.interval_minutes * 60)
    local = [datetime.fromtimestamp(int(second), zone) for second in seconds]
    return seconds * 1_000_000, np.array([moment.hour + moment.minute / 60 for moment in local])


def autoregressive_noise(rng: np.random.Generator, shape: tuple[int, int], spec: SampleSpec, minutes: float) -> Array:
    """Return first-order autoregressive noise with unit variance along axis 0.

    Args:
        rng: Random number generator.
        shape: Number of intervals, and of independent series.
        spec: Sample, for its interval.
        minutes: Time constant of the autocorrelation, minutes.
    """
    keep = float(np.exp(-spec.interval_minutes / minutes))
    noise = rng.standard_normal(shape)
    noise[1:] *= np.sqrt(1.0 - keep**2)
    for row in range(1, shape[0]):
        noise[row] += keep * noise[row - 1]
    return noise


def draw_demand(spec: SampleSpec, net: Network, day: date, hours: Array, rng: np.random.Generator) -> Array:
    """Draw the demand: two commuter peaks on weekdays, a low plateau at weekends.

    Args:
        spec: Sample to simulate.
        net: Network of the sample.
        day: Local day.
        hours: Local hour of the day of each interval.
        rng: Random number generator.

    Returns:
        Vehicles per hour, (intervals, corridors).
    """
    weekday, corridors = day.weekday() < 5, len(net.demand)
    level = np.exp(0.015 * rng.standard_normal() + 0.025 * rng.standard_normal(corridors))
    hour = hours[:, None] - net.shift - 0.12 * rng.standard_normal(corridors)
    rise, softness = (5.6, 0.55) if weekday else (9.0, 0.9)
    share = 0.05 + 0.6 / (1.0 + np.exp((rise - hour) / softness)) / (1.0 + np.exp((hour - 20.2) / softness))
    if weekday:
        share += (net.peaks[0] - 0.65) * np.exp(-(((hour - 7.5) / 2.2) ** 4))
        share += (net.peaks[1] - 0.65) * np.exp(-(((hour - 16.8) / 2.5) ** 4))
    return net.demand * level * share * (1.0 + 0.02 * autoregressive_noise(rng, share.shape, spec, 20.0))


def draw_capacity(spec: SampleSpec, net: Network, day: date, hours: Array, rng: np.random.Generator) -> Array:
    """Draw the capacity: with some noise, and much reduced during incidents.

    The arguments are those of `draw_demand`.

    Returns:
        Vehicles per hour, (intervals, cells).
    """
    corridor = net.cells["corridor"]
    unsteady = autoregressive_noise(rng, (len(hours), len(net.demand)), spec, 20.0)
    capacity = net.cells["capacity"] * (1.0 + 0.015 * unsteady[:, corridor])
    for index, incidents in enumerate(rng.poisson(0.25 if day.weekday() < 5 else 0.12, len(net.demand))):
        for _ in range(incidents):
            cell, start = rng.choice(np.flatnonzero(corridor == index)[4:]), rng.uniform(6.0, 20.0)
            lasts = (hours >= start) & (hours < start + rng.uniform(15.0, 90.0) / 60)
            capacity[lasts, cell] *= rng.uniform(0.35, 0.65)
    return capacity
