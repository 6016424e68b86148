"""Simulated readings as pandas tables."""

import pandas as pd
import pyarrow as pa

from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.spec import SampleSpec


def readings(spec: SampleSpec) -> pd.DataFrame:
    frame = pa.concat_tables([table for _, table in simulate_days(spec)]).to_pandas()
    frame["local"] = frame["timestamp"].dt.tz_convert(spec.time_zone)
    return frame


def speed_grid(frame: pd.DataFrame) -> pd.DataFrame:
    """Return speeds by interval, including missing ones, and sensor."""
    grid = frame.pivot(index="timestamp", columns="sensor_id", values="speed")
    return grid.reindex(pd.date_range(grid.index.min(), grid.index.max(), freq="5min"))
