"""Temporal holdout: later rows are only tested, never fitted on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.model_selection.cross_validation import CrossValidation
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation, evaluate_temporal_holdout
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, usable_features
from traffic_assets.ml.search.runner import run_search
from traffic_assets.ml.search.strategies import make_strategy
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets.settings.training import SearchSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.ml.counting import counting, on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LINEAR = algorithm_named("linear_regression")
PLAIN = LinearRegressionHyperparameters(regParam=0.0)
USELESS = LinearRegressionHyperparameters(regParam=1e6)  # predicts the mean
START = datetime(2026, 1, 5, tzinfo=UTC)
STEPS, CHANGE, SENSORS = 100, 79, 4  # 80% of the rows are at or before step 79


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Iterator[DataFrame]:
    """Rows with speed = 40 + a before the change and 40 - a from then on; later rows have a higher `a` or none."""
    table = []
    for step in range(STEPS):
        for sensor in range(SENSORS):
            later = step >= CHANGE
            a = float((step * 7 + sensor * 3) % 10) + (20.0 if later else 0.0)
            hidden = later and sensor == 0
            speed = 40 - a if later else 40 + a
            table.append((f"s{sensor}", START + step * timedelta(minutes=5), None if hidden else a, speed))
    frame = spark.createDataFrame(table, "sensor_id string, timestamp timestamp, a double, speed double")
    frame = frame.orderBy(F.rand(1)).repartition(2).cache()
    yield frame
    frame.unpersist()


@pytest.fixture(scope="module")
def features(rows: DataFrame) -> FeatureSet:
    return usable_features(rows, [Column("a", "numeric", "double")])


def _as_given(*_: object) -> LinearRegressionHyperparameters:
    return PLAIN


def _expected_rmse(rows: DataFrame, boundary: int) -> float:
    """Return the RMSE of a fit on the earlier rows: it predicts 40 + a, with the earlier median if `a` is null."""
    table = [(row["timestamp"], row["a"], row["speed"]) for row in rows.collect()]
    at = (START + boundary * timedelta(minutes=5)).replace(tzinfo=None)
    median = sorted(a for time, a, _ in table if time < at)[(boundary * SENSORS - 1) // 2]
    errors = [40 + (median if a is None else a) - speed for time, a, speed in table if time >= at]
    return float(np.sqrt(np.mean(np.square(errors))))


@pytest.mark.parametrize("early", [None, 3])
def test_an_evaluation_in_a_task_equals_that_on_spark(rows: DataFrame, features: FeatureSet, early: int | None) -> None:
    xgboost, hyperparameters = (
        algorithm_named("xgboost"),
        {"n_estimators": 30, "learning_rate": 0.5, "early_stopping_rounds": early},
    )
    tried = XGBoostHyperparameters.model_validate(hyperparameters)
    in_tasks, tasks = counting(xgboost)
    mine, other = (
        evaluate_temporal_holdout(rows, features, algorithm, lambda *_: tried, share=0.8, seed=42)
        for algorithm in (in_tasks, on_spark(xgboost))
    )
    assert len(tasks) == 1
    assert mine.metrics.by_name == pytest.approx(other.metrics.by_name, rel=1e-5)
    assert mine.losses == pytest.approx(other.losses, rel=1e-5)
    assert (mine.fit_rows, mine.instants) == (other.fit_rows, other.instants)


def test_no_later_row_is_fitted_on(rows: DataFrame, features: FeatureSet) -> None:
    reported: list[str] = []
    evaluation = evaluate_temporal_holdout(
        rows, features, LINEAR, _as_given, share=0.8, seed=42, notify=reported.append
    )
    assert evaluation.boundary == START + CHANGE * timedelta(minutes=5)
    assert evaluation.fit_rows == CHANGE * SENSORS
    assert evaluation.metrics.rows == (STEPS - CHANGE) * SENSORS
    assert evaluation.metrics.rmse == pytest.approx(_expected_rmse(rows, CHANGE), rel=1e-6)
    assert evaluation.metrics.r2 < -10, "the regime changed after the train rows"
    assert evaluation.hyperparameters == PLAIN.model_dump()
    assert evaluation.search is None
    first = int(START.timestamp())
    assert evaluation.instants == [first + 300 * step for step in range(CHANGE, STEPS)]
    assert np.mean(evaluation.losses) == pytest.approx(evaluation.metrics.rmse**2), "each instant has all sensors"
    assert len(set(evaluation.losses)) > 5
    assert reported == [
        f"Linear regression: temporal holdout, RMSE {evaluation.metrics.rmse:.3f} mph, R² {evaluation.metrics.r2:.5f}"
    ]
    assert TemporalEvaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_an_earlier_boundary_evaluates_rows_of_both_regimes(rows: DataFrame, features: FeatureSet) -> None:
    evaluation = evaluate_temporal_holdout(rows, features, LINEAR, _as_given, share=0.5, seed=42)
    assert evaluation.boundary == START + 49 * timedelta(minutes=5)
    assert evaluation.metrics.rmse == pytest.approx(_expected_rmse(rows, 49), rel=1e-6)


def test_hyperparameters_are_chosen_on_the_earlier_rows_only(rows: DataFrame, features: FeatureSet) -> None:
    """Search on earlier rows, on which the line is better than the mean. On the later rows it is worse."""
    useless, plain = (
        evaluate_temporal_holdout(rows, features, LINEAR, lambda *_: hyperparameters, share=0.8, seed=42).metrics.rmse  # noqa: B023
        for hyperparameters in (USELESS, PLAIN)
    )
    assert useless < plain
    seen: list[int] = []

    def choose(earlier: DataFrame, narrow: FeatureSet) -> Search:
        seen.append(earlier.count())
        return run_search(
            earlier,
            narrow,
            LINEAR,
            make_strategy(SearchSettings(), PLAIN, {"regParam": [1e6, 0.0]}, True, "rmse", 42),
            folds=make_folds(earlier, "random", 2, 42),
            seed=42,
        )

    evaluation = evaluate_temporal_holdout(rows, features, LINEAR, choose, share=0.8, seed=42)
    assert seen == [CHANGE * SENSORS]
    assert evaluation.hyperparameters["regParam"] == 0.0
    assert evaluation.metrics.rmse == pytest.approx(plain)
    assert evaluation.search and [trial.hyperparameters["regParam"] for trial in evaluation.search.trials] == [1e6, 0.0]
    assert TemporalEvaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_a_search_on_the_earlier_rows_leaves_out_features_that_its_first_fold_lacks(rows: DataFrame) -> None:
    """Add a feature that begins after a sixth of the earlier time. Train has 70% of the rows."""
    begins = rows.withColumn("b", F.when(_step() >= 14, F.sqrt(_step())))
    columns = [Column(name, "numeric", "double") for name in ("a", "b")]
    both = usable_features(begins.where(unit_hash(42, "split") < 0.7), columns)
    assert 0 < both.nulls["b"] < CHANGE * SENSORS // 6 < CHANGE * SENSORS - (STEPS * SENSORS - both.rows)
    seen: list[FeatureSet] = []

    def choose(earlier: DataFrame, narrow: FeatureSet) -> LinearRegressionHyperparameters:
        seen.append(narrow)
        CrossValidation(narrow, LINEAR, make_folds(earlier, "expanding", 5, 42), 42).evaluate(earlier, PLAIN)
        return PLAIN

    evaluate_temporal_holdout(begins, both, LINEAR, choose, share=0.8, seed=42)
    assert [(searched.names, searched.rows) for searched in seen] == [(("a", "b"), CHANGE * SENSORS)]


def _step() -> Any:
    return (F.unix_timestamp("timestamp") - int(START.timestamp())) / 300


@pytest.mark.parametrize("train", [1.0, 0.7])
def test_a_feature_that_only_later_rows_have_is_left_out(rows: DataFrame, features: FeatureSet, train: float) -> None:
    with_late = rows.withColumn("late", F.when(_step() >= CHANGE, F.lit(1.0)))
    columns = [Column("a", "numeric", "double"), Column("late", "numeric", "double")]
    both = usable_features(with_late.where(unit_hash(42, "split") < train), columns)
    assert both.names == ("a", "late")
    alone = evaluate_temporal_holdout(rows, features, LINEAR, _as_given, share=0.8, seed=42)
    assert evaluate_temporal_holdout(with_late, both, LINEAR, _as_given, share=0.8, seed=42).metrics == alone.metrics


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_a_part_without_rows_is_refused(rows: DataFrame, features: FeatureSet, share: float) -> None:
    first = rows.where(F.col("timestamp") == F.lit(START))
    with pytest.raises(ValueError) as caught:
        evaluate_temporal_holdout(first, features, LINEAR, _as_given, share=share, seed=42)
    assert get_code(caught.value) == "model-selection.no-earlier-rows"
    assert get_values(caught.value) == {"boundary": START}
    with pytest.raises(ValueError) as caught:
        evaluate_temporal_holdout(rows.limit(0), features, LINEAR, _as_given, share=share, seed=42)
    assert get_code(caught.value) == "model-selection.no-rows-in-window"
