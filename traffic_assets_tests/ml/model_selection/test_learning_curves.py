"""Learning curves: nested subsets of train rows, evaluated on rows that no share fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.ml.fitting.pipeline import fit_pipeline
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, learning_curve, subset_condition
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.folds import FoldKind, make_folds
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.ml.counting import counting, on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

LINEAR = algorithm_named("linear_regression")
PLAIN = LinearRegressionHyperparameters(regParam=0.1)
SHARES = (0.2, 0.5, 1.0)


def _keys(rows: DataFrame) -> set[Row]:
    return set(rows.select("sensor_id", "timestamp").collect())


def test_a_larger_share_contains_every_smaller_one(feature_rows: DataFrame) -> None:
    every = _keys(feature_rows)
    kept = [_keys(feature_rows.where(subset_condition(share, 42))) for share in SHARES]
    assert kept[0] < kept[1] < kept[2] == every
    for keys, share in zip(kept, SHARES, strict=True):
        assert len(keys) == pytest.approx(share * len(every), abs=0.05 * len(every))
    assert _keys(feature_rows.where(subset_condition(0.5, 43))) != kept[1], "the draw depends on the seed"


@pytest.mark.parametrize("kind", ["random", "expanding"])
def test_each_share_is_fitted_on_its_rows_and_evaluated_on_those_of_the_last_fold(
    feature_rows: DataFrame, features: FeatureSet, kind: FoldKind
) -> None:
    folds = make_folds(feature_rows, kind, 2, 42)
    reported: list[str] = []
    curve = learning_curve(feature_rows, features, LINEAR, PLAIN, folds, (0.4, 1.0), 42, reported.append)
    fold = folds[-1]
    test_rows = feature_rows.where(fold.test)
    assert (curve.fold, curve.judged_rows) == (fold.title, test_rows.count())
    assert [p.share for p in curve.points] == [0.4, 1.0]
    assert len(reported) == 2
    for point in curve.points:
        rows = feature_rows.where(fold.train & subset_condition(point.share, 42))
        assert not _keys(rows) & _keys(test_rows)
        assert point.rows == rows.count()
    everything = fit_pipeline(feature_rows.where(fold.train), features, LINEAR, PLAIN, 42)
    assert curve.points[-1].validation_rmse == pytest.approx(evaluate(everything.transform(test_rows)).rmse)
    assert LearningCurve.model_validate_json(curve.model_dump_json()) == curve


@pytest.mark.parametrize("early", [None, 3])
def test_a_curve_in_tasks_equals_one_on_spark(feature_rows: DataFrame, features: FeatureSet, early: int | None) -> None:
    xgboost, hyperparameters = (
        algorithm_named("xgboost"),
        {"n_estimators": 30, "max_depth": 3, "early_stopping_rounds": early},
    )
    tried = XGBoostHyperparameters.model_validate(hyperparameters)
    folds = make_folds(feature_rows, "expanding", 2, 42, gap_minutes=30)
    in_tasks, tasks = counting(xgboost)
    mine, other = (
        learning_curve(feature_rows, features, algorithm, tried, folds, (0.4, 1.0), 42)
        for algorithm in (in_tasks, on_spark(xgboost))
    )
    assert len(tasks) == 2, "one per share"
    assert (mine.fold, mine.judged_rows) == (other.fold, other.judged_rows)
    for one, two in zip(mine.points, other.points, strict=True):
        assert one.rows == two.rows
        assert one.train_rmse == pytest.approx(two.train_rmse, rel=1e-5)
        assert one.validation_rmse == pytest.approx(two.validation_rmse, rel=1e-5)


def test_only_train_rows_are_fitted(
    feature_rows: DataFrame, features: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that the speeds of all fitted rows are those of train rows."""
    train = feature_rows.where("sensor_id < 's5'")
    seen: list[set[float]] = []
    fit = Algorithm.fit

    def watched(self: Algorithm, vectors: Any, *args: Any) -> Any:
        seen.append({row["speed"] for row in vectors.select("speed").collect()})
        return fit(self, vectors, *args)

    monkeypatch.setattr(Algorithm, "fit", watched)
    learning_curve(train, features, LINEAR, PLAIN, make_folds(train, "random", 2, 42), (0.3, 1.0), 42)
    allowed = {row["speed"] for row in train.select("speed").collect()}
    assert len(seen) == 2
    assert seen[0] < seen[1] < allowed, "held-out rows are not fitted either"


def test_rows_that_end_a_fit_early_do_not_count_as_fitted(feature_rows: DataFrame, features: FeatureSet) -> None:
    boosted = algorithm_named("gradient_boosted_trees")
    early = GradientBoostedTreesHyperparameters(maxIter=2, maxDepth=1, maxBins=8, earlyStopping=True)
    folds = make_folds(feature_rows, "random", 2, 42)
    curve = learning_curve(feature_rows, features, boosted, early, folds, (1.0,), 42)
    whole = feature_rows.where(folds[-1].train).count()
    assert 0.8 * whole < curve.points[0].rows < whole


def test_a_share_without_rows_is_refused_with_the_setting(feature_rows: DataFrame, features: FeatureSet) -> None:
    folds = make_folds(feature_rows, "random", 2, 42)
    with pytest.raises(ValueError) as caught:
        learning_curve(feature_rows, features, LINEAR, PLAIN, folds, (1e-8, 1.0), 42)
    assert get_code(caught.value) == "model-selection.empty-share"
    assert get_values(caught.value) == {"share": 1e-8}
