"""One small synthetic feature table, shared by the tests of `ml`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.lookup import feature_table_columns
from traffic_assets.ml.estimators import cores
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, usable_features

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SENSORS, STEPS = 8, 100
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="session")
def feature_rows(spark: SparkSession) -> Iterator[DataFrame]:
    """Return the catalogue's columns for 8 sensors and 100 intervals, with missing values and two constant columns.

    The speed is the sensor's free-flow speed times `traffic_efficiency`; everything else is noise around it.
    """
    draw = np.random.default_rng(7)
    table = []
    for sensor in range(SENSORS):
        for step in range(STEPS):
            efficiency = float(draw.uniform(0.2, 1.1))
            speed = (55 + sensor) * efficiency
            near = [float(np.clip(speed + draw.normal(0, 4), 0, 120)) for _ in range(7)]
            table.append(
                {
                    "sensor_id": f"s{sensor}",
                    "timestamp": START + step * timedelta(minutes=5),
                    "hour_sin": float(np.sin(step / 7)),
                    "hour_cos": float(np.cos(step / 7)),
                    "time_since_midnight": 5.0 * step,
                    "lat_normalized": sensor / SENSORS,
                    "lon_normalized": 0.5,  # constant
                    "distance_from_center": float(sensor * sensor),
                    "traffic_efficiency": efficiency,
                    "occupancy_ratio": None if step % 10 == 3 else float(draw.uniform(0, 1)),
                    "flow_rate": float(draw.uniform(200, 1800)),
                    "speed_variance": float(draw.uniform(0, 30)),
                    **{f"speed_lag_{k}": None if step < k else near[k] for k in (1, 2, 3)},
                    **{f"speed_ma_{m}min": near[i] for m, i in ((15, 4), (30, 5), (60, 6))},
                    "highway_encoded": None if step % 20 == 7 else sensor % 3,
                    "is_weekend": 0,  # constant
                    "is_rush_hour": int(30 <= step < 60),
                    "sensor_cluster": sensor % 4,
                    "congestion_level": next(i for i, low in enumerate((0.8, 0.6, 0.4, 0.0)) if efficiency >= low),
                    "speed": speed,
                    "flow": None if step % 50 == 9 else speed + 2.0 * step,
                }
            )
    schema = ", ".join(f"{column.name} {column.spark_type}" for column in feature_table_columns())
    names = [column.name for column in feature_table_columns()]
    frame = spark.createDataFrame([tuple(row[name] for name in names) for row in table], schema).coalesce(2).cache()
    yield frame
    frame.unpersist()


@pytest.fixture(scope="session")
def features(feature_rows: DataFrame) -> FeatureSet:
    """Return the features that have values in the shared table."""
    return usable_features(feature_rows, FEATURES)


@pytest.fixture
def all_cores_held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets "taken" and "left" from each holder of all cores of a local session."""
    held: list[str] = []

    class Lock:
        def __enter__(self) -> None:
            held.append("taken")

        def __exit__(self, *_: object) -> None:
            held.append("left")

    monkeypatch.setattr(cores, "_ALL_CORES", Lock())
    return held
