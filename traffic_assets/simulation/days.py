"""Simulated readings, day by day.

Each local day is simulated separately from `(seed, date)` and starts with free flow at midnight. So a longer sample
extends a shorter one, and any single day can be reproduced.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from traffic_assets.simulation.demand import draw_capacity, draw_demand, interval_starts
from traffic_assets.simulation.detectors import add_bad_rows, detect
from traffic_assets.simulation.flow import propagate
from traffic_assets.simulation.network import build_network
from traffic_assets.simulation.spec import SampleSpec

CELLS_AT_ONCE = 4096  # days are propagated together up to this many cells; affects the run time only


def simulate_days(spec: SampleSpec) -> Iterator[tuple[date, pa.Table]]:
    """Simulate readings day by day; a day does not depend on `days` and `first_day`.

    Yields:
        Each local day with its readings in `READING_SCHEMA`, sorted by sensor, then by time. `timestamp` is the
        interval's start in UTC. `speed` is in mph, and null if it was not measured. `flow` is in vehicles per interval
        over all lanes. `occupancy` is the share of time (0 to 1) for which a lane's detector is covered. Missing
        intervals have no row.
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
        # Days with a change of clocks differ in length. Shorter days are padded with values that are not used.
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
                table = add_bad_rows(table, spec.bad_share, np.random.default_rng([spec.seed, day.toordinal(), 2]))
            yield day, table
