"""Fits: rows ordered by key, and pipelines that are built from and split into their parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import ImputerModel, StandardScalerModel
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting import pipeline
from traffic_assets.ml.fitting.caching import cached_rows, cached_vectors, make_task_rows, vectors_to_fit
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows, with_validation_rows
from traffic_assets.ml.fitting.pipeline import (
    build_pipeline,
    fit_model,
    fit_pipeline,
    fit_preprocessor,
    get_model,
    get_preprocessor,
)
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation, usable_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.preprocessing.slots import slots
from traffic_assets.ml.splits.hashing import calibration_half, unit_hash
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LINEAR = algorithm_named("linear_regression")
PLAIN = LinearRegressionHyperparameters(regParam=0.0)


def _placement(rows: DataFrame) -> list[list[tuple[str, int]]]:
    """Return the keys of each partition, in order."""
    located = rows.select("sensor_id", F.col("timestamp").cast("long"), F.spark_partition_id()).collect()
    return [[(row[0], row[1]) for row in located if row[2] == i] for i in range(rows.rdd.getNumPartitions())]


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_same_rows_are_in_the_same_partitions_in_any_input_order(feature_rows: DataFrame, partitions: int) -> None:
    shuffled = feature_rows.orderBy(F.rand(5)).repartition(7)
    with cached_rows(feature_rows, partitions) as one, cached_rows(shuffled, partitions) as other:
        expected, placed = _placement(one), _placement(other)
    assert placed == expected
    assert len(expected) == partitions
    assert all(part == sorted(part) for part in expected)
    assert sum(len(part) for part in expected) == 800
    assert max(len(part) for part in expected) < 800 * 0.6 or partitions == 1, "all partitions have work"


def test_as_many_partitions_as_cores_by_default(feature_rows: DataFrame) -> None:
    with cached_rows(feature_rows.repartition(9)) as rows:
        assert rows.rdd.getNumPartitions() == feature_rows.sparkSession.sparkContext.defaultParallelism == 2


def test_rows_and_vectors_are_cached_only_inside_the_block(feature_rows: DataFrame, features: FeatureSet) -> None:
    preprocessing = fit_preprocessor(feature_rows, features)
    with cached_rows(feature_rows) as rows, cached_vectors(preprocessing, rows) as vectors:
        assert rows.storageLevel.useMemory
        assert vectors.storageLevel.useMemory
        assert vectors.columns == [VECTOR, "speed", "row"]
        assert vectors.count() == 800
    with cached_vectors(preprocessing, feature_rows, again=False) as once:
        assert not once.storageLevel.useMemory
        assert once.columns == [VECTOR, "speed", "row"]
    with pytest.raises(RuntimeError, match="planted"), cached_rows(feature_rows) as kept:
        raise RuntimeError("planted")
    for frame in (rows, vectors, kept):
        assert not frame.storageLevel.useMemory


def test_a_fit_in_one_task_is_the_same_with_arrays_and_vectors(feature_rows: DataFrame) -> None:
    xgboost, tried = algorithm_named("xgboost"), XGBoostHyperparameters(n_estimators=20, early_stopping_rounds=2)
    features = usable_features(feature_rows, FEATURES)
    preprocessing = fit_preprocessor(feature_rows, features, scaled=False)
    marked = with_stopping_rows(feature_rows, xgboost, [tried], 42)
    listed = make_task_rows(preprocessing, marked, features)
    with cached_vectors(preprocessing, marked, again=False) as vectors:
        assert listed.columns == vectors.columns == [VECTOR, "speed", STOP, "row"]
        models: list[Any] = [fit_model(rows, xgboost, tried, 42) for rows in (listed, vectors)]
    mine, theirs = (model.get_booster() for model in models)
    assert mine.save_raw("json") == theirs.save_raw("json")
    assert mine.num_features() == len(slots(preprocessing, features))


def _median(pipeline: PipelineModel, feature: str) -> float:
    (imputer,) = (stage for stage in pipeline.stages if isinstance(stage, ImputerModel))
    median: float = imputer.surrogateDF.collect()[0][feature]
    return median


def test_the_median_of_very_many_values_is_that_of_a_sample(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = F.pmod(F.xxhash64("timestamp"), F.lit(1000)).cast("double")
    rows = spark.range(20_000).select(
        F.lit("s").alias("sensor_id"), F.col("id").cast("timestamp").alias("timestamp"), hashed.alias("a")
    )
    features = usable_features(rows, [Column("a", "numeric", "double")], Preparation(seed=7))
    few = replace(features, nulls={"a": 19_000})
    whole = _median(fit_preprocessor(rows, features), "a")
    monkeypatch.setattr(pipeline, "MEDIAN_ROWS", 5_000)
    some = fit_preprocessor(rows, features)
    drawn = np.median([row["a"] for row in rows.where(unit_hash(7, "median") < 0.25).collect()])
    assert _median(some, "a") == pytest.approx(drawn, abs=5)
    assert _median(some, "a") != whole
    assert _median(some, "a") == pytest.approx(whole, abs=3 * 0.5 / 5_000**0.5 * 1000)
    assert _median(fit_preprocessor(rows, few), "a") == whole, "a feature with few values uses all of them"
    (scaler,) = (stage for stage in some.stages if isinstance(stage, StandardScalerModel))
    mean = rows.agg(F.avg("a")).collect()[0][0]
    assert scaler.mean.toArray()[0] == pytest.approx(mean), "other statistics use every row"


def test_a_pipeline_is_preprocessor_and_model(feature_rows: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    pipeline = fit_pipeline(feature_rows, features, LINEAR, PLAIN, 42)
    uri = f"file://{tmp_path}/pipeline"
    pipeline.write().save(uri)
    for each in (pipeline, PipelineModel.load(uri)):
        vectors = get_preprocessor(each).transform(feature_rows)
        assert "prediction" not in vectors.columns
        by_parts: np.ndarray = np.array(get_model(each).transform(vectors).select("prediction").collect())
        whole: np.ndarray = np.array(pipeline.transform(feature_rows).select("prediction").collect())
        assert (by_parts == whole).all()
        assert type(get_model(each)).__name__ == "LinearRegressionModel"


def test_fit_pipeline_equals_the_fits_of_its_parts(feature_rows: DataFrame, features: FeatureSet) -> None:
    train, rest = feature_rows.where("sensor_id < 's4'"), feature_rows.where("sensor_id >= 's4'")
    preprocessing = fit_preprocessor(train, features)
    by_parts = build_pipeline(preprocessing, fit_model(preprocessing.transform(train), LINEAR, PLAIN, 42))
    at_once = fit_pipeline(train, features, LINEAR, PLAIN, 42)
    expected: np.ndarray = np.array(by_parts.transform(rest).select("prediction").collect()).ravel()
    predictions: np.ndarray = np.array(at_once.transform(rest).select("prediction").collect()).ravel()
    assert predictions == pytest.approx(expected, rel=1e-9)
    assert np.std(predictions) > 1


def test_a_pipeline_fitted_on_some_rows_predicts_every_row(feature_rows: DataFrame, features: FeatureSet) -> None:
    dropping = replace(features, preparation=Preparation(missing="drop"))
    missing = "occupancy_ratio IS NULL OR speed_lag_1 IS NULL OR speed_lag_2 IS NULL OR speed_lag_3 IS NULL"
    complete = feature_rows.where(f"NOT ({missing})")
    expected = fit_pipeline(complete, features, LINEAR, PLAIN, 42).transform(feature_rows)
    predicted = fit_pipeline(feature_rows, dropping, LINEAR, PLAIN, 42).transform(feature_rows)
    assert predicted.where(f"prediction IS NULL AND ({missing})").count() == 0
    ordered: list[np.ndarray] = [
        np.array(frame.orderBy("sensor_id", "timestamp").select("prediction").collect())
        for frame in (expected, predicted)
    ]
    assert ordered[1].shape == (800, 1)
    assert ordered[1] == pytest.approx(ordered[0], rel=1e-6)


def test_rows_that_calibrate_intervals_end_no_fit(feature_rows: DataFrame) -> None:
    """Check that all train rows are fitted, and that only the validation half that calibrates nothing stops fits."""
    train, validation = feature_rows.where("sensor_id < 's4'"), feature_rows.where("sensor_id >= 's4'")
    rows = with_validation_rows(train, validation, 42)
    assert rows.where(~F.col(STOP)).drop(STOP).exceptAll(train).count() == 0
    assert rows.where(~F.col(STOP)).count() == train.count()
    stopping, calibrating = rows.where(STOP).select(*KEYS), validation.where(calibration_half(42)).select(*KEYS)
    assert stopping.intersect(calibrating).count() == 0
    assert stopping.union(calibrating).exceptAll(validation.select(*KEYS)).count() == 0
    assert stopping.count() + calibrating.count() == validation.count()
    assert stopping.count() > 0 and calibrating.count() > 0


def test_rows_that_end_a_fit_are_never_dropped(feature_rows: DataFrame, features: FeatureSet) -> None:
    dropping = replace(features, preparation=Preparation(missing="drop"))
    train, validation = feature_rows.where("sensor_id < 's4'"), feature_rows.where("sensor_id >= 's4'")
    rows = with_validation_rows(train, validation, 42)
    vectors = vectors_to_fit(fit_preprocessor(train, dropping), rows)
    counts = {row[STOP]: row["count"] for row in vectors.groupBy(STOP).count().collect()}
    assert counts[True] == rows.where(STOP).count() > 0
    assert 0 < counts[False] < train.count()
    assert rows.where(f"{STOP} AND occupancy_ratio IS NULL").count() > 0, "some of them would be dropped from train"


def test_a_feature_whose_values_are_all_dropped_is_named(spark: SparkSession) -> None:
    table = [(1.0, None, 60.0)] * 20 + [(1000.0, 5.0, 61.0)]
    rows = spark.createDataFrame(table, "a double, b double, speed double")
    columns = [Column(name, "numeric", "double") for name in ("a", "b")]
    preparation = Preparation(outliers="z_score", outlier_factor=2.0, outlier_action="drop")
    with pytest.raises(ValueError) as refused:
        fit_preprocessor(rows, usable_features(rows, columns, preparation))
    assert get_code(refused.value) == "preprocessing.only-in-dropped-rows"
    assert get_values(refused.value) == {"features": ["b"]}
