"""The contract of both ways to fit folds, and the choice between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.ml.fitting.early_stopping import STOP, STOPPING_SHARE
from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize
from traffic_assets.ml.fitting.fold_fitter_factory import open_fold_fitter
from traffic_assets.ml.fitting.fold_tasks import FoldTasks
from traffic_assets.ml.fitting.spark_folds import SparkFolds
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation, usable_features
from traffic_assets.ml.splits.folds import Fold, make_folds
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code
from traffic_assets_tests.ml.counting import on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SEED, FOLDS = 42, 2
XGBOOST = algorithm_named("xgboost")
WAYS: dict[type[FoldFitter], Algorithm] = {FoldTasks: XGBOOST, SparkFolds: on_spark(XGBOOST)}
PLAIN = XGBoostHyperparameters(n_estimators=10, max_depth=3, early_stopping_rounds=None)
EARLY = PLAIN.model_copy(update={"early_stopping_rounds": 3})

pytestmark = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def folds(feature_rows: DataFrame) -> list[Fold]:
    return make_folds(feature_rows, "random", FOLDS, SEED)


@pytest.fixture
def fitter(
    way: type[FoldFitter], feature_rows: DataFrame, features: FeatureSet, folds: list[Fold]
) -> Iterator[FoldFitter]:
    with open_fold_fitter(
        feature_rows, features, WAYS[way], folds, [PLAIN, EARLY], SEED, extra_columns=["timestamp", "sensor_id"]
    ) as opened:
        assert type(opened) is way
        yield opened


def test_sizes_are_the_row_counts_of_the_folds(fitter: FoldFitter, feature_rows: DataFrame, folds: list[Fold]) -> None:
    stops = unit_hash(SEED, "stop") < STOPPING_SHARE
    expected = [
        FoldSize(*(feature_rows.where(part).count() for part in (fold.train, fold.train & stops, fold.test)))
        for fold in folds
    ]
    assert fitter.fold_sizes() == expected
    assert all(size.stopping for size in expected)


def test_metrics_are_those_of_the_predictions_for_the_test_rows(
    fitter: FoldFitter, feature_rows: DataFrame, folds: list[Fold]
) -> None:
    for number, size in enumerate(fitter.fold_sizes()):
        with fitter.prepare(number, size, fits=2) as fold:
            assert fold.size == size
            (metrics,) = fold.evaluate(PLAIN)
            with fold.predictions(PLAIN) as predicted:
                assert set(predicted.columns) == {"speed", STOP, "timestamp", "sensor_id", "prediction"}
                assert evaluate(predicted).by_name == pytest.approx(metrics.by_name)
                keys = {(row["sensor_id"], row["timestamp"]) for row in predicted.collect()}
        expected = feature_rows.where(folds[number].test).select("sensor_id", "timestamp").collect()
        assert keys == {(row["sensor_id"], row["timestamp"]) for row in expected}
        assert metrics.rows == len(expected)


def test_the_hyperparameters_have_an_effect(fitter: FoldFitter) -> None:
    with fitter.prepare(0, fitter.fold_sizes()[0], fits=2) as fold:
        shallow, deep = (fold.evaluate(PLAIN.model_copy(update={"max_depth": depth}))[0] for depth in (1, 5))
    assert deep.rmse < shallow.rmse


def test_both_ways_have_the_same_metrics(
    fitter: FoldFitter, way: type[FoldFitter], feature_rows: DataFrame, features: FeatureSet, folds: list[Fold]
) -> None:
    other = WAYS[SparkFolds if way is FoldTasks else FoldTasks]
    with open_fold_fitter(feature_rows, features, other, folds, [PLAIN, EARLY], SEED) as other_fitter:
        metrics = []
        for one in (fitter, other_fitter):
            with one.prepare(0, one.fold_sizes()[0]) as fold:
                metrics += fold.evaluate(EARLY)
    assert metrics[0].by_name == pytest.approx(metrics[1].by_name, rel=1e-5)


def test_cached_rows_are_released_at_the_end(
    way: type[FoldFitter], spark: SparkSession, feature_rows: DataFrame, features: FeatureSet, folds: list[Fold]
) -> None:
    context: Any = spark.sparkContext
    before = context._jsc.getPersistentRDDs().size()
    with open_fold_fitter(feature_rows, features, WAYS[way], folds, [PLAIN], SEED) as fitter:
        with (
            fitter.prepare(0, fitter.fold_sizes()[0], fits=2) as fold,
            fold.predictions(PLAIN) as predicted,
        ):
            predicted.count()
            assert context._jsc.getPersistentRDDs().size() > before
        with pytest.raises(ZeroDivisionError), fitter.prepare(1, fitter.fold_sizes()[1]):
            raise ZeroDivisionError
    assert context._jsc.getPersistentRDDs().size() == before


def test_cuts_need_a_fit_that_is_shared(fitter: FoldFitter) -> None:
    assert fitter.sharing is None
    with fitter.prepare(0, FoldSize(1)) as fold, pytest.raises(ValueError) as caught:
        fold.evaluate(PLAIN, [Cut(1, 1)])
    assert get_code(caught.value) == "fitting.fits-not-shared"


def test_a_preparation_that_depends_on_more_than_missing_numbers_is_left_to_spark(
    way: type[FoldFitter], feature_rows: DataFrame, folds: list[Fold]
) -> None:
    columns = usable_features(feature_rows, [c for c in FEATURES if c.name in ("flow_rate", "hour_sin")])
    clipped = replace(columns, preparation=Preparation(outliers="iqr"))
    with open_fold_fitter(feature_rows, clipped, WAYS[way], folds, [PLAIN], SEED) as fitter:
        assert type(fitter) is SparkFolds
