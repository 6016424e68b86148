"""Cell transmission model: from demand and capacity to flow, density and queues."""

import numpy as np

from traffic_assets.simulation.network import CELL_MILES, JAM_DENSITY, WAVE_SPEED_MPH, Network
from traffic_assets.simulation.spec import Array, SampleSpec

LANE_SPREAD_MINUTES = 12.0  # queues reach a station's lanes one after another, so its averages lag
STEP_SECONDS = 20


def propagate(spec: SampleSpec, net: Network, demand: Array, capacity: Array) -> tuple[Array, Array]:
    """Propagate vehicles through the cells by the cell transmission model (Daganzo 1994).

    It solves the kinematic wave model for a triangular fundamental diagram. A cell sends vehicles up to its capacity
    and receives as many as fit into it. A queue therefore grows upstream of a bottleneck and dissolves again. Only
    + - * / and min are used, because their results do not depend on the number of days.

    Args:
        spec: Sample to simulate.
        net: Network of the sample.
        demand: Vehicles per hour, (intervals, days, corridors).
        capacity: Vehicles per hour, (intervals, days, cells).

    Returns:
        Flow (vehicles per hour) and density (vehicles per mile) over all lanes, (intervals, days, sensors).
    """
    cells, hours = net.cells, STEP_SECONDS / 3600
    steps = spec.interval_minutes * 60 // STEP_SECONDS
    crossing, fitting = cells["speed"] * hours / CELL_MILES, WAVE_SPEED_MPH * hours / CELL_MILES
    room = JAM_DENSITY * cells["lanes"] * CELL_MILES
    last = cells["staying"] == 0.0
    per_staying = np.where(last, 0.0, 1.0 / np.where(last, 1.0, cells["staying"]))
    held = demand[0][:, cells["corridor"]] * cells["carried"] / cells["speed"] * CELL_MILES
    waiting, arriving, following = np.zeros_like(held), np.zeros_like(held), np.zeros_like(held)
    flow = np.empty((*demand.shape[:2], len(net.sensor_cell)))
    density = np.empty_like(flow)
    for interval in range(len(demand)):
        joining = demand[interval][:, cells["corridor"]] * cells["entering"] * hours
        most = capacity[interval] * hours
        sum_left, sum_held = np.zeros_like(held), np.zeros_like(held)
        for _ in range(steps):
            sending = np.minimum(held * crossing, most)
            receiving = np.minimum(most, fitting * (room - held))
            waiting += joining
            entering = np.minimum(waiting, receiving * cells["merging"])
            waiting -= entering
            arriving[:, 1:] = (sending * cells["staying"])[:, :-1]
            np.minimum(arriving, receiving - entering, out=arriving)
            following[:, :-1] = arriving[:, 1:]
            # Vehicles leave in order, so a queue ahead also delays those that leave by the off-ramp.
            leaving = following * per_staying + sending * last
            sum_held += held
            sum_left += leaving
            held += arriving + entering - leaving
        flow[interval] = sum_left[:, net.sensor_cell] / (steps * hours)
        density[interval] = sum_held[:, net.sensor_cell] / (steps * CELL_MILES)
    blend = 1.0 - float(np.exp(-spec.interval_minutes / LANE_SPREAD_MINUTES))
    for series in (flow, density):
        for interval in range(1, len(series)):
            series[interval] = series[interval - 1] + blend * (series[interval] - series[interval - 1])
    return flow, density
