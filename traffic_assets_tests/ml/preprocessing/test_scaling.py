"""Scaling: slots that vary only by rounding are the same for every row, also for rows that differ later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.linalg import Vectors

from traffic_assets.ml.preprocessing.pipeline import is_scaled
from traffic_assets.ml.preprocessing.scaling import Method, SlotScaler

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROUNDED, VARYING, CONSTANT, TINY = range(4)


def vectors(spark: SparkSession, rows: list[list[float]]) -> DataFrame:
    return spark.createDataFrame([(Vectors.dense(row),) for row in rows], ["raw"]).coalesce(1)


def scaled(model: Any, rows: DataFrame) -> np.ndarray:
    return np.array([row.features.toArray() for row in model.transform(rows).collect()])


@pytest.mark.parametrize("method", ["standard", "min_max", "robust"])
def test_rounding_is_not_scaled_up(spark: SparkSession, tmp_path: Path, method: Method) -> None:
    above = np.nextafter(65.3, 100)
    train = vectors(spark, [[(65.3, above)[i % 2], float(i), 7.0, (0.0, 3e-15)[i % 2]] for i in range(8)])
    later = vectors(spark, [[30.0, 3.0, 5.0, 1.0]])
    model = SlotScaler(method, "raw", "features").fit(train)
    result, new = scaled(model, train), scaled(model, later)
    for slot in (ROUNDED, CONSTANT, TINY):
        assert np.ptp(result[:, slot]) == 0
        assert new[0, slot] == result[0, slot]
    assert np.ptp(result[:, VARYING]) > 0.9
    PipelineModel([model]).write().save(f"{tmp_path}/stored")
    stored = PipelineModel.load(f"{tmp_path}/stored")
    assert is_scaled(stored)
    assert np.array_equal(scaled(stored, later), new)


def test_other_slots_are_scaled_as_by_spark(spark: SparkSession) -> None:
    draw = np.random.default_rng(1)
    rows = np.column_stack([draw.normal(50, 5, 50), draw.normal(1e-6, 1e-7, 50)])
    result = scaled(
        SlotScaler("standard", "raw", "features").fit(vectors(spark, rows.tolist())), vectors(spark, rows.tolist())
    )
    assert result.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert result.std(axis=0, ddof=1) == pytest.approx([1, 1])
