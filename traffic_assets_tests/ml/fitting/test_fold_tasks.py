"""Folds with one task each: the results of Spark's folds, with one fit per action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.errors import PythonException
from pyspark.sql import functions as F

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows
from traffic_assets.ml.fitting.fold_fitter import FoldSize
from traffic_assets.ml.fitting.fold_tasks import fits_in_tasks, open_fold_tasks
from traffic_assets.ml.model_selection.cross_validation import CrossValidation
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation, usable_features
from traffic_assets.ml.splits.folds import Fold, FoldKind, make_folds
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code
from traffic_assets_tests.ml.counting import counting, on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

XGBOOST = algorithm_named("xgboost")
ON_SPARK = on_spark(XGBOOST)
EARLY = XGBoostHyperparameters(n_estimators=40, max_depth=3, learning_rate=0.5, early_stopping_rounds=3)
EVERY = EARLY.model_copy(update={"early_stopping_rounds": None})


def _both(
    rows: DataFrame, features: FeatureSet, folds: Sequence[Fold], tried: Sequence[XGBoostHyperparameters]
) -> list[list[Any]]:
    in_tasks_counted, made = counting(XGBOOST)
    algorithms = [in_tasks_counted, ON_SPARK]
    with cached_rows(rows) as ordered:
        evaluated = [
            CrossValidation(features, algorithm, folds, 42).evaluate_trials(ordered, tried) for algorithm in algorithms
        ]
    assert len(made) == len(folds) * len(tried), "one task per fold and trial, and none for Spark"
    return evaluated


@pytest.mark.parametrize("kind", ["random", "sliding"])
@pytest.mark.parametrize("missing", ["median", "mean"])
def test_folds_in_tasks_equal_folds_on_spark(feature_rows: DataFrame, missing: Any, kind: FoldKind) -> None:
    """Include a created ratio with more missing values, missing categories, and rows that stop fits early."""
    preparation = Preparation(create=("flow_rate/occupancy_ratio",), missing=missing)
    features = usable_features(feature_rows, FEATURES, preparation)
    assert features.nulls["occupancy_ratio"] and features.nulls["highway_encoded"]
    in_task, on_spark = _both(feature_rows, features, make_folds(feature_rows, kind, 3, 42), [EARLY, EVERY])
    for one, other in zip(in_task, on_spark, strict=True):
        assert one.fitted_rows == other.fitted_rows
        for mine, theirs in zip(one.folds, other.folds, strict=True):
            assert mine.by_name == pytest.approx(theirs.by_name, rel=1e-5)
            assert mine.rows == theirs.rows
    assert in_task[0].folds[0].rmse != pytest.approx(in_task[1].folds[0].rmse, rel=1e-3), "hyperparameters matter"


def test_values_that_only_test_rows_have_are_not_learned(feature_rows: DataFrame) -> None:
    """Add a number and a category that only the first fold's test rows have, and that determine their speed."""
    folds = make_folds(feature_rows, "random", 2, 42)
    rows = feature_rows.withColumn("flow_rate", F.when(folds[0].test, F.col("speed")))
    rows = rows.withColumn("sensor_cluster", F.when(folds[0].test, F.col("speed").cast("int") + 100).otherwise(1))
    features = usable_features(rows, [c for c in FEATURES if c.name in ("flow_rate", "sensor_cluster", "hour_sin")])
    in_task, on_spark = _both(rows, features, folds, [EVERY])
    for mine, theirs in zip(in_task[0].folds, on_spark[0].folds, strict=True):
        assert mine.by_name == pytest.approx(theirs.by_name, rel=1e-5)
    assert in_task[0].folds[0].r2 < 0, "no fitted value predicts the speed"


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("values", [1, 2, 4])
@pytest.mark.parametrize("colsample", [1.0, 0.5])
def test_a_new_category_is_predicted_as_on_spark(
    feature_rows: DataFrame, values: int, missing: bool, colsample: float
) -> None:
    """Check that it counts as missing if fitted rows have missing ones, and otherwise as none of the known ones."""
    is_test = F.col("sensor_id") > "s5"
    number = F.substring("sensor_id", 2, 1).cast("int") % values
    known = (
        F.when(number != 0, number * 9) if missing else number * 9
    )  # 9, 18, 27: not the order of the alphabet with 0
    rows = feature_rows.withColumn("highway_encoded", F.when(is_test, F.lit(5)).otherwise(known))
    rows = rows.withColumn("speed", 20 + 3 * F.coalesce("highway_encoded", F.lit(11)) + F.col("hour_sin"))
    features = usable_features(rows, [c for c in FEATURES if c.name in ("highway_encoded", "is_rush_hour", "hour_sin")])
    tried = EVERY.model_copy(update={"colsample_bytree": colsample})
    in_task, on_spark = _both(rows, features, [Fold(~is_test, is_test, "new")], [tried])
    assert in_task[0].folds[0].by_name == pytest.approx(on_spark[0].folds[0].by_name, rel=1e-5)


@pytest.mark.parametrize("role", ["numeric", "categorical"])
def test_features_may_be_only_numbers_or_only_categories(feature_rows: DataFrame, role: str) -> None:
    features = usable_features(feature_rows, [column for column in FEATURES if column.role == role])
    in_task, on_spark = _both(feature_rows, features, make_folds(feature_rows, "random", 2, 42)[:1], [EVERY])
    assert in_task[0].folds[0].by_name == pytest.approx(on_spark[0].folds[0].by_name, rel=1e-5)


@pytest.mark.parametrize(("missing", "expected"), [("median", (5 * 60 + 40) / 6), ("mean", 40)])
def test_a_missing_number_is_imputed_from_the_fitted_rows(
    feature_rows: DataFrame, missing: Any, expected: float
) -> None:
    """Compare predictions for missing values. In train, sensor s0 has none, and its speed is 40.

    The median is the value of five sensors with speed 60, so s0 is averaged with them. The mean is no sensor's value,
    and neither is the median of all rows, 9, so s0 has its own prediction.
    """
    earlier, sensor = F.col("timestamp") < "2026-01-05 04:00", F.col("sensor_id")
    held = F.when(sensor.isin("s1", "s2"), 1.0).when(sensor > "s2", 5.0)
    rows = feature_rows.withColumn("flow_rate", F.when(earlier, held).when(F.minute("timestamp") != 0, 9.0))
    rows = rows.withColumn("speed", F.when(sensor == "s0", 40.0).when(sensor > "s2", 60.0).otherwise(20.0))
    features = usable_features(rows, [c for c in FEATURES if c.name == "flow_rate"], Preparation(missing=missing))
    assert rows.agg(F.median("flow_rate")).collect()[0][0] == 9
    fold = Fold(earlier, ~earlier, "later")
    with (
        open_fold_tasks(rows, features, XGBOOST, [fold], 42, extra_columns=["flow_rate"]) as tasks,
        tasks.prepare(0, FoldSize(1)) as prepared,
        prepared.predictions(EVERY) as predicted,
    ):
        missed = predicted.where("flow_rate is null").select("prediction").distinct().collect()
    assert [row["prediction"] for row in missed] == [pytest.approx(expected, abs=0.5)]


def test_one_fit_returns_the_requested_columns_of_the_test_rows(feature_rows: DataFrame, features: FeatureSet) -> None:
    rows = with_stopping_rows(feature_rows, XGBOOST, [EARLY], 42)
    fold = make_folds(rows, "random", 2, 42)[0]
    with (
        open_fold_tasks(rows, features, XGBOOST, [fold], 42, extra_columns=["timestamp", "sensor_id"]) as tasks,
        tasks.prepare(0, FoldSize(1)) as prepared,
    ):
        with prepared.predictions(EARLY) as predicted:
            assert set(predicted.columns) == {"speed", STOP, "timestamp", "sensor_id", "prediction"}
            assert predicted.storageLevel.useMemory
            predicted_speeds = {(r["sensor_id"], r["timestamp"]): r["speed"] for r in predicted.collect()}
        (metrics,) = prepared.evaluate(EARLY)
    expected = rows.where(fold.test).select("sensor_id", "timestamp", "speed").collect()
    assert predicted_speeds == {(r["sensor_id"], r["timestamp"]): r["speed"] for r in expected}
    assert metrics.rows == len(expected)


def test_a_task_has_all_cores_while_it_fits(
    feature_rows: DataFrame, features: FeatureSet, all_cores_held: list[str]
) -> None:
    folds = make_folds(feature_rows, "random", 2, 42)
    with (
        open_fold_tasks(feature_rows, features, XGBOOST, folds, 42) as tasks,
        tasks.prepare(0, FoldSize(1)) as prepared,
    ):
        prepared.evaluate(EVERY)
        assert all_cores_held == ["taken", "left"]
        with prepared.predictions(EVERY):
            assert all_cores_held == ["taken", "left"] * 2, "the kept predictions are fitted before they are returned"


@pytest.mark.parametrize(
    ("algorithm", "tried", "preparation", "expected"),
    [
        ("xgboost", [EARLY, EVERY], Preparation(), True),
        ("xgboost", [EARLY], Preparation(missing="mean", create=("flow_rate^2",), scaler="robust"), True),
        ("xgboost", [EARLY, EARLY.model_copy(update={"num_workers": 2})], Preparation(), False),
        ("xgboost", [EARLY], Preparation(missing="drop"), False),
        ("xgboost", [EARLY], Preparation(outliers="iqr"), False),
        ("xgboost", [EARLY], Preparation(selection="univariate"), False),
        ("random_forest", [RandomForestHyperparameters()], Preparation(), False),
    ],
)
def test_spark_prepares_folds_with_more_than_imputation(
    algorithm: str, tried: Any, preparation: Preparation, expected: bool
) -> None:
    assert fits_in_tasks(algorithm_named(algorithm), tried, preparation) == expected
    assert not fits_in_tasks(replace(algorithm_named(algorithm), scale_invariant=False), tried, preparation), (
        "arrays are not scaled"
    )


def test_folds_in_tasks_report_each_fold_and_end_at_a_deadline(feature_rows: DataFrame, features: FeatureSet) -> None:
    reported: list[str] = []
    folds = make_folds(feature_rows, "random", 3, 42)
    validation = CrossValidation(features, XGBOOST, folds, 42, notify=reported.append)
    (whole,) = validation.evaluate_trials(feature_rows, [EVERY])
    assert [line.split(", RMSE")[0] for line in reported] == [f"XGBoost: fold {i} of 3" for i in (1, 2, 3)]
    assert validation.fits == 3
    (cut,) = validation.evaluate_trials(feature_rows, [EVERY], deadline=0.0)
    assert cut.folds == whole.folds[:1]


@pytest.mark.parametrize("number", [1, 2])
def test_rows_are_cached_for_several_folds_and_sent_to_one_task(
    feature_rows: DataFrame, features: FeatureSet, number: int
) -> None:
    folds = make_folds(feature_rows, "random", 2, 42)[:number]
    with open_fold_tasks(feature_rows.repartition(3), features, XGBOOST, folds, 42) as tasks:
        assert tasks.rows.storageLevel.useMemory == (number > 1)
        with tasks.prepare(0, FoldSize(1)) as prepared, prepared.predictions(EVERY) as predicted:
            assert predicted.rdd.getNumPartitions() == 1
            assert predicted.count() == feature_rows.where(folds[0].test).count()
    assert not tasks.rows.storageLevel.useMemory


def test_a_fold_whose_rows_all_end_the_fit_is_refused(feature_rows: DataFrame, features: FeatureSet) -> None:
    folds = make_folds(feature_rows, "random", 2, 42)
    with (
        open_fold_tasks(feature_rows.withColumn(STOP, F.lit(True)), features, XGBOOST, folds, 42) as tasks,
        tasks.prepare(0, FoldSize(1)) as prepared,
        pytest.raises(PythonException, match="The fold has no rows to fit"),
    ):
        prepared.evaluate(EARLY)


def test_a_fold_without_rows_is_refused_in_tasks_as_on_spark(feature_rows: DataFrame, features: FeatureSet) -> None:
    folds = make_folds(feature_rows, "random", 3, 42)
    with pytest.raises(ValueError) as caught:
        CrossValidation(features, XGBOOST, folds, 42).evaluate_trials(feature_rows.where(folds[0].test), [EVERY])
    assert get_code(caught.value) == "model-selection.empty-fold"
