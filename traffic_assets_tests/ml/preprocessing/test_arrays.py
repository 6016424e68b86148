"""Rows as arrays: equal to the results of Spark's stages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.preprocessing.arrays import NO_CATEGORY, encoded_rows, imputed_vectors
from traffic_assets.ml.preprocessing.feature_set import Preparation, usable_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.preprocessing.slots import slots
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

A, B = (Column(name, "numeric", "double") for name in ("a", "b"))
C, D = (Column(name, "categorical", "string") for name in ("c", "d"))


def test_encoded_rows_have_the_numbers_and_categories_of_the_vector(feature_rows: DataFrame) -> None:
    """Check that numbers, one of them created, have the vector's order, and that each hash represents one slot."""
    features = usable_features(feature_rows, FEATURES, Preparation(create=("flow_rate/occupancy_ratio",)))
    keys = ["sensor_id", "timestamp"]
    table = encoded_rows(feature_rows, features).select(*keys, "numbers", "categories").orderBy(*keys).collect()
    model = fit_preprocessor(feature_rows, features, scaled=False)
    expected = model.transform(feature_rows).select(*keys, VECTOR).orderBy(*keys).collect()
    vectors = np.array([row[VECTOR].toArray() for row in expected], dtype=np.float32)
    numbers = np.array([row["numbers"] for row in table], dtype=np.float32)
    missing = np.isnan(numbers)
    assert missing.any() and (numbers[~missing] == vectors[:, : numbers.shape[1]][~missing]).all()
    named = slots(model, features)
    for i, name in enumerate(features.categorical):
        one_hot = vectors[:, [slot.feature == name for slot in named]]
        pairs = set(zip([row["categories"][i] for row in table], one_hot.argmax(axis=1), strict=True))
        assert len(pairs) == len({value for value, _ in pairs}) == len({slot for _, slot in pairs}), name


@pytest.mark.parametrize("missing", ["median", "mean"])
def test_imputed_vectors_equal_those_of_the_preprocessor(feature_rows: DataFrame, missing: Any) -> None:
    """Use rows with null, NaN, an imputed integer, a created number, and new and missing categories."""
    few = F.hour("timestamp") < 2
    rows = feature_rows.withColumn(
        "flow_rate", F.when(F.minute("timestamp") != 5, F.col("flow_rate")).otherwise(math.nan)
    )
    rows = rows.withColumn("speed_lag_1", F.when(F.minute("timestamp") != 10, F.col("speed_lag_1").cast("int")))
    rows = rows.withColumn("highway_encoded", F.when(few, F.lit(1)).when(F.minute("timestamp") != 15, F.lit(2)))
    features = usable_features(rows, FEATURES, Preparation(create=("flow_rate/occupancy_ratio",), missing=missing))
    assert {"flow_rate", "speed_lag_1", "highway_encoded"} <= set(features.nulls) & set(features.names)
    model = fit_preprocessor(rows.where(few), features, scaled=False)
    keys = ["sensor_id", "timestamp"]
    listed = imputed_vectors(rows, features, model).select(*keys, VECTOR).orderBy(*keys).collect()
    staged = model.transform(rows).select(*keys, VECTOR).orderBy(*keys).collect()
    vectors, expected = ([row[VECTOR] for row in table] for table in (listed, staged))
    assert np.array_equal(np.array(vectors, np.float32), np.array([v.toArray() for v in expected], np.float32))


@pytest.mark.parametrize("created", [(), ("a*b",)])
def test_imputed_vectors_have_categories_of_any_type_and_created_numbers(spark: SparkSession, created: Any) -> None:
    """Use rows with and without numbers, and with values that are not in the fitted rows."""
    table = [(1.0, 2.0, "x", 1.5, 7.0), (2.0, None, "y", -1.0, 8.0), (3.0, 2.0, None, None, 9.0)]
    rows = spark.createDataFrame(table, "a double, b double, c string, d double, speed double")
    features = usable_features(rows, [C, D, *([A, B] if created else [])], Preparation(create=created))
    model = fit_preprocessor(rows.where("a > 1"), features, scaled=False)
    vectors = [row[0] for row in imputed_vectors(rows, features, model).select(VECTOR).collect()]
    assert vectors == [row[0].toArray().tolist() for row in model.transform(rows).select(VECTOR).collect()]
    assert len(vectors[0]) == len(slots(model, features))


def test_scaled_or_selected_vectors_are_refused(feature_rows: DataFrame) -> None:
    for preparation, scaled in ((Preparation(), True), (Preparation(selection="variance"), False)):
        features = usable_features(feature_rows, FEATURES, preparation)
        with pytest.raises(ValueError) as caught:
            imputed_vectors(feature_rows, features, fit_preprocessor(feature_rows, features, scaled))
        assert get_code(caught.value) == "preprocessing.not-an-array"
        values = get_values(caught.value)
        assert (values["scaled"], values["selection"]) == (scaled, preparation.selection)


def test_categories_that_are_not_integers_are_hashed(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1), ("b", 2), ("a", None), (None, 2)], "c string, d int")
    features = usable_features(rows.withColumn("speed", F.lit(1.0)), [C, D])
    encoded = [row["categories"] for row in encoded_rows(rows, features).collect()]
    assert [whole for _, whole in encoded] == [1, 2, NO_CATEGORY, 2]
    assert encoded[0][0] == encoded[2][0] != encoded[1][0]
    assert encoded[3][0] == NO_CATEGORY


@pytest.mark.parametrize("column", [A, C])
def test_rows_may_have_only_numbers_or_only_categories(spark: SparkSession, column: Column) -> None:
    train = spark.createDataFrame([(1.0, "x", 3.0), (2.0, "y", 4.0)], "a double, c string, speed double")
    made = encoded_rows(train, usable_features(train, [column]))
    row = made.where("a = 2").select("numbers", "categories").collect()[0]
    assert (row["numbers"], len(row["categories"])) == (([2.0], 0) if column == A else ([], 1))
