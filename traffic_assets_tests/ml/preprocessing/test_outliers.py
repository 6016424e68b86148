"""Bounds of outliers: missing values are neither fitted nor outside the bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.preprocessing.outliers import clip_sql, counts_outside, fit_bounds, inside_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    values = [*(float(v) for v in range(1, 10)), 500.0, None, math.nan]
    return spark.createDataFrame([(v, 3.0, None) for v in values], "a double, same double, none double").repartition(2)


def test_bounds_by_quartiles(rows: DataFrame) -> None:
    bounds = fit_bounds(rows, ["a", "same", "none"], "iqr", 1.5)
    low, high = bounds.pop("a")
    assert bounds == {}, "columns with one value, or none, have no bounds"
    assert low < 1
    assert 9 < high < 500
    assert counts_outside(rows, {"a": (low, high)}) == {"a": 1}


def test_bounds_by_standard_deviation(rows: DataFrame) -> None:
    values = [*range(1, 10), 500]
    mean = sum(values) / 10
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 10)
    bounds = fit_bounds(rows, ["a", "same", "none"], "z_score", 2.0)
    assert bounds == {"a": (pytest.approx(mean - 2 * deviation), pytest.approx(mean + 2 * deviation))}


@pytest.mark.parametrize("method", ["none", "iqr"])
def test_without_a_method_or_columns_there_are_no_bounds(rows: DataFrame, method: Literal["none", "iqr"]) -> None:
    assert fit_bounds(rows, ["a"] if method == "none" else [], method, 3.0) == {}
    assert counts_outside(rows, {}) == {}


def test_missing_values_are_neither_outside_nor_clipped(rows: DataFrame) -> None:
    checked = rows.select(
        "a", F.expr(inside_sql("a", 2.0, 8.0)).alias("inside"), F.expr(clip_sql("a", 2.0, 8.0)).alias("to")
    )
    by_value = {str(row["a"]): (row["inside"], str(row["to"])) for row in checked.collect()}
    assert by_value["None"] == (True, "None")
    assert by_value["nan"] == (True, "nan")
    assert by_value["1.0"] == (False, "2.0")
    assert by_value["2.0"] == (True, "2.0")
    assert by_value["500.0"] == (False, "8.0")
