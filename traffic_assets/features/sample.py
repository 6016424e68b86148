"""Simulated loop-detector readings: a small freeway network, day by day, from a seed.

What lives here: the network, its demand, a cell transmission model that turns demand and capacity into
queues, and detectors that read it with noise and faults. Everything made here is simulated and says so. What
does not: reading or checking real data, features, Spark and Dagster, which treat these files as any others.

A local day is simulated on its own from ``(seed, date)``, starting from a calm midnight, so that a longer
sample extends a shorter one and any single day can be made again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

Array = NDArray[Any]

WAVE_SPEED_MPH = 12.0  # how fast a change inside a queue travels upstream
JAM_DENSITY = 190.0  # vehicles per mile and lane, standing still
CONGESTED_BELOW_MPH = 45.0  # a reading slower than this counts as congested
SPEED_RANGE_MPH = (4.0, 90.0)  # what a working detector reports
LANE_SPREAD_MINUTES = 12.0  # lanes of a station break down one after another, so its averages lag
STEP_SECONDS = 20
CELL_MILES = 0.5  # no vehicle may cross a whole cell in one step: 69 mph * 20 s = 0.38 miles
CELLS_AT_ONCE = 4096  # days are propagated side by side up to this many cells; changes speed, never results

# Highway, its two directions, the middle of its instrumented stretch, and the bearing of the first direction.
_HIGHWAYS = (
    ("I-5", "SN", 32.84, -117.235, 170.0),
    ("I-805", "NS", 32.81, -117.135, 345.0),
    ("SR-52", "WE", 32.845, -117.12, 275.0),
    ("I-15", "SN", 32.89, -117.115, 185.0),
    ("I-8", "EW", 32.775, -117.09, 82.0),
    ("SR-163", "NS", 32.795, -117.155, 10.0),
)
_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "sensors": ("1 to 50000", lambda value: 1 <= value <= 50_000),
    "first_day": ("1975-01-01 to 2100-01-01", lambda value: date(1975, 1, 1) <= value <= date(2100, 1, 1)),
    "days": ("1 to 3660", lambda value: 1 <= value <= 3660),
    "seed": ("0 to 4294967295", lambda value: 0 <= value < 2**32),
    "interval_minutes": ("1, 3, 5 or 15", lambda value: value in (1, 3, 5, 15)),
    "time_zone": ("an IANA name such as America/Los_Angeles", lambda value: value in available_timezones()),
    "bad_share": ("0 to 0.5", lambda value: 0.0 <= value <= 0.5),
}
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
_SENSOR_COLUMNS = ("sensor_id", "latitude", "longitude", "highway", "lanes")
SENSOR_SCHEMA = pa.schema(map(READING_SCHEMA.field, _SENSOR_COLUMNS), metadata=READING_SCHEMA.metadata)


class SampleSpec(BaseModel):
    """What to simulate; equal specs give equal tables. Raises ``pydantic.ValidationError`` if it cannot be.

    ``bad_share`` is the share of rows made wrong on purpose to show quarantine at work: half of them repeat a
    row, the other half have a speed out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensors: int = 12
    first_day: date = date(2026, 1, 5)
    days: int = 14
    seed: int = 42
    interval_minutes: int = 5
    time_zone: str = "America/Los_Angeles"
    bad_share: float = 0.0

    @field_validator(*_ALLOWED)
    @classmethod
    def _possible(cls, value: Any, info: ValidationInfo) -> Any:
        allowed, is_allowed = _ALLOWED[str(info.field_name)]
        if not is_allowed(value):
            raise ValueError(f"{info.field_name} is {value}; allowed is {allowed}: give one of these.")
        return value


class SampleReport(BaseModel):
    """What was written. ``readings`` counts rows; ``missing_share`` is the share of intervals without a row.

    ``congested_share`` is the share of known speeds below 45 mph (``CONGESTED_BELOW_MPH``), and
    ``persistence_rmse_15min_mph`` the root mean square of speed(t + 15 min) - speed(t) within a sensor (NaN
    if there is no such pair). Rows made wrong on purpose count as readings and nothing else.
    """

    model_config = ConfigDict(frozen=True)

    days: int
    sensors: int
    readings: int
    missing_share: float
    congested_share: float
    persistence_rmse_15min_mph: float


def capacity_per_lane(free_flow_speed: Array) -> Array:
    """Capacity in vehicles per hour and lane for free-flow speeds in mph; same shape as given.

    The top of the triangular fundamental diagram (Newell 1993): v w k_jam / (v + w), about 1925 for 65 mph.
    """
    return free_flow_speed * WAVE_SPEED_MPH * JAM_DENSITY / (free_flow_speed + WAVE_SPEED_MPH)


_CELL = np.dtype(
    [
        ("corridor", np.int64),
        ("lanes", np.float64),
        ("speed", np.float64),  # free-flow speed, mph
        ("capacity", np.float64),  # vehicles per hour, all lanes
        ("entering", np.float64),  # share of the corridor's demand that enters here: upstream end or on-ramp
        ("staying", np.float64),  # share of outflow that goes on to the next cell; 0 at the downstream end
        ("carried", np.float64),  # share of the corridor's demand that passes here when there is no queue
        ("merging", np.float64),  # most of the free space that entering vehicles may take
    ]
)


@dataclass(frozen=True)
class _Network:
    sensors: pa.Table  # SENSOR_SCHEMA
    cells: Array  # _CELL: all corridors one after the other, each from upstream to downstream
    sensor_cell: Array  # which cell a sensor is in
    vehicle_feet: Array  # (sensors,) effective vehicle length: the vehicle plus the detection zone
    demand: Array  # (corridors,) vehicles per hour that just fill the tightest bottleneck
    peaks: Array  # (2, corridors) height of the AM and PM peak as a share of that
    shift: Array  # (corridors,) hours by which the peaks are late


def _corridor(index: int, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Cells of one corridor and which of them hold its sensors."""
    # Two miles upstream of the first sensor leave room for queues; sensors are half a mile or a mile apart.
    at = 4 + np.cumsum(rng.integers(1, 3, size))
    cells = np.zeros(int(at[-1]) + 3, _CELL)
    cells["corridor"], cells["lanes"], cells["speed"] = index, rng.integers(3, 6), 65.0
    cells["speed"][at] = rng.uniform(63.0, 69.0, size)
    cells["capacity"] = capacity_per_lane(cells["speed"]) * cells["lanes"]
    cells["staying"], cells["merging"], cells["merging"][0] = 1.0, 0.4, 1.0
    start = 1
    for group in np.array_split(at, max(1, round(size / 6))):
        bottleneck = int(group[-1 - rng.integers(0, max(1, len(group) // 3))]) + 1
        cells["capacity"][bottleneck] *= rng.uniform(0.87, 0.92)
        np.add.at(cells["entering"], rng.integers(start, bottleneck, 3), rng.uniform(0.03, 0.05, 3))
        # As many leave past the bottleneck as joined before it, so that the next stretch starts with room.
        cells["staying"][bottleneck + 1] = 1.0 - cells["entering"][start:bottleneck].sum()
        start = bottleneck + 2
    cells["entering"][0] = cells["staying"].min()
    cells["staying"][-1] = 0.0
    cells["carried"] = cells["entering"]
    for cell in range(1, len(cells)):
        cells["carried"][cell] += cells["carried"][cell - 1] * cells["staying"][cell - 1]
    return cells, at


def _network(spec: SampleSpec) -> _Network:
    rng = np.random.default_rng([spec.seed, 0])
    count = min(2 * len(_HIGHWAYS), max(min(3, spec.sensors), round(spec.sensors / 6)))
    cells, sensor_cell, rows, demand = np.zeros(0, _CELL), [], [], []
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
    # A direction has one heavy peak and one light one; neighbours in the list differ in which is heavy.
    heavy, light = rng.uniform(1.10, 1.17, count), rng.uniform(0.84, 1.02, count)
    morning = np.arange(count) % 2 == 0
    return _Network(
        sensors=pa.table(list(map(pa.array, zip(*rows, strict=True))), _SENSOR_COLUMNS).cast(SENSOR_SCHEMA),
        cells=cells,
        sensor_cell=np.concatenate(sensor_cell),
        vehicle_feet=rng.uniform(22.0, 25.0, spec.sensors),
        demand=np.array(demand),
        peaks=np.where(morning, [heavy, light], [light, heavy]),
        shift=rng.uniform(-0.4, 0.4, count),
    )


def _clock(spec: SampleSpec, day: date) -> tuple[Array, Array]:
    """Interval starts of a local day (23, 24 or 25 hours): microseconds UTC, and the local hour of day."""
    zone = ZoneInfo(spec.time_zone)
    start, end = (datetime.combine(d, time(), zone).timestamp() for d in (day, day + timedelta(days=1)))
    seconds = np.arange(round(start), round(end), spec.interval_minutes * 60)
    local = [datetime.fromtimestamp(int(second), zone) for second in seconds]
    return seconds * 1_000_000, np.array([moment.hour + moment.minute / 60 for moment in local])


def _remembering(rng: np.random.Generator, shape: tuple[int, int], spec: SampleSpec, minutes: float) -> Array:
    """First-order autoregressive noise of unit variance along axis 0 that is forgotten within ``minutes``."""
    keep = float(np.exp(-spec.interval_minutes / minutes))
    noise = rng.standard_normal(shape)
    noise[1:] *= np.sqrt(1.0 - keep**2)
    for row in range(1, shape[0]):
        noise[row] += keep * noise[row - 1]
    return noise


def _demand(spec: SampleSpec, net: _Network, day: date, hours: Array, rng: np.random.Generator) -> Array:
    """Vehicles/hour, (intervals, corridors): two commuter peaks on weekdays, a low plateau at weekends."""
    weekday, corridors = day.weekday() < 5, len(net.demand)
    level = np.exp(0.015 * rng.standard_normal() + 0.025 * rng.standard_normal(corridors))
    hour = hours[:, None] - net.shift - 0.12 * rng.standard_normal(corridors)
    rise, softness = (5.6, 0.55) if weekday else (9.0, 0.9)
    share = 0.05 + 0.6 / (1.0 + np.exp((rise - hour) / softness)) / (1.0 + np.exp((hour - 20.2) / softness))
    if weekday:
        share += (net.peaks[0] - 0.65) * np.exp(-(((hour - 7.5) / 2.2) ** 4))
        share += (net.peaks[1] - 0.65) * np.exp(-(((hour - 16.8) / 2.5) ** 4))
    return net.demand * level * share * (1.0 + 0.02 * _remembering(rng, share.shape, spec, 20.0))


def _capacity(spec: SampleSpec, net: _Network, day: date, hours: Array, rng: np.random.Generator) -> Array:
    """Vehicles/hour, (intervals, cells): never quite steady, and much reduced while an incident lasts."""
    corridor = net.cells["corridor"]
    unsteady = _remembering(rng, (len(hours), len(net.demand)), spec, 20.0)
    capacity = net.cells["capacity"] * (1.0 + 0.015 * unsteady[:, corridor])
    for index, incidents in enumerate(rng.poisson(0.25 if day.weekday() < 5 else 0.12, len(net.demand))):
        for _ in range(incidents):
            cell, start = rng.choice(np.flatnonzero(corridor == index)[4:]), rng.uniform(6.0, 20.0)
            lasts = (hours >= start) & (hours < start + rng.uniform(15.0, 90.0) / 60)
            capacity[lasts, cell] *= rng.uniform(0.35, 0.65)
    return capacity


def _propagate(spec: SampleSpec, net: _Network, demand: Array, capacity: Array) -> tuple[Array, Array]:
    """Flow (vehicles/hour) and density (vehicles/mile) over all lanes, (intervals, days, sensors).

    The cell transmission model (Daganzo 1994), which solves the kinematic wave model for a triangular
    fundamental diagram: a cell sends what it holds up to capacity and receives what fits, so a queue grows
    upstream of a bottleneck and dissolves again. ``demand`` is (intervals, days, corridors) and ``capacity``
    (intervals, days, cells). Only + - * / min are used: their results do not depend on the number of days.
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
            # Vehicles leave in order: a blocked road ahead also holds back those bound for the off-ramp.
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


def _detect(
    spec: SampleSpec, net: _Network, stamps: Array, flow: Array, density: Array, rng: np.random.Generator
) -> pa.Table:
    """Readings of one day from the true flow and density, (intervals, sensors), with noise and faults."""
    cells, shape = net.cells[net.sensor_cell], flow.shape
    # Space-mean speed is flow over density (Edie 1963); drivers slow down a little as the road fills up.
    speed = flow / density * (1.0 - 0.07 * np.minimum(flow / cells["capacity"], 1.0) ** 4)
    speed += 1.2 * _remembering(rng, shape, spec, 100.0) + 1.2 * _remembering(rng, shape, spec, 6.0)
    speed = np.clip(speed + 0.4 * rng.standard_normal(shape[1]), *SPEED_RANGE_MPH)
    per_interval = spec.interval_minutes / 60
    count = flow * per_interval
    count = np.clip(np.round(count + 0.6 * np.sqrt(count) * rng.standard_normal(shape)), 0.0, None)
    covered = count / per_interval / speed / cells["lanes"] * net.vehicle_feet / 5280.0
    occupancy = np.clip(covered * (1.0 + 0.04 * rng.standard_normal(shape)), 0.0, 1.0)
    speed[(count == 0.0) | (rng.random(shape) < 0.002)] = np.nan  # no vehicle, no speed; and a silent fault

    # Isolated losses first: a fixed number per sensor, so that every day has at least 2 % of them.
    lost = rng.random(shape).argsort(axis=0) < np.ceil(0.024 * shape[0])
    for sensor in range(shape[1]):
        if rng.random() < 0.04:  # outage: no rows for hours
            start = rng.integers(shape[0])
            lost[start : start + round(rng.uniform(60.0, 360.0) / spec.interval_minutes), sensor] = True
        if rng.random() < 0.02:  # stuck: the same reading again and again
            start = rng.integers(shape[0])
            stuck = slice(start, start + round(rng.uniform(20.0, 60.0) / spec.interval_minutes))
            for values in (speed, count, occupancy):
                values[stuck, sensor] = values[start, sensor]

    which, when = np.nonzero(~lost.T)
    columns: dict[str, Any] = {name: net.sensors[name].take(pa.array(which)) for name in _SENSOR_COLUMNS}
    columns["timestamp"] = pa.array(stamps[when], pa.timestamp("us", tz="UTC"))
    for name, values in (("speed", speed), ("flow", count), ("occupancy", occupancy)):
        columns[name] = pa.array(values[when, which], from_pandas=True)
    return pa.table([columns[name] for name in READING_SCHEMA.names], schema=READING_SCHEMA)


def _spoil(table: pa.Table, share: float, rng: np.random.Generator) -> pa.Table:
    """The table with ``share`` of its rows wrong: half are repeated rows, half have a speed out of range."""
    rows = len(table)
    each = round(share * rows / (2.0 - share))  # repeats make the table longer, hence not just a half
    chosen = rng.permutation(rows)[: 2 * each]
    speed = table["speed"].to_numpy().copy()
    speed[chosen[:each]] = rng.choice([-1.0, 5.0], each) * rng.uniform(25.0, 60.0, each)
    at = READING_SCHEMA.get_field_index("speed")
    spoilt = table.set_column(at, READING_SCHEMA.field(at), pa.array(speed, from_pandas=True))
    return spoilt.take(pa.array(np.sort(np.concatenate([np.arange(rows), chosen[each:]]))))


def sensors(spec: SampleSpec) -> pa.Table:
    """The simulated sensors in ``SENSOR_SCHEMA``: positions in degrees, lanes of one direction of a highway.

    A highway's name carries its direction ("I-5 S"); rows of a highway run from upstream to downstream.
    """
    return _network(spec).sensors


def simulate_days(spec: SampleSpec) -> Iterator[tuple[date, pa.Table]]:
    """Simulated readings: one ``READING_SCHEMA`` table per local day, sorted by sensor, then by time.

    ``timestamp`` is the interval's start in UTC, ``speed`` is in mph (null: none measured), ``flow`` in
    vehicles per interval over all lanes, ``occupancy`` the share of time (0 to 1) for which a lane's detector
    is covered. Missing intervals have no row. A day looks the same whatever ``days`` and ``first_day`` are.
    """
    net = _network(spec)
    together = max(1, CELLS_AT_ONCE // len(net.cells))
    for first in range(0, spec.days, together):
        days = [spec.first_day + timedelta(days=k) for k in range(first, min(first + together, spec.days))]
        stamps, demands, capacities = [], [], []
        for day in days:
            rng = np.random.default_rng([spec.seed, day.toordinal(), 0])
            stamp, hours = _clock(spec, day)
            stamps.append(stamp)
            demands.append(_demand(spec, net, day, hours, rng))
            capacities.append(_capacity(spec, net, day, hours, rng))
        # On a change of clocks days differ in length: the others idle on for an hour that nobody reads.
        longest = max(map(len, stamps))
        demand, capacity = (
            np.stack([np.pad(part, ((0, longest - len(part)), (0, 0)), mode="edge") for part in parts], axis=1)
            for parts in (demands, capacities)
        )
        flow, density = _propagate(spec, net, demand, capacity)
        for k, (day, stamp) in enumerate(zip(days, stamps, strict=True)):
            rng = np.random.default_rng([spec.seed, day.toordinal(), 1])
            table = _detect(spec, net, stamp, flow[: len(stamp), k], density[: len(stamp), k], rng)
            if spec.bad_share > 0.0:
                table = _spoil(table, spec.bad_share, np.random.default_rng([spec.seed, day.toordinal(), 2]))
            yield day, table


def require_simulated(folder: Path) -> None:
    """Refuse a folder that holds readings which are no sample, so that real and simulated ones are never mixed.

    Raises:
        ValueError: naming the first such file.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))):
        try:
            metadata = pq.read_schema(file).metadata or {}
        except (pa.ArrowInvalid, OSError):
            metadata = {}
        if metadata.get(b"origin") != b"simulated":
            raise ValueError(f"{file} is no simulated file: write the sample to another folder (--to)")


def write_sample(spec: SampleSpec, folder: Path, progress: Callable[[int, int], None] | None = None) -> SampleReport:
    """Write ``folder/date=YYYY-MM-DD/readings.parquet`` per local day and report what the sample is like.

    Each file appears whole or not at all, replacing one of that day; files of other days stay. ``progress``
    is called with days written and days in total. Raises ``OSError`` if the folder cannot be written.
    """
    ids = sensors(spec)["sensor_id"].combine_chunks()
    ahead = 15 // spec.interval_minutes
    tail = np.full((0, len(ids)), np.nan)
    readings = intervals = present = known = congested = pairs = 0
    squares = 0.0
    for done, (day, table) in enumerate(simulate_days(spec), start=1):
        target = folder / f"date={day.isoformat()}" / "readings.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(".readings.parquet.part")  # readers pass over names with a leading dot
        try:
            pq.write_table(table, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

        stamps = _clock(spec, day)[0]
        cell = (
            np.searchsorted(stamps, table["timestamp"].cast(pa.int64()).to_numpy()),
            pc.index_in(table["sensor_id"], value_set=ids).to_numpy(),
        )
        there, speed = np.zeros((len(stamps), len(ids)), bool), np.full((len(stamps), len(ids)), np.nan)
        there[cell], speed[cell] = True, table["speed"].to_numpy()
        speed[(speed < SPEED_RANGE_MPH[0]) | (speed > SPEED_RANGE_MPH[1])] = np.nan
        joined = np.concatenate([tail, speed])
        change = joined[ahead:] - joined[:-ahead]
        tail = speed[-ahead:]
        readings += len(table)
        intervals += there.size
        present += int(there.sum())
        known += int(np.isfinite(speed).sum())
        congested += int((speed < CONGESTED_BELOW_MPH).sum())
        pairs += int(np.isfinite(change).sum())
        squares += float(np.nansum(change**2))
        if progress is not None:
            progress(done, spec.days)
    return SampleReport(
        days=spec.days,
        sensors=len(ids),
        readings=readings,
        missing_share=1.0 - present / intervals,
        congested_share=congested / max(known, 1),
        persistence_rmse_15min_mph=(squares / pairs) ** 0.5 if pairs else float("nan"),
    )
