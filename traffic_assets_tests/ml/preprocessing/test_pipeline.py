"""The preprocessor: fitted on train rows only, with the configured stages."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.fitting.caching import vectors_to_fit
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.preprocessing.feature_set import (
    FeatureSet,
    Preparation,
    usable_features,
)
from traffic_assets.ml.preprocessing.pipeline import (
    ASSEMBLED,
    KEPT,
    SELECTED,
    VECTOR,
    outlier_bounds,
    outlier_counts,
    predicting_stages,
    preprocessor,
    without_scaler,
)
from traffic_assets.ml.preprocessing.slots import dropped_slots, slots, vector_report
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

A, B, EMPTY = (Column(name, "numeric", "double") for name in ("a", "b", "empty"))
C, D = (Column(name, "categorical", "int") for name in ("c", "d"))
SCHEMA = "a double, b double, empty double, c int, d int"
TRAIN = [
    (1.0, 7.0, None, 2, 0),
    (2.0, 7.0, None, 10, 0),
    (3.0, 7.0, None, 2, 0),
    (4.0, 7.0, None, 10, 0),
    (100.0, 7.0, None, 2, 0),
    (None, 7.0, None, None, 0),
]
IMPUTED = np.array([1, 2, 3, 4, 100, 3.0])  # the median of train is 3


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(TRAIN, SCHEMA).repartition(2)


@pytest.fixture(scope="module")
def features(train: DataFrame) -> FeatureSet:
    return usable_features(train, [A, B, EMPTY, C, D])


@pytest.fixture(scope="module")
def fitted(train: DataFrame, features: FeatureSet) -> PipelineModel:
    return preprocessor(features).fit(train)


def _vectors(model: PipelineModel, spark: SparkSession, rows: list[tuple[Any, ...]]) -> np.ndarray:
    """Return the vectors of rows, shape (rows, slots)."""
    frame = spark.createDataFrame(rows, SCHEMA).coalesce(1)
    return np.array([row[0].toArray() for row in model.transform(frame).select(VECTOR).collect()])


def test_medians_means_and_labels_are_fitted_on_train_only(spark: SparkSession, fitted: PipelineModel) -> None:
    """Transform test rows with other medians, means and categories, which the preprocessor ignores."""
    test = [(1000.0, 7.0, None, 3, 0), (None, 7.0, None, 3, 0), (2000.0, 7.0, None, 3, 0)]
    vectors = _vectors(fitted, spark, test)
    mean, deviation = IMPUTED.mean(), IMPUTED.std(ddof=1)
    assert vectors[:, 0] == pytest.approx((np.array([1000, 3, 2000]) - mean) / deviation), "null has train's median"
    assert vectors.shape == (3, 7), "category 3 has no slot"


def test_train_is_standardized(spark: SparkSession, fitted: PipelineModel, features: FeatureSet) -> None:
    vectors = _vectors(fitted, spark, TRAIN)
    assert vectors[:, 0] == pytest.approx((IMPUTED - IMPUTED.mean()) / IMPUTED.std(ddof=1))
    assert vectors[:, 1] == pytest.approx(0), "b is constant"
    report = vector_report(fitted.transform(spark.createDataFrame(TRAIN, SCHEMA)), slots(fitted, features))
    assert report.rows == 6
    assert report.nulls == {}
    assert report.constant == ["b", "d=0", "d=other"]
    assert report.worst_mean < 1e-12
    assert report.worst_deviation < 1e-12


@pytest.mark.parametrize(("columns", "names"), [([A], ["a"]), ([D], ["d=0", "d=other"])])
def test_only_numeric_or_only_categorical_features(train: DataFrame, columns: list[Column], names: list[str]) -> None:
    features = usable_features(train, columns)
    model = preprocessor(features).fit(train)
    assert [slot.name for slot in slots(model, features)] == names
    assert model.transform(train).select(VECTOR).collect()[0][0].size == len(names)


def test_the_whole_catalogue(feature_rows: DataFrame) -> None:
    features = usable_features(feature_rows, FEATURES)
    assert features.names == tuple(column.name for column in FEATURES)
    assert features.missing == ()
    assert features.nulls == {
        "occupancy_ratio": 80,
        "speed_lag_1": 8,
        "speed_lag_2": 16,
        "speed_lag_3": 24,
        "highway_encoded": 40,
    }
    model = preprocessor(features).fit(feature_rows)
    named = slots(model, features)
    report = vector_report(model.transform(feature_rows), named)
    per_category = {name: len({slot.name for slot in named if slot.feature == name}) for name in features.categorical}
    assert per_category["is_rush_hour"] == 2 + 1, "each value, and one for all others"
    assert len(named) == len(features.numeric) + sum(per_category.values())
    assert report.nulls == {}
    assert report.constant == [
        "lon_normalized",
        "is_weekend=0",
        "is_weekend=other",
        "is_rush_hour=other",
        "sensor_cluster=other",
        "congestion_level=other",
    ]


@pytest.fixture(scope="module")
def numbers(spark: SparkSession) -> DataFrame:
    """Return 1 to 99, a value far above, one far below, and missing values."""
    values = [float(v) for v in range(1, 100)] + [1000.0, -500.0, None, math.nan]
    return spark.createDataFrame([(v, 5.0) for v in values], "a double, b double").repartition(2)


def _prepared(train: DataFrame, **preparation: Any) -> tuple[FeatureSet, list[float]]:
    """Return the feature set, and the elements of `a` after the preprocessor, in the order of `a`."""
    features = usable_features(train, [A, B], Preparation(**preparation))
    model = fit_preprocessor(train, features)
    rows = model.transform(train.orderBy("a")).select(VECTOR).collect()
    return features, [row[0][0] for row in rows]


@pytest.mark.parametrize(
    ("method", "factor", "low", "high"),
    [("iqr", 1.5, -49.0, 151.0), ("z_score", 2.0, None, None)],
)
def test_outliers_are_clipped_to_bounds_of_train(
    numbers: DataFrame, method: str, factor: float, low: float | None, high: float | None
) -> None:
    features = usable_features(numbers, [A, B], Preparation(outliers=method, outlier_factor=factor))  # type: ignore[arg-type]
    bounds = outlier_bounds(numbers, features)
    if low is None or high is None:
        values = np.array([*range(1, 100), 1000.0, -500.0])
        low, high = (values.mean() + sign * factor * values.std() for sign in (-1, 1))
        assert bounds["a"] == pytest.approx((low, high))
    else:
        assert bounds["a"] == pytest.approx((low, high), abs=4)
    assert "b" not in bounds, "all its values are equal"
    assert outlier_counts(numbers, features, bounds) == {"a": 2}
    clipped = fit_preprocessor(numbers, features).transform(numbers)
    clipped_values = [row["clipped_a"] for row in clipped.select("clipped_a").collect()]
    finite = sorted(v for v in clipped_values if v is not None and not math.isnan(v))
    assert (finite[0], finite[-1]) == pytest.approx(bounds["a"])
    assert finite[1:-1] == [float(v) for v in range(1, 100)]
    assert len(clipped_values) - len(finite) == 2, "missing values are left for the imputer"
    assert clipped.where("imputed_a is null or isnan(imputed_a)").count() == 0


def test_nothing_is_clipped_by_default(numbers: DataFrame) -> None:
    features = usable_features(numbers, [A, B])
    assert outlier_bounds(numbers, features) == {}
    assert outlier_counts(numbers, features, {}) == {}
    assert "clipped_a" not in fit_preprocessor(numbers, features).transform(numbers).columns


def test_missing_numbers_may_be_imputed_with_the_mean(numbers: DataFrame) -> None:
    for missing, value in (("median", 50.0), ("mean", (4950 + 500) / 101)):
        features = usable_features(numbers, [A, B], Preparation(missing=missing))  # type: ignore[arg-type]
        rows = fit_preprocessor(numbers, features).transform(numbers.where("a is null")).collect()
        assert rows[0]["imputed_a"] == pytest.approx(value, abs=1)


def test_every_scaler_has_its_range(numbers: DataFrame) -> None:
    _, standard = _prepared(numbers)
    assert np.mean(standard) == pytest.approx(0, abs=1e-9)
    assert np.std(standard, ddof=1) == pytest.approx(1)
    _, squeezed = _prepared(numbers, scaler="min_max")
    assert (min(squeezed), max(squeezed)) == (0.0, 1.0)
    _, robust = _prepared(numbers, scaler="robust")
    assert np.median(robust) == pytest.approx(0, abs=0.05)
    assert np.subtract(*np.percentile(robust, [75, 25])) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("scaler", ["standard", "min_max", "robust"])
def test_spark_stores_and_loads_clipping_and_every_scaler(numbers: DataFrame, tmp_path: Path, scaler: str) -> None:
    features = usable_features(numbers, [A, B], Preparation(outliers="iqr", scaler=scaler))  # type: ignore[arg-type]
    model = fit_preprocessor(numbers, features)
    model.write().save(f"file://{tmp_path}/p")
    expected, loaded = (
        [row[0].toArray().tolist() for row in m.transform(numbers.orderBy("a")).select(VECTOR).collect()]
        for m in (model, PipelineModel.load(f"file://{tmp_path}/p"))
    )
    assert loaded == expected
    assert [slot.name for slot in slots(model, features)] == ["a", "b"]
    assert FeatureSet.from_dict(json.loads(json.dumps(asdict(features)))) == features


def _values(
    model: PipelineModel, rows: DataFrame, features: FeatureSet, column: str = VECTOR
) -> dict[str, list[float]]:
    """Return the elements of the rows' vectors by slot, in the order of `a`."""
    vectors = np.array([row[0].toArray() for row in model.transform(rows.orderBy("a")).select(column).collect()])
    return {slot.name: vectors[:, i].tolist() for i, slot in enumerate(slots(model, features))}


def test_created_features_are_computed_by_row_and_imputed_if_missing(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1.0, 2.0), (2.0, 0.0), (3.0, None), (4.0, 8.0)], "a double, b double").repartition(2)
    preparation = Preparation(create=("a*b", "a/b", "b^2", "a^3"))
    features = usable_features(rows, [A, B], preparation)
    assert features.names == ("a", "b", "a*b", "a/b", "b^2", "a^3")
    assert features.numeric == ("a", "b"), "the columns that the table must have"
    assert features.nulls == {"b": 1, "a*b": 1, "a/b": 2, "b^2": 1}
    model = fit_preprocessor(rows, features)
    values = _values(model, rows, features, ASSEMBLED)
    assert values["a*b"] == [2.0, 0.0, 2.0, 32.0], "the third is imputed with the median of 0, 2 and 32"
    assert values["a/b"] == [0.5, 0.5, 0.5, 0.5], "a ratio to 0 or to a missing number is missing"
    assert values["b^2"] == [4.0, 0.0, 4.0, 64.0]
    assert values["a^3"] == [1.0, 8.0, 27.0, 64.0]
    assert [slot.feature for slot in slots(model, features)] == list(features.names)
    report = vector_report(model.transform(rows), slots(model, features))
    assert report.nulls == {}
    assert report.worst_mean < 1e-9
    assert FeatureSet.from_dict(json.loads(json.dumps(asdict(features)))) == features


def test_created_features_are_clipped_too(numbers: DataFrame) -> None:
    preparation = Preparation(create=("a^2",), outliers="iqr", outlier_factor=1.5)
    features = usable_features(numbers, [A], preparation)
    bounds = outlier_bounds(numbers, features)
    assert set(bounds) == {"a", "a^2"}
    assert outlier_counts(numbers, features, bounds) == {"a": 2, "a^2": 2}
    values = _values(fit_preprocessor(numbers, features), numbers, features, ASSEMBLED)
    assert max(values["a^2"]) == pytest.approx(bounds["a^2"][1])


def test_rows_with_a_missing_number_are_dropped_from_the_fit_only(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(1.0, 1.0, 5), (2.0, 2.0, None), (9.0, 3.0, 5), (100.0, None, 5), (math.nan, 4.0, 6)],
        "a double, b double, c int",
    ).repartition(2)
    features = usable_features(rows, [A, B, C], Preparation(missing="drop", create=("a/b",)))
    model = fit_preprocessor(rows, features)
    fitted = vectors_to_fit(model, rows)
    assert sorted(row["a"] for row in fitted.collect()) == [1.0, 2.0, 9.0], "a missing category is a category: other"
    report = vector_report(fitted, slots(model, features))
    assert (report.rows, report.nulls) == (3, {})
    assert report.worst_mean < 1e-12, "standardized by the remaining rows"
    assert "c=6" not in {slot.name for slot in slots(model, features)}, "a dropped row adds no category"
    every = model.transform(rows)
    assert every.count() == 5, "every row gets a prediction"
    by_b = {row["b"]: row for row in every.collect()}
    assert by_b[4.0]["imputed_a"] == 2.0, "the median of the remaining rows"
    assert by_b[None]["imputed_b"] == 2.0


def test_a_ratio_to_0_drops_no_row(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1.0, 0.0), (2.0, 4.0), (6.0, 3.0)], "a double, b double")
    features = usable_features(rows, [A, B], Preparation(missing="drop", create=("a/b",)))
    assert vectors_to_fit(fit_preprocessor(rows, features), rows).count() == 3


def test_rows_with_an_outlier_are_dropped_from_the_fit_only(numbers: DataFrame) -> None:
    preparation = Preparation(outliers="iqr", outlier_factor=1.5, outlier_action="drop")
    features = usable_features(numbers, [A, B], preparation)
    model = fit_preprocessor(numbers, features)
    assert outlier_counts(numbers, features, outlier_bounds(numbers, features)) == {"a": 2}
    fitted = [row["a"] for row in vectors_to_fit(model, numbers).collect()]
    assert len(fitted) == 101
    assert sorted(a for a in fitted if a is not None and not math.isnan(a)) == [float(v) for v in range(1, 100)]
    every = model.transform(numbers)
    assert every.count() == 103
    assert every.where("imputed_a in (1000.0, -500.0)").count() == 2, "outliers of other rows are not changed"


def test_a_preparation_that_drops_every_row_is_refused(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1.0, None), (None, 2.0)], "a double, b double")
    features = usable_features(rows, [A, B], Preparation(missing="drop"))
    with pytest.raises(ValueError) as caught:
        fit_preprocessor(rows, features)
    assert get_code(caught.value) == "preprocessing.no-rows-left"
    values = get_values(caught.value)
    assert (values["missing"], values["rows"], values["nulls"]) == ("drop", 2, {"a": 1, "b": 1})


@pytest.mark.parametrize("selection", ["variance", "univariate", "importance"])
def test_selected_slots_keep_their_names(feature_rows: DataFrame, selection: Any) -> None:
    preparation = Preparation(selection=selection, top_k=4, create=("flow_rate*traffic_efficiency",))
    features = usable_features(feature_rows, FEATURES, preparation)
    plain = usable_features(feature_rows, FEATURES, Preparation(create=preparation.create))
    model, whole = fit_preprocessor(feature_rows, features), fit_preprocessor(feature_rows, plain)
    rows = feature_rows.orderBy("sensor_id", "timestamp").limit(5)
    every, left = (
        np.array([row[0].toArray() for row in m.transform(rows).select(VECTOR).collect()]) for m in (whole, model)
    )
    names, kept = [slot.name for slot in slots(whole, plain)], [slot.name for slot in slots(model, features)]
    for i, name in enumerate(kept):
        assert left[:, i] == pytest.approx(every[:, names.index(name)]), name
    assert kept + [slot.name for slot in dropped_slots(model, features)] == sorted(
        names, key=lambda name: (name not in kept, names.index(name))
    )
    assert dropped_slots(whole, plain) == []
    if selection == "variance":
        assert set(names) - set(kept) == {
            "lon_normalized", "is_weekend=0", "is_weekend=other", "is_rush_hour=other", "sensor_cluster=other",
            "congestion_level=other",
        }  # fmt: skip
    else:
        assert len(kept) == 4
        assert "traffic_efficiency" in kept
    report = vector_report(model.transform(feature_rows), slots(model, features))
    assert report.nulls == {}
    assert report.constant == []
    assert max(report.worst_mean, report.worst_deviation) < 1e-9


def test_slots_are_selected_on_the_fitted_rows(spark: SparkSession) -> None:
    """Use other rows too, in which the other feature is the better one."""
    table = [(float(i % 7), float(i % 5), 10.0 * (i % 7), True) for i in range(70)]
    table += [(float(i % 7), float(i % 5), 10.0 * (i % 5), False) for i in range(700)]
    rows = spark.createDataFrame(table, "a double, b double, speed double, train boolean").repartition(2)
    features = usable_features(rows, [A, B], Preparation(selection="univariate", top_k=1))
    for which, best in (("train", "a"), ("not train", "b")):
        assert [slot.name for slot in slots(fit_preprocessor(rows.where(which), features), features)] == [best]


@pytest.mark.parametrize(("target", "best"), [("speed", "a"), ("flow", "b")])
def test_slots_are_selected_for_the_predicted_target(spark: SparkSession, target: str, best: str) -> None:
    table = [(float(i % 7), float(i % 5), 10.0 * (i % 7), 10.0 * (i % 5)) for i in range(70)]
    rows = spark.createDataFrame(table, "a double, b double, speed double, flow double")
    features = usable_features(rows, [A, B], Preparation(selection="univariate", top_k=1), target)
    assert [slot.name for slot in slots(fit_preprocessor(rows, features), features)] == [best]


@pytest.mark.parametrize("selection", ["none", "univariate"])
def test_a_preprocessor_without_its_scaler_equals_one_fitted_without_it(
    feature_rows: DataFrame, tmp_path: Path, selection: Any
) -> None:
    """Check that the slots are the same, in the columns' units."""
    features = usable_features(feature_rows, FEATURES, Preparation(selection=selection, top_k=5))
    whole, never = fit_preprocessor(feature_rows, features), fit_preprocessor(feature_rows, features, scaled=False)
    without = without_scaler(whole)
    assert len(without.stages) == len(never.stages) == len(whole.stages) - 1
    without.write().save(f"file://{tmp_path}/unscaled")
    unscaled = ASSEMBLED if selection == "none" else SELECTED
    expected = [row[0].toArray().tolist() for row in whole.transform(feature_rows).select(unscaled).collect()]
    for model in (without, PipelineModel.load(f"file://{tmp_path}/unscaled"), never):
        vectors = [row[0].toArray().tolist() for row in model.transform(feature_rows).select(VECTOR).collect()]
        assert vectors == expected
        assert slots(model, features) == slots(whole, features)


def test_spark_stores_and_loads_a_preprocessor_with_all_stages(feature_rows: DataFrame, tmp_path: Path) -> None:
    preparation = Preparation(
        create=("flow_rate/occupancy_ratio", "speed_lag_1^2"), missing="drop", outliers="z_score",
        outlier_action="drop", selection="importance", top_k=5, scaler="robust",
    )  # fmt: skip
    features = usable_features(feature_rows, FEATURES, preparation)
    fitted = fit_preprocessor(feature_rows, features)
    stages = predicting_stages(fitted)
    assert len(stages) == len(fitted.stages) - 1, "all except the stage that marks the rows to fit"
    fitted.write().save(f"file://{tmp_path}/fitted")
    PipelineModel(stages).write().save(f"file://{tmp_path}/predicting")
    expected = [row[0].toArray().tolist() for row in fitted.transform(feature_rows).select(VECTOR).collect()]
    assert len(expected) == 800
    assert len(expected[0]) == 5
    for name in ("fitted", "predicting"):
        loaded = PipelineModel.load(f"file://{tmp_path}/{name}")
        vectors = [row[0].toArray().tolist() for row in loaded.transform(feature_rows).select(VECTOR).collect()]
        assert vectors == expected
        assert slots(loaded, features) == slots(fitted, features)
        assert (KEPT in loaded.transform(feature_rows).columns) is (name == "fitted")
    loaded = PipelineModel.load(f"file://{tmp_path}/fitted")
    assert vectors_to_fit(loaded, feature_rows).count() == vectors_to_fit(fitted, feature_rows).count() < 800
