"""Keys of rows, shared by the tests of this package."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from traffic_assets_tests.ml.splits.keys import SENSORS, START, STEPS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def keys(spark: SparkSession) -> Iterator[DataFrame]:
    rows = [(f"s{sensor}", START + step * timedelta(minutes=5)) for sensor in range(SENSORS) for step in range(STEPS)]
    frame = spark.createDataFrame(rows, "sensor_id string, timestamp timestamp").repartition(3).cache()
    yield frame
    frame.unpersist()
