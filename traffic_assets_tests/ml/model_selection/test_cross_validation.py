"""Cross-validation: the metrics of a hand-made loop, and no test row in a fit."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.early_stopping import STOPPING_SHARE
from traffic_assets.ml.fitting.pipeline import build_pipeline, fit_model, fit_preprocessor
from traffic_assets.ml.metrics.metrics import METRICS, Metrics
from traffic_assets.ml.model_selection.cross_validation import CrossValidation, TrialOnFold, select_comparable
from traffic_assets.ml.model_selection.executors import executor_for
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation, usable_features
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets.ml.splits.hashing import fold_column, unit_hash
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

FOLDS, SEED = 3, 42
LINEAR = algorithm_named("linear_regression")
PLAIN = LinearRegressionHyperparameters(regParam=0.0)
USELESS = LinearRegressionHyperparameters(regParam=1e6)  # predicts the mean
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> Iterator[DataFrame]:
    """Rows with a feature whose median depends on the fold that is left out, and that is null in a third of them.

    In fold f the feature is about 100 f, so the median of all rows differs from the median of every fold's train rows.
    """
    draw = np.random.default_rng(3)
    keys = [(f"s{i % 6}", START + (i // 6) * timedelta(minutes=5), float(draw.normal())) for i in range(240)]
    frame = spark.createDataFrame(keys, "sensor_id string, timestamp timestamp, noise double")
    fold = fold_column(FOLDS, SEED)
    level = 100 * fold + 10 * F.col("noise")
    frame = (
        frame.withColumn("speed", 20 + 0.1 * level + F.col("noise"))
        .withColumn("a", F.when(F.crc32(F.col("noise").cast("string").cast("binary")) % 3 != 0, level))
        .repartition(2, "sensor_id")
        .sortWithinPartitions("sensor_id", "timestamp")
        .cache()
    )
    yield frame
    frame.unpersist()


@pytest.fixture(scope="module")
def features(train: DataFrame) -> FeatureSet:
    return usable_features(train, [Column("a", "numeric", "double")])


@pytest.fixture(scope="module")
def trials(train: DataFrame, features: FeatureSet) -> list[Trial]:
    return _validation(train, features).evaluate_trials(train, [USELESS, PLAIN])


def _validation(
    train: DataFrame, features: FeatureSet, folds: int = FOLDS, seed: int = SEED, **more: Any
) -> CrossValidation:
    return CrossValidation(features, LINEAR, make_folds(train, "random", folds, seed), seed, **more)


def _rmse(pipeline: PipelineModel, rows: DataFrame) -> float:
    pairs: np.ndarray = np.array(pipeline.transform(rows).select("speed", "prediction").collect())
    return float(np.sqrt(np.mean((pairs[:, 0] - pairs[:, 1]) ** 2)))


def test_fold_metrics_are_those_of_a_hand_made_loop(
    train: DataFrame, features: FeatureSet, trials: list[Trial]
) -> None:
    """Check that each fold refits the preprocessor too. With train's medians the loop has other results."""
    whole = fit_preprocessor(train, features)
    refitted: list[float] = []
    leaking: list[float] = []
    rows = []
    for fold in range(FOLDS):
        fit_rows, test_rows = (
            train.where(fold_column(FOLDS, SEED) != fold),
            train.where(fold_column(FOLDS, SEED) == fold),
        )
        for errors, preprocessing in ((refitted, fit_preprocessor(fit_rows, features)), (leaking, whole)):
            model = fit_model(preprocessing.transform(fit_rows), LINEAR, PLAIN, SEED)
            errors.append(_rmse(build_pipeline(preprocessing, model), test_rows))
        rows.append(test_rows.count())
    measured = [fold.rmse for fold in trials[1].folds]
    assert measured == pytest.approx(refitted, rel=1e-9)
    assert all(abs(m - leaked) > 0.1 for m, leaked in zip(measured, leaking, strict=True)), (measured, leaking)
    assert [fold.rows for fold in trials[1].folds] == rows
    assert sum(rows) == 240, "every row is tested once"


def test_rows_are_dropped_from_the_train_rows_of_a_fold_and_never_from_its_test_rows(
    train: DataFrame, features: FeatureSet
) -> None:
    dropping = usable_features(train, [Column("a", "numeric", "double")], Preparation(missing="drop"))
    trial = _validation(train, dropping).evaluate(train, PLAIN)
    for number, fold in enumerate(trial.folds):
        fit_rows = train.where((fold_column(FOLDS, SEED) != number) & F.col("a").isNotNull())
        preprocessing = fit_preprocessor(fit_rows, features)
        model = fit_model(preprocessing.transform(fit_rows), LINEAR, PLAIN, SEED)
        test_rows = train.where(fold_column(FOLDS, SEED) == number)
        assert test_rows.where("a IS NULL").count() > 0
        assert fold.rows == test_rows.count()
        assert fold.rmse == pytest.approx(_rmse(build_pipeline(preprocessing, model), test_rows))


def test_the_summary_is_mean_and_standard_deviation_over_the_folds(trials: list[Trial]) -> None:
    for trial in trials:
        assert set(trial.summary) == set(METRICS)
        for metric in METRICS:
            values = [getattr(fold, metric) for fold in trial.folds]
            assert trial.summary[metric].mean == pytest.approx(np.mean(values))
            assert trial.summary[metric].std == pytest.approx(np.std(values, ddof=1))


def test_each_trial_is_reported_with_its_progress(train: DataFrame, features: FeatureSet) -> None:
    reported: list[str] = []
    _validation(train, features, 2, notify=reported.append).evaluate_trials(train, [USELESS, PLAIN])
    assert [line.split(", RMSE ")[0] for line in reported] == [
        f"Linear regression: fold {fold} of 2, {done} of 2 trials" for fold in (1, 2) for done in (1, 2)
    ]


def test_a_single_trial_is_reported_without_a_number(train: DataFrame, features: FeatureSet) -> None:
    reported: list[str] = []
    trial = _validation(train, features, 2, 7, notify=reported.append).evaluate(train, PLAIN)
    assert [line.split(", ")[0] for line in reported] == [
        "Linear regression: fold 1 of 2",
        "Linear regression: fold 2 of 2",
    ]
    assert "trial" not in "".join(reported)
    expected = train.where(fold_column(2, 7) == 0).count()
    assert trial.folds[0].rows == expected, "the folds depend on the seed"


def test_concurrent_folds_have_the_same_trials(train: DataFrame, features: FeatureSet, trials: list[Trial]) -> None:
    assert _validation(train, features, threads=3).evaluate_trials(train, [USELESS, PLAIN]) == trials


def test_more_threads_than_folds_evaluate_trials_at_the_same_time(
    train: DataFrame, features: FeatureSet, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the fits of two trials on three folds wait for each other. Sequential fits would wait forever."""
    all_of_them = threading.Barrier(2 * FOLDS, timeout=120)

    def meeting(*args: Any) -> Any:
        all_of_them.wait()
        return fit_model(*args)

    monkeypatch.setattr("traffic_assets.ml.fitting.spark_folds.fit_model", meeting)
    assert _validation(train, features, threads=2 * FOLDS).evaluate_trials(train, [USELESS, PLAIN]) == trials


@pytest.mark.parametrize("threads", [FOLDS - 1, FOLDS + 1])
def test_there_are_as_many_fits_at_the_same_time_as_threads(
    train: DataFrame, features: FeatureSet, trials: list[Trial], monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Let no fit end before this many have begun."""
    counting, all_busy, running, most = threading.Lock(), threading.Event(), 0, 0

    def counted(*args: Any) -> Any:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
            if running == threads:
                all_busy.set()
        assert all_busy.wait(120)
        fitted = fit_model(*args)
        with counting:
            running -= 1
        return fitted

    monkeypatch.setattr("traffic_assets.ml.fitting.spark_folds.fit_model", counted)
    assert _validation(train, features, threads=threads).evaluate_trials(train, [USELESS, PLAIN]) == trials
    assert most == threads


def test_an_error_in_a_fold_shuts_the_executor_down_and_frees_the_memory_of_all_folds(
    spark: SparkSession, train: DataFrame, features: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fit two folds at the same time, one of which fails."""
    executors: list[Executor] = []
    both, fits = threading.Barrier(2, timeout=120), itertools.count()

    def failing(*args: Any) -> Any:
        both.wait()
        if next(fits) == 0:
            raise RuntimeError("no fit")
        return fit_model(*args)

    def kept(spark: SparkSession, threads: int) -> Executor:
        executors.append(executor_for(spark, threads))
        return executors[-1]

    monkeypatch.setattr("traffic_assets.ml.fitting.spark_folds.fit_model", failing)
    monkeypatch.setattr("traffic_assets.ml.model_selection.cross_validation.executor_for", kept)
    context: Any = spark.sparkContext
    before = context._jsc.getPersistentRDDs().size()
    with pytest.raises(RuntimeError, match="no fit"):
        _validation(train, features, threads=2).evaluate(train, PLAIN)
    assert next(fits) == 2, "no fit began after the error"
    (executor,) = executors
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)
    assert context._jsc.getPersistentRDDs().size() == before


def test_after_the_deadline_only_the_first_fit_begins(train: DataFrame, features: FeatureSet) -> None:
    validation = _validation(train, features)
    (only,) = validation.evaluate_trials(train, [USELESS, PLAIN], deadline=0.0)
    assert only.hyperparameters == USELESS.model_dump()
    assert len(only.folds) == 1
    assert validation.fits == 1


def test_trials_that_a_deadline_cut_short_are_compared_on_the_folds_they_share(
    train: DataFrame, features: FeatureSet, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let time run out after the first trial of the second fold. The second trial has one fold, so both get one."""
    done: list[str] = []
    clock = SimpleNamespace(monotonic=lambda: 0.0 if len(done) < 3 else 9.0)
    monkeypatch.setattr("traffic_assets.ml.model_selection.fit_scheduler.time", clock)
    evaluated = _validation(train, features, notify=done.append).evaluate_trials(train, [USELESS, PLAIN], deadline=1.0)
    assert [len(trial.folds) for trial in evaluated] == [1, 1]
    assert [trial.folds[0] for trial in evaluated] == [trial.folds[0] for trial in trials]


@pytest.mark.parametrize(
    ("done", "folds", "trials"),
    [
        *(([2, 3, 1], [0, 1], 2), ([1, 2, 2], [1, 2], 2), ([1, 0, 0], [0], 1), ([3, 3, 3], [0, 1, 2], 3)),
        *(([4, 3, 3], [0, 1, 2], 3), ([4, 1, 0], [0], 4), ([2, 1], [0], 2)),
    ],
)
def test_folds_that_a_deadline_cut_at_different_trials_keep_the_most_evaluations_that_can_be_compared(
    done: list[int], folds: list[int], trials: int
) -> None:
    """Encode fold and trial in the RMSE."""
    by_fold = [
        {i: TrialOnFold(Metrics(rows=10, rmse=10 * number + i, mae=1, mape=1, r2=0), 20) for i in range(trials_done)}
        for number, trials_done in enumerate(done)
    ]
    assert select_comparable(by_fold) == ([by_fold[number] for number in folds], set(range(trials)))


def test_a_feature_without_a_value_in_a_folds_fit_is_left_out_of_it(
    train: DataFrame, features: FeatureSet, trials: list[Trial]
) -> None:
    """Add a feature that only the first fold's test rows have."""
    rows = train.withColumn("b", F.when(fold_column(FOLDS, SEED) == 0, F.col("noise")))
    more = usable_features(rows, [Column("a", "numeric", "double"), Column("b", "numeric", "double")])
    assert more.numeric == ("a", "b")
    trial = _validation(train, more).evaluate(rows, PLAIN)
    assert trial.folds[0].by_name == pytest.approx(trials[1].folds[0].by_name)
    assert trial.folds[1].rmse != pytest.approx(trials[1].folds[1].rmse), "values in train rows are learned"


@pytest.mark.parametrize(
    ("single_pass", "tried", "missing", "kept"),
    [
        *((True, [PLAIN], "median", False), (True, [PLAIN, USELESS], "median", True)),
        *((False, [PLAIN], "median", True), (True, [PLAIN], "drop", True)),
    ],
)
def test_vectors_are_cached_if_they_are_read_more_than_once(
    train: DataFrame, single_pass: bool, tried: list[Any], missing: Any, kept: bool
) -> None:
    """Include a preparation that drops rows, whose rows are counted before the fit."""
    features = usable_features(train, [Column("a", "numeric", "double")], Preparation(missing=missing))
    seen: list[bool] = []

    class Watched(type(LINEAR)):  # type: ignore[misc]
        def fit(self, vectors: DataFrame, *args: Any) -> Any:
            seen.append(vectors.storageLevel.useMemory)
            return super().fit(vectors, *args)

    spec = {field.name: getattr(LINEAR, field.name) for field in fields(LINEAR)} | {"single_pass": single_pass}
    folds = make_folds(train, "random", FOLDS, SEED)
    trials = CrossValidation(features, Watched(**spec), folds, SEED).evaluate_trials(train, tried)
    assert seen == [kept] * FOLDS * len(tried)
    assert trials == CrossValidation(features, LINEAR, folds, SEED).evaluate_trials(train, tried)


def test_the_rows_that_a_fold_fits_are_counted(train: DataFrame, features: FeatureSet, trials: list[Trial]) -> None:
    """Exclude rows that the preparation drops, and rows that only stop a fit early."""
    fits = [train.where(fold_column(FOLDS, SEED) != number) for number in range(FOLDS)]
    assert trials[0].fitted_rows == trials[1].fitted_rows == [rows.count() for rows in fits]
    dropping = usable_features(train, [Column("a", "numeric", "double")], Preparation(missing="drop"))
    assert _validation(train, dropping).evaluate(train, PLAIN).fitted_rows == [
        r.where("a IS NOT NULL").count() for r in fits
    ]
    boosted = algorithm_named("gradient_boosted_trees")
    stopping, plain = (
        GradientBoostedTreesHyperparameters(maxIter=1, maxDepth=1, earlyStopping=stops) for stops in (True, False)
    )
    validation = CrossValidation(features, boosted, make_folds(train, "random", FOLDS, SEED)[:1], SEED)
    early, whole = validation.evaluate_trials(train, [stopping, plain])
    assert early.fitted_rows == [r.where(unit_hash(SEED, "stop") >= STOPPING_SHARE).count() for r in fits[:1]]
    assert whole.fitted_rows == [fits[0].count()]


def test_hyperparameters_of_another_algorithm_are_refused(train: DataFrame, features: FeatureSet) -> None:
    with pytest.raises(TypeError, match="Expected LinearRegressionHyperparameters"):
        _validation(train, features, 2).evaluate(train, RandomForestHyperparameters())


def test_a_fold_without_rows_is_refused(train: DataFrame, features: FeatureSet) -> None:
    for fold, missing, what in ((0, 1, "train"), (1, 1, "test")):
        one_fold = train.where(fold_column(FOLDS, SEED) == fold)
        with pytest.raises(ValueError) as caught:
            _validation(train, features).evaluate_trials(one_fold, [PLAIN])
        assert get_code(caught.value) == "model-selection.empty-fold"
        assert get_values(caught.value) == {"purpose": what, "fold": f"fold {missing} of 3"}
