"""Writer of samples, one file for each local day, with a report of their statistics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from traffic_assets.messages import simulation as messages
from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.demand import interval_starts
from traffic_assets.simulation.detectors import SPEED_RANGE_MPH
from traffic_assets.simulation.network import sensors
from traffic_assets.simulation.spec import SampleSpec

CONGESTED_BELOW_MPH = 45.0  # a reading slower than this counts as congested


class SampleReport(BaseModel):
    """Statistics of a sample. Rows that are bad on purpose count as readings and are otherwise ignored.

    Attributes:
        days: Number of local days.
        sensors: Number of sensors.
        readings: Number of rows.
        missing_share: Share of intervals without a row.
        congested_share: Share of known speeds below `CONGESTED_BELOW_MPH`.
        persistence_rmse_15min_mph: Root mean square of speed(t + 15 min) - speed(t) within a sensor, mph; NaN without
            such pairs.
    """

    model_config = ConfigDict(frozen=True)

    days: int
    sensors: int
    readings: int
    missing_share: float
    congested_share: float
    persistence_rmse_15min_mph: float


def require_simulated(folder: Path) -> None:
    """Raise if a folder has files that are not simulated, so that real and simulated readings are never mixed.

    Raises:
        ValueError: If a file is not simulated.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))):
        try:
            metadata = pq.read_schema(file).metadata or {}
        except (pa.ArrowInvalid, OSError):
            metadata = {}
        if metadata.get(b"origin") != b"simulated":
            raise ValueError(messages.REAL_FILE(file=file))


def write_sample(spec: SampleSpec, folder: Path, progress: Callable[[int, int], None] | None = None) -> SampleReport:
    """Write `folder/date=YYYY-MM-DD/readings.parquet` for each local day, and return the sample's statistics.

    Each file is written atomically and replaces an earlier one of its day. Files of other days are kept.

    Args:
        spec: Sample to write.
        folder: Folder of the files.
        progress: Callback after each day, with the number of days written and in total.

    Raises:
        OSError: If the folder cannot be written.
    """
    ids = sensors(spec)["sensor_id"].combine_chunks()
    ahead = 15 // spec.interval_minutes
    tail = np.full((0, len(ids)), np.nan)
    readings = intervals = present = known = congested = pairs = 0
    squares = 0.0
    for done, (day, table) in enumerate(simulate_days(spec), start=1):
        target = folder / f"date={day.isoformat()}" / "readings.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(".readings.parquet.part")  # readers ignore names with a leading dot
        try:
            pq.write_table(table, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

        stamps = interval_starts(spec, day)[0]
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
