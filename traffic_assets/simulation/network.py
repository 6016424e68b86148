"""Small freeway network: corridors of cells, and their sensors."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from traffic_assets.simulation.spec import Array, SampleSpec

WAVE_SPEED_MPH = 12.0  # speed at which a change inside a queue travels upstream
JAM_DENSITY = 190.0  # vehicles per mile and lane in a queue that does not move
CELL_MILES = 0.5  # no vehicle may cross a whole cell in one step: 69 mph * 20 s = 0.38 miles
# Highway, its two directions, the middle of its instrumented stretch, and the bearing of the first direction.
_HIGHWAYS = (
    ("I-5", "SN", 32.84, -117.235, 170.0),
    ("I-805", "NS", 32.81, -117.135, 345.0),
    ("SR-52", "WE", 32.845, -117.12, 275.0),
    ("I-15", "SN", 32.89, -117.115, 185.0),
    ("I-8", "EW", 32.775, -117.09, 82.0),
    ("SR-163", "NS", 32.795, -117.155, 10.0),
)
READING_SCHEMA = pa.schema(
    [
        ("sensor_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("speed", pa.float64()),
        ("flow", pa.float64()),
        ("occupancy", pa.float64()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("highway", pa.string()),
        ("lanes", pa.int32()),
    ],
    metadata={"origin": "simulated"},
)
SENSOR_COLUMNS = ("sensor_id", "latitude", "longitude", "highway", "lanes")
SENSOR_SCHEMA = pa.schema(map(READING_SCHEMA.field, SENSOR_COLUMNS), metadata=READING_SCHEMA.metadata)


def capacity_per_lane(free_flow_speed: Array) -> Array:
    """Return the capacity in vehicles per hour and lane for free-flow speeds in mph.

    It is the maximum of the triangular fundamental diagram (Newell 1993): v w k_jam / (v + w), about 1925 for 65 mph.
    """
    return free_flow_speed * WAVE_SPEED_MPH * JAM_DENSITY / (free_flow_speed + WAVE_SPEED_MPH)


CELL = np.dtype(
    [
        ("corridor", np.int64),
        ("lanes", np.float64),
        ("speed", np.float64),  # free-flow speed, mph
        ("capacity", np.float64),  # vehicles per hour, all lanes
        ("entering", np.float64),  # share of the corridor's demand that enters here: upstream end or on-ramp
        ("staying", np.float64),  # share of outflow that goes on to the next cell; 0 at the downstream end
        ("carried", np.float64),  # share of the corridor's demand that passes here without queues
        ("merging", np.float64),  # maximum share of the free space for entering vehicles
    ]
)


@dataclass(frozen=True)
class Network:
    """Sensors, their roads, and the roads' demand.

    Attributes:
        sensors: Sensors in `SENSOR_SCHEMA`.
        cells: Cells of type `CELL`: one corridor after the other, each from upstream to downstream.
        sensor_cell: Index of each sensor's cell.
        vehicle_feet: Effective vehicle length at each sensor, feet: the vehicle plus the detection zone.
        demand: Vehicles per hour of each corridor that just fill its tightest bottleneck.
        peaks: Height of the AM and the PM peak as a share of that demand, (2, corridors).
        shift: Delay of each corridor's peaks, hours.
    """

    sensors: pa.Table
    cells: Array
    sensor_cell: Array
    vehicle_feet: Array
    demand: Array
    peaks: Array
    shift: Array


def _corridor(index: int, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Build the cells of one corridor.

    Returns:
        The cells, and the indices of those with a sensor.
    """
    # Two miles upstream of the first sensor leave room for queues; sensors are half a mile or a mile apart.
    at = 4 + np.cumsum(rng.integers(1, 3, size))
    cells = np.zeros(int(at[-1]) + 3, CELL)
    cells["corridor"], cells["lanes"], cells["speed"] = index, rng.integers(3, 6), 65.0
    cells["speed"][at] = rng.uniform(63.0, 69.0, size)
    cells["capacity"] = capacity_per_lane(cells["speed"]) * cells["lanes"]
    cells["staying"], cells["merging"], cells["merging"][0] = 1.0, 0.4, 1.0
    start = 1
    for group in np.array_split(at, max(1, round(size / 6))):
        bottleneck = int(group[-1 - rng.integers(0, max(1, len(group) // 3))]) + 1
        cells["capacity"][bottleneck] *= rng.uniform(0.87, 0.92)
        np.add.at(cells["entering"], rng.integers(start, bottleneck, 3), rng.uniform(0.03, 0.05, 3))
        # As many vehicles leave after the bottleneck as entered before it, so the next stretch has room.
        cells["staying"][bottleneck + 1] = 1.0 - cells["entering"][start:bottleneck].sum()
        start = bottleneck + 2
    cells["entering"][0] = cells["staying"].min()
    cells["staying"][-1] = 0.0
    cells["carried"] = cells["entering"]
    for cell in range(1, len(cells)):
        cells["carried"][cell] += cells["carried"][cell - 1] * cells["staying"][cell - 1]
    return cells, at


def build_network(spec: SampleSpec) -> Network:
    """Build the network of a sample from its seed."""
    rng = np.random.default_rng([spec.seed, 0])
    count = min(2 * len(_HIGHWAYS), max(min(3, spec.sensors), round(spec.sensors / 6)))
    cells, sensor_cell, rows, demand = np.zeros(0, CELL), [], [], []
    for index, part in enumerate(np.array_split(np.arange(spec.sensors), count)):
        name, directions, latitude, longitude, bearing = _HIGHWAYS[index % len(_HIGHWAYS)]
        reverse = index // len(_HIGHWAYS)
        corridor, at = _corridor(index, len(part), rng)
        sensor_cell.append(at + len(cells))
        cells = np.concatenate([cells, corridor])
        demand.append(np.min(corridor["capacity"] / corridor["carried"]))
        heading = np.radians(bearing + 180.0 * reverse)
        miles = (at - at.mean()) * CELL_MILES + rng.uniform(-0.1, 0.1, len(at))
        north = np.round(latitude + miles * np.cos(heading) / 69.0, 6)  # miles per degree at this latitude
        east = np.round(longitude + miles * np.sin(heading) / 58.1, 6)
        rows += [
            (f"sim-{sensor + 1:04d}", *position, f"{name} {directions[reverse]}", int(corridor["lanes"][0]))
            for sensor, *position in zip(part, north, east, strict=True)
        ]
    # A corridor has one heavy and one light peak; the heavy one alternates between AM and PM.
    heavy, light = rng.uniform(1.10, 1.17, count), rng.uniform(0.84, 1.02, count)
    morning = np.arange(count) % 2 == 0
    return Network(
        sensors=pa.table(list(map(pa.array, zip(*rows, strict=True))), SENSOR_COLUMNS).cast(SENSOR_SCHEMA),
        cells=cells,
        sensor_cell=np.concatenate(sensor_cell),
        vehicle_feet=rng.uniform(22.0, 25.0, spec.sensors),
        demand=np.array(demand),
        peaks=np.where(morning, [heavy, light], [light, heavy]),
        shift=rng.uniform(-0.4, 0.4, count),
    )


def sensors(spec: SampleSpec) -> pa.Table:
    """Return the simulated sensors in `SENSOR_SCHEMA`: positions in degrees, lanes of one direction of a highway.

    A highway's name includes its direction ("I-5 S"). Its rows are ordered from upstream to downstream.
    """
    return build_network(spec).sensors
