"""Cross-validation: the metrics of a hand-made loop, and no fold's rows in what is fitted for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import ValidationError
from pyspark.sql import functions as F

from traffic_assets.features.catalogue import Column
from traffic_assets.ml.algorithms import ALGORITHMS
from traffic_assets.ml.cross_validation import Search, candidates, cross_validate
from traffic_assets.ml.metrics import METRICS
from traffic_assets.ml.preprocessing import FeatureSet, usable_features
from traffic_assets.ml.splits import fold_of
from traffic_assets.ml.training import fit_model, fit_preprocessor, pipeline_of
from traffic_assets.settings.hyperparameters import (
    LinearRegressionHyperparameters,
    LinearRegressionSettings,
    RandomForestHyperparameters,
)

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

FOLDS, SEED = 3, 42
LINEAR = ALGORITHMS["linear_regression"]
PLAIN = LinearRegressionHyperparameters(regParam=0.0)
USELESS = LinearRegressionHyperparameters(regParam=1e6)  # predicts the mean
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def train(spark: SparkSession) -> Iterator[DataFrame]:
    """A feature whose median depends on which fold is left out, and which is null in a third of the rows.

    In fold f it lies about 100 f, so that train's median is that of none of the folds' fits.
    """
    draw = np.random.default_rng(3)
    keys = [(f"s{i % 6}", START + (i // 6) * timedelta(minutes=5), float(draw.normal())) for i in range(240)]
    frame = spark.createDataFrame(keys, "sensor_id string, timestamp timestamp, noise double")
    fold = fold_of(FOLDS, SEED)
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
def search(train: DataFrame, features: FeatureSet) -> Search:
    return cross_validate(train, features, LINEAR, [USELESS, PLAIN], folds=FOLDS, seed=SEED)


def _rmse(pipeline: PipelineModel, rows: DataFrame) -> float:
    pairs: np.ndarray = np.array(pipeline.transform(rows).select("speed", "prediction").collect())
    return float(np.sqrt(np.mean((pairs[:, 0] - pairs[:, 1]) ** 2)))


def test_fold_metrics_are_those_of_a_hand_made_loop(train: DataFrame, features: FeatureSet, search: Search) -> None:
    """And the preprocessor is refitted in each fold: with train's medians the loop gives other numbers."""
    whole = fit_preprocessor(train, features)
    refitted: list[float] = []
    leaking: list[float] = []
    rows = []
    for fold in range(FOLDS):
        fit_rows, judged = train.where(fold_of(FOLDS, SEED) != fold), train.where(fold_of(FOLDS, SEED) == fold)
        for found, preprocessing in ((refitted, fit_preprocessor(fit_rows, features)), (leaking, whole)):
            model = fit_model(preprocessing.transform(fit_rows), LINEAR, PLAIN, SEED)
            found.append(_rmse(pipeline_of(preprocessing, model), judged))
        rows.append(judged.count())
    measured = [fold.rmse for fold in search.trials[1].folds]
    assert measured == pytest.approx(refitted, rel=1e-9)
    assert all(abs(m - leaked) > 0.1 for m, leaked in zip(measured, leaking, strict=True)), (measured, leaking)
    assert [fold.rows for fold in search.trials[1].folds] == rows
    assert sum(rows) == 240, "every row is judged once"


def test_the_summary_is_mean_and_deviation_over_the_folds(search: Search) -> None:
    for trial in search.trials:
        assert set(trial.summary) == set(METRICS)
        for metric in METRICS:
            values = [getattr(fold, metric) for fold in trial.folds]
            assert trial.summary[metric].mean == pytest.approx(np.mean(values))
            assert trial.summary[metric].std == pytest.approx(np.std(values, ddof=1))


def test_the_best_trial_is_chosen_and_kept_in_the_document(search: Search) -> None:
    assert [trial.hyperparameters["regParam"] for trial in search.trials] == [1e6, 0.0]
    assert search.trials[1].summary["rmse"].mean < search.trials[0].summary["rmse"].mean
    assert search.chosen == 1
    assert search.best is search.trials[1]
    assert search.primary_metric == "rmse"
    assert Search.model_validate_json(search.model_dump_json()) == search


def test_most_r2_wins_where_r2_chooses_and_ties_go_to_the_earlier(train: DataFrame, features: FeatureSet) -> None:
    told: list[str] = []
    search = cross_validate(
        train,
        features,
        LINEAR,
        [USELESS, PLAIN, PLAIN],
        folds=2,
        seed=SEED,
        primary_metric="r2",
        notify=told.append,
    )
    assert search.trials[1].summary == search.trials[2].summary
    assert search.trials[1].summary["r2"].mean > search.trials[0].summary["r2"].mean
    assert search.chosen == 1
    assert len(told) == 2 * 3
    assert told[1].startswith("Linear regression: fold 1 of 2, trial 2 of 3, RMSE ")
    assert told[5].startswith("Linear regression: fold 2 of 2, trial 3 of 3, RMSE ")


def test_one_candidate_is_told_of_without_a_trial(train: DataFrame, features: FeatureSet) -> None:
    told: list[str] = []
    search = cross_validate(train, features, LINEAR, [PLAIN], folds=2, seed=7, notify=told.append)
    assert search.chosen == 0
    assert [line.split(", ")[0] for line in told] == [
        "Linear regression: fold 1 of 2",
        "Linear regression: fold 2 of 2",
    ]
    assert "trial" not in "".join(told)
    expected = train.where(fold_of(2, 7) == 0).count()
    assert search.best.folds[0].rows == expected, "the folds hang on the seed"


def test_what_cannot_be_validated(train: DataFrame, features: FeatureSet) -> None:
    with pytest.raises(ValueError, match="nothing to try"):
        cross_validate(train, features, LINEAR, [], folds=2, seed=SEED)
    with pytest.raises(ValueError, match="unknown metric 'accuracy'; the known ones are rmse, mae, mape, r2"):
        cross_validate(train, features, LINEAR, [PLAIN], folds=2, seed=SEED, primary_metric="accuracy")
    with pytest.raises(TypeError, match="linear_regression takes LinearRegressionHyperparameters"):
        cross_validate(train, features, LINEAR, [RandomForestHyperparameters()], folds=2, seed=SEED)


def test_a_fold_without_rows_is_refused(train: DataFrame, features: FeatureSet) -> None:
    for fold, missing in ((0, 2), (1, 1)):
        one_fold = train.where(fold_of(FOLDS, SEED) == fold)
        with pytest.raises(ValueError, match=f"fold {missing} of 3 has no rows"):
            cross_validate(one_fold, features, LINEAR, [PLAIN], folds=FOLDS, seed=SEED)


def test_candidates_are_every_combination_over_the_rest() -> None:
    base = LinearRegressionHyperparameters(maxIter=7, regParam=0.5)
    grid = {"regParam": [0.0, 0.1], "elasticNetParam": [0.0, 1.0]}
    assert candidates(base, grid, tune=False) == [base]
    assert candidates(base, {}, tune=True) == [base]
    assert candidates(base, grid, tune=True) == [
        LinearRegressionHyperparameters(maxIter=7, regParam=reg, elasticNetParam=net)
        for reg, net in ((0.0, 0.0), (0.0, 1.0), (0.1, 0.0), (0.1, 1.0))
    ]
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        candidates(base, {"regParam": [-1.0]}, tune=True)
    settings = LinearRegressionSettings()
    assert len(candidates(settings.hyperparameters, settings.grid, tune=True)) == 3 * 2
