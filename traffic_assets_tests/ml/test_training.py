"""Training: rows lie where their key says, and pipelines come apart as they were put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import functions as F

from traffic_assets.ml.algorithms import ALGORITHMS
from traffic_assets.ml.preprocessing import VECTOR, FeatureSet
from traffic_assets.ml.training import (
    cached_rows,
    cached_vectors,
    fit_model,
    fit_pipeline,
    fit_preprocessor,
    model_of,
    pipeline_of,
    preprocessor_of,
)
from traffic_assets.settings.hyperparameters import LinearRegressionHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LINEAR = ALGORITHMS["linear_regression"]
PLAIN = LinearRegressionHyperparameters(regParam=0.0)


def _placement(rows: DataFrame) -> list[list[tuple[str, int]]]:
    """The keys of each partition, in the order in which they lie."""
    located = rows.select("sensor_id", F.col("timestamp").cast("long"), F.spark_partition_id()).collect()
    return [[(row[0], row[1]) for row in located if row[2] == i] for i in range(rows.rdd.getNumPartitions())]


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_same_rows_lie_in_the_same_place_however_they_came(feature_rows: DataFrame, partitions: int) -> None:
    shuffled = feature_rows.orderBy(F.rand(5)).repartition(7)
    with cached_rows(feature_rows, partitions) as one, cached_rows(shuffled, partitions) as other:
        expected, found = _placement(one), _placement(other)
    assert found == expected
    assert len(expected) == partitions
    assert all(part == sorted(part) for part in expected)
    assert sum(len(part) for part in expected) == 800
    assert max(len(part) for part in expected) < 800 * 0.6 or partitions == 1, "all partitions have work"


def test_as_many_partitions_as_cores_unless_told(feature_rows: DataFrame) -> None:
    with cached_rows(feature_rows.repartition(9)) as rows:
        assert rows.rdd.getNumPartitions() == feature_rows.sparkSession.sparkContext.defaultParallelism == 2


def test_rows_and_vectors_are_cached_inside_the_block_alone(feature_rows: DataFrame, features: FeatureSet) -> None:
    preprocessing = fit_preprocessor(feature_rows, features)
    with cached_rows(feature_rows) as rows, cached_vectors(preprocessing, rows) as vectors:
        assert rows.storageLevel.useMemory
        assert vectors.storageLevel.useMemory
        assert vectors.columns == [VECTOR, "speed", "row"]
        assert vectors.count() == 800
    with pytest.raises(RuntimeError, match="planted"), cached_rows(feature_rows) as kept:
        raise RuntimeError("planted")
    for frame in (rows, vectors, kept):
        assert not frame.storageLevel.useMemory


def test_a_pipeline_is_preprocessor_and_model(feature_rows: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    pipeline = fit_pipeline(feature_rows, features, LINEAR, PLAIN, 42)
    uri = f"file://{tmp_path}/pipeline"
    pipeline.write().save(uri)
    for found in (pipeline, PipelineModel.load(uri)):
        vectors = preprocessor_of(found).transform(feature_rows)
        assert "prediction" not in vectors.columns
        by_parts: np.ndarray = np.array(model_of(found).transform(vectors).select("prediction").collect())
        whole: np.ndarray = np.array(pipeline.transform(feature_rows).select("prediction").collect())
        assert (by_parts == whole).all()
        assert type(model_of(found)).__name__ == "LinearRegressionModel"


def test_fit_pipeline_is_the_fit_of_its_parts(feature_rows: DataFrame, features: FeatureSet) -> None:
    train, rest = feature_rows.where("sensor_id < 's4'"), feature_rows.where("sensor_id >= 's4'")
    preprocessing = fit_preprocessor(train, features)
    by_parts = pipeline_of(preprocessing, fit_model(preprocessing.transform(train), LINEAR, PLAIN, 42))
    at_once = fit_pipeline(train, features, LINEAR, PLAIN, 42)
    expected: np.ndarray = np.array(by_parts.transform(rest).select("prediction").collect()).ravel()
    found: np.ndarray = np.array(at_once.transform(rest).select("prediction").collect()).ravel()
    assert found == pytest.approx(expected, rel=1e-9)
    assert np.std(found) > 1
