"""Feature sets: the columns with values in train, and what can be created from them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.preprocessing.feature_set import (
    FeatureSet,
    Preparation,
    select_present_features,
    usable_features,
)
from traffic_assets.ml.preprocessing.slots import slots
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

A, B, EMPTY = (Column(name, "numeric", "double") for name in ("a", "b", "empty"))
C, D = (Column(name, "categorical", "int") for name in ("c", "d"))
SCHEMA = "a double, b double, empty double, c int, d int"
TRAIN = [(1.0, 7.0, None, 2, 0), (100.0, 7.0, None, 10, 0), (None, 7.0, None, None, 0)]


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(TRAIN, SCHEMA).repartition(2)


@pytest.fixture(scope="module")
def features(train: DataFrame) -> FeatureSet:
    return usable_features(train, [A, B, EMPTY, C, D])


def test_a_feature_without_a_value_in_train_is_left_out_and_listed(features: FeatureSet) -> None:
    assert features.numeric == ("a", "b")
    assert features.categorical == ("c", "d")
    assert features.names == ("a", "b", "c", "d")
    assert features.missing == ("empty",)
    assert features.nulls == {"a": 1, "c": 1}


def test_a_column_that_is_not_in_the_table_is_missing_too(train: DataFrame) -> None:
    features = usable_features(train.drop("a", "d"), [A, B, C, D])
    assert (features.numeric, features.categorical, features.missing) == (("b",), ("c",), ("a", "d"))


def test_nan_is_a_missing_value(spark: SparkSession) -> None:
    """Treat NaN as missing, as pandas writes it and as the imputer reads it."""
    rows = spark.createDataFrame([(1.0, math.nan), (math.nan, math.nan), (None, None)], "a double, b double")
    features = usable_features(rows, [A, B])
    assert (features.numeric, features.missing, features.nulls) == (("a",), ("b",), {"a": 2})


def test_rows_without_target_or_feature_values_are_refused(train: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        usable_features(train.limit(0), [A])
    assert get_code(caught.value) == "preprocessing.no-target"
    assert get_values(caught.value) == {"target": "speed"}
    with pytest.raises(ValueError) as caught:
        usable_features(train, [EMPTY, Column("absent", "numeric", "double")])
    assert get_code(caught.value) == "preprocessing.no-feature-values"
    assert get_values(caught.value) == {"features": ["empty", "absent"]}


def test_the_feature_set_survives_json(features: FeatureSet) -> None:
    assert FeatureSet.from_dict(json.loads(json.dumps(asdict(features)))) == features


def test_features_that_cannot_be_created_are_left_out_and_listed(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1.0, 0.0), (2.0, 0.0)], "a double, b double")
    preparation = Preparation(create=("a/b", "a*b", "a*absent"))
    features = usable_features(rows, [A, B, Column("absent", "numeric", "double")], preparation)
    assert features.missing == ("absent", "a/b", "a*absent")
    assert features.names == ("a", "b", "a*b")
    assert [slot.name for slot in slots(fit_preprocessor(rows, features), features)] == ["a", "b", "a*b"]
    assert select_present_features(features, rows).names == features.names


def test_rows_are_not_read_if_every_feature_has_a_value_in_some_of_them(spark: SparkSession) -> None:
    """Use a feature that three of four rows lack: four rows have a value, any three may have none."""
    table = [(1.0, 5.0, 50.0), (2.0, None, 51.0), (3.0, None, 52.0), (4.0, None, 53.0)]
    rows = spark.createDataFrame(table, "a double, b double, speed double")
    features = usable_features(rows, [A, B])
    fewer = rows.where("a > 1")
    assert select_present_features(features, fewer, 3).names == ("a",)
    assert select_present_features(features, fewer).names == ("a",)
    assert select_present_features(features, fewer, 4) == replace(features, rows=4)
    more = fewer.unionByName(fewer)  # half of them may not be in train
    assert select_present_features(features, more, 6, others=3).names == ("a",)
    bounds = {"a": 2, "b": 5}
    assert select_present_features(features, more, 6, others=2) == replace(features, rows=6, nulls=bounds)


def test_features_created_from_leaky_features_are_leaky(feature_rows: DataFrame) -> None:
    preparation = Preparation(create=("flow_rate*traffic_efficiency", "flow_rate^2"))
    features = usable_features(feature_rows, FEATURES, preparation)
    assert features.leaky_features == ("traffic_efficiency", "flow_rate*traffic_efficiency", "congestion_level")
    assert replace(features, target="flow").leaky_features == (
        "flow_rate",
        "flow_rate*traffic_efficiency",
        "flow_rate^2",
    )
