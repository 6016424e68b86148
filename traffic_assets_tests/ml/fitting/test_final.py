"""The final fit: the algorithm's own fit, on the expected rows and vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import functions as F

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting import final
from traffic_assets.ml.fitting.caching import cached_vectors, order_rows
from traffic_assets.ml.fitting.early_stopping import with_validation_rows
from traffic_assets.ml.fitting.final import fit_final_model
from traffic_assets.ml.fitting.pipeline import fit_model, fit_preprocessor, get_model, get_preprocessor
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, usable_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR, is_scaled, without_scaler
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FITS: dict[str, Hyperparameters] = {
    "linear_regression": LinearRegressionHyperparameters(regParam=0.0),
    "random_forest": RandomForestHyperparameters(numTrees=3, maxDepth=3),
    "gradient_boosted_trees": GradientBoostedTreesHyperparameters(maxIter=8, maxDepth=2, earlyStopping=True),
    "xgboost": XGBoostHyperparameters(n_estimators=12, max_depth=2, early_stopping_rounds=2),
}


@pytest.fixture(scope="module")
def parts(feature_rows: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Train and validation rows."""
    return feature_rows.where("sensor_id < 's6'"), feature_rows.where("sensor_id >= 's6'")


@pytest.fixture(scope="module")
def prepared(parts: tuple[DataFrame, DataFrame]) -> tuple[FeatureSet, PipelineModel]:
    features = usable_features(parts[0], FEATURES)
    return features, fit_preprocessor(parts[0], features)


def _predicted(pipeline: PipelineModel, rows: DataFrame) -> np.ndarray:
    return np.array(pipeline.transform(rows).orderBy(*KEYS).select("prediction").collect()).ravel()


@pytest.mark.parametrize("name", FITS)
def test_it_equals_the_fit_on_the_vectors_of_spark(
    name: str, parts: tuple[DataFrame, DataFrame], prepared: tuple[FeatureSet, PipelineModel]
) -> None:
    (train, validation), (features, preprocessing), algorithm = parts, prepared, algorithm_named(name)
    model = fit_final_model(preprocessing, train, validation, features, algorithm, FITS[name], seed=42, partitions=2)
    assert is_scaled(get_preprocessor(model)) is not algorithm.scale_invariant
    early = algorithm.stops_early(FITS[name])
    rows = order_rows(with_validation_rows(train, validation, 42) if early else train, 2)
    ready = without_scaler(preprocessing) if algorithm.scale_invariant else preprocessing
    with cached_vectors(ready, rows) as vectors:
        expected = PipelineModel([*ready.stages, fit_model(vectors, algorithm, FITS[name], 42)])
    assert _predicted(model, validation) == pytest.approx(_predicted(expected, validation), rel=1e-6)


def test_validation_rows_end_the_fit_except_those_that_calibrate(
    parts: tuple[DataFrame, DataFrame], prepared: tuple[FeatureSet, PipelineModel]
) -> None:
    """Invert the speeds of one half. Only in the half that stops the fit does this end it earlier."""
    (train, validation), (features, preprocessing), xgboost = parts, prepared, algorithm_named("xgboost")

    def trees(half: Any) -> int:
        turned = F.when(half, 130 - F.col("speed")).otherwise(F.col("speed"))
        changed = validation.withColumn("speed", turned)
        pipeline = fit_final_model(preprocessing, train, changed, features, xgboost, FITS["xgboost"], seed=42)
        kept: int = xgboost.describe(get_model(pipeline))["trees"]
        return kept

    assert trees(calibration_half(42)) == trees(F.lit(False))
    assert trees(~calibration_half(42)) < trees(F.lit(False))


def test_rows_without_the_target_are_left_out(
    parts: tuple[DataFrame, DataFrame], prepared: tuple[FeatureSet, PipelineModel]
) -> None:
    (train, validation), (features, preprocessing) = parts, prepared
    assert train.where("flow IS NULL").count() > 0
    linear, flow = algorithm_named("linear_regression"), replace(features, target="flow")
    whole, observed = (
        fit_final_model(preprocessing, rows, validation, flow, linear, FITS["linear_regression"], seed=42)
        for rows in (train, train.where("flow IS NOT NULL"))
    )
    assert _predicted(whole, validation) == pytest.approx(_predicted(observed, validation))


@pytest.mark.parametrize(("name", "lists"), [("random_forest", False), ("xgboost", True)])
def test_only_a_fit_in_one_task_gets_arrays(
    name: str,
    lists: bool,
    parts: tuple[DataFrame, DataFrame],
    prepared: tuple[FeatureSet, PipelineModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (train, validation), (features, preprocessing) = parts, prepared
    types = []

    def watched(vectors: DataFrame, *rest: Any) -> Any:
        types.append(vectors.schema[VECTOR].dataType.typeName())
        return fit_model(vectors, *rest)

    monkeypatch.setattr(final, "fit_model", watched)
    fit_final_model(preprocessing, train, validation, features, algorithm_named(name), FITS[name], seed=42)
    assert types == ["array" if lists else "vectorudt"]
