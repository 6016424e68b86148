"""Simulated readings, day by day.

A local day is simulated on its own from ``(seed, date)``, starting from a calm midnight, so that a longer sample
extends a shorter one and any single day can be made again.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from traffic_assets.simulation.demand import draw_capacity, draw_demand, interval_starts
from traffic_assets.simulation.detectors import detect, spoil
from traffic_assets.simulation.flow import propagate
from traffic_assets.simulation.network import build_network
from traffic_assets.simulation.spec import SampleSpec

CELLS_AT_ONCE = 4096  # days are propagated side by side up to this many cells; changes speed, never results


def simulate_days(spec: SampleSpec) -> Iterator[tuple[date, pa.Table]]:
    """Simulated readings: one ``READING_SCHEMA`` table per local day, sorted by sensor, then by time.

    ``timestamp`` is the interval's start in UTC, ``speed`` is in mph (null: none measured), ``flow`` in
    vehicles per interval over all lanes, ``occupancy`` the share of time (0 to 1) for which a lane's detector
    is covered. Missing intervals have no row. A day looks the same whatever ``days`` and ``first_day`` are.
    """
    net = build_network(spec)
    together = max(1, CELLS_AT_ONCE // len(net.cells))
    for first in range(0, spec.days, together):
        days = [spec.first_day + timedelta(days=k) for k in range(first, min(first + together, spec.days))]
        stamps, demands, capacities = [], [], []
        for day in days:
            rng = np.random.default_rng([spec.seed, day.toordinal(), 0])
            stamp, hours = interval_starts(spec, day)
            stamps.append(stamp)
            demands.append(draw_demand(spec, net, day, hours, rng))
            capacities.append(draw_capacity(spec, net, day, hours, rng))
        # On a change of clocks days differ in length: the others idle on for an hour that nobody reads.
        longest = max(map(len, stamps))
        demand, capacity = (
            np.stack([np.pad(part, ((0, longest - len(part)), (0, 0)), mode="edge") for part in parts], axis=1)
            for parts in (demands, capacities)
        )
        flow, density = propagate(spec, net, demand, capacity)
        for k, (day, stamp) in enumerate(zip(days, stamps, strict=True)):
            rng = np.random.default_rng([spec.seed, day.toordinal(), 1])
            table = detect(spec, net, stamp, flow[: len(stamp), k], density[: len(stamp), k], rng)
            if spec.bad_share > 0.0:
                table = spoil(table, spec.bad_share, np.random.default_rng([spec.seed, day.toordinal(), 2]))
            yield day, table
