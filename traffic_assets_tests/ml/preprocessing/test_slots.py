"""Slots: their names, and the report about invalid values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.linalg import Vectors

from traffic_assets.catalogue.column import Column
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, usable_features
from traffic_assets.ml.preprocessing.pipeline import ASSEMBLED, VECTOR, preprocessor
from traffic_assets.ml.preprocessing.slots import Slot, slots, vector_report

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = "a double, b double, c int, d int"


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1.0, 7.0, 2, 0), (2.0, 7.0, 10, 0), (3.0, 7.0, 2, 0)], SCHEMA)


@pytest.fixture(scope="module")
def features(train: DataFrame) -> FeatureSet:
    numbers = [Column(name, "numeric", "double") for name in ("a", "b")]
    return usable_features(train, numbers + [Column(name, "categorical", "int") for name in ("c", "d")])


@pytest.fixture(scope="module")
def fitted(train: DataFrame, features: FeatureSet) -> PipelineModel:
    return preprocessor(features).fit(train)


def test_slots_are_numeric_features_then_categories_and_other(fitted: PipelineModel, features: FeatureSet) -> None:
    assert slots(fitted, features) == [
        Slot("a", "a"),
        Slot("b", "b"),
        Slot("c=10", "c"),  # alphabetical, not by frequency
        Slot("c=2", "c"),
        Slot("c=other", "c"),
        Slot("d=0", "d"),
        Slot("d=other", "d"),
    ]


@pytest.mark.parametrize(
    ("row", "active"),
    [
        ((5.0, 7.0, 10, 0), {"c=10", "d=0"}),
        ((5.0, 7.0, 2, 0), {"c=2", "d=0"}),
        ((5.0, 7.0, 99, 0), {"c=other", "d=0"}),  # not in train
        ((5.0, 7.0, None, None), {"c=other", "d=other"}),  # null
    ],
)
def test_slot_names_match_positions_and_other_is_for_unseen_and_null(
    spark: SparkSession, fitted: PipelineModel, features: FeatureSet, row: tuple[Any, ...], active: set[str]
) -> None:
    vector = fitted.transform(spark.createDataFrame([row], SCHEMA)).collect()[0][ASSEMBLED].toArray()
    by_name = dict(zip((slot.name for slot in slots(fitted, features)), vector, strict=True))
    assert by_name.pop("a") == 5.0
    assert by_name.pop("b") == 7.0
    assert {name for name, value in by_name.items() if value == 1.0} == active
    assert sum(by_name.values()) == len(active)


def test_a_vector_that_is_not_standardized_is_reported(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(Vectors.dense([x, 7.0]),) for x in (1.0, 2.0, 6.0)], [VECTOR])
    report = vector_report(frame, [Slot("a", "a"), Slot("b", "b")])
    assert report.constant == ["b"]
    assert report.worst_mean == pytest.approx(3)
    assert report.worst_deviation == pytest.approx(math.sqrt(7) - 1)


def test_nan_and_infinity_in_the_vector_are_counted_by_slot(spark: SparkSession) -> None:
    rows = [(1.0, math.nan, 1.0, 5.0), (2.0, math.nan, math.inf, 5.0), (3.0, 2.0, 3.0, 5.0)]
    frame = spark.createDataFrame([(Vectors.dense(row),) for row in rows], [VECTOR]).repartition(2)
    report = vector_report(frame, [Slot(name, name) for name in "abcd"])
    assert report.nulls == {"b": 2, "c": 1}
    assert report.constant == ["d"], "a slot without a number is not constant"
    assert report.worst_mean == pytest.approx(2), "of the other slots"
