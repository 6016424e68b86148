"""Keys of the rows in tests, and helpers that read their splits."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from pyspark.sql import functions as F

from traffic_assets.ml.splits.assign import with_split
from traffic_assets.ml.splits.shares import SPLIT
from traffic_assets.settings.training import SplitSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


START = datetime(2026, 1, 5, tzinfo=UTC)
SENSORS, STEPS = 40, 50
ROWS = SENSORS * STEPS
SIGMAS = 6  # a correct implementation exceeds it once in 10^9 shares
Placed = dict[tuple[str, int], str]
SEEDS = st.integers(0, 2**31 - 1)


def placed_rows(rows: DataFrame, split: SplitSettings, seed: int) -> Placed:
    collected = with_split(rows, split, seed).select("sensor_id", F.col("timestamp").cast("long"), SPLIT).collect()
    placed = {(row[0], row[1]): row[2] for row in collected}
    assert len(placed) == len(collected), "each key occurs once"
    return placed


def is_near(share: float, expected: float, rows: int) -> bool:
    return abs(share - expected) <= SIGMAS * math.sqrt(expected * (1 - expected) / rows)
