"""The contract of all algorithms, tested for each of them."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError
from pyspark.ml import PipelineModel
from pyspark.ml.feature import StandardScalerModel
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import Algorithm, algorithm_named, built_in_algorithms
from traffic_assets.ml.evaluation.importances import compute_importances
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.fitting.pipeline import fit_pipeline, get_model, get_preprocessor
from traffic_assets.ml.metrics.metrics import METRICS, evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.slots import slots
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.models.svr import SVRHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets.settings.schema import ModelsSettings
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SEED = 42
SMALL: dict[str, Hyperparameters] = {
    "linear_regression": LinearRegressionHyperparameters(),
    "random_forest": RandomForestHyperparameters(numTrees=4, maxDepth=5, subsamplingRate=0.7),
    "gradient_boosted_trees": GradientBoostedTreesHyperparameters(maxIter=4, maxDepth=3, stepSize=0.5),
    "xgboost": XGBoostHyperparameters(n_estimators=20, max_depth=3, learning_rate=0.5, early_stopping_rounds=3),
    "svr": SVRHyperparameters(C=100, epsilon=0.01, gamma="0.01", max_rows=400),
    "ensemble": EnsembleHyperparameters(
        members={"linear_regression": {}, "random_forest": {"numTrees": 4, "maxDepth": 5}}, folds=2
    ),
}
WRONG: dict[str, dict[str, Any]] = {
    "linear_regression": {"regParam": -0.1},
    "random_forest": {"maxDepth": 31},
    "gradient_boosted_trees": {"stepSize": 0.0},
    "xgboost": {"early_stopping_rounds": 0},
    "svr": {"gamma": "wide"},
    "ensemble": {"members": {"random_forest": {}}},
}
FEATURES = FeatureSet(
    numeric=("traffic_efficiency", "flow_rate", "lon_normalized", "occupancy_ratio", "speed_lag_1"),
    categorical=("highway_encoded", "sensor_cluster"),
    missing=(),
    nulls={},
    rows=0,
)
Predictions = dict[tuple[str, int], float]


@dataclass(frozen=True)
class Fitted:
    """An algorithm, and its model fitted on train rows."""

    algorithm: Algorithm
    pipeline: PipelineModel
    train: DataFrame
    test: DataFrame
    features: FeatureSet


def _fit(train: DataFrame, features: FeatureSet, algorithm: Algorithm, seed: int = SEED) -> PipelineModel:
    with cached_rows(train) as rows:
        return fit_pipeline(rows, features, algorithm, SMALL[algorithm.name], seed)


def _predictions(pipeline: PipelineModel, rows: DataFrame) -> Predictions:
    predicted = pipeline.transform(rows).select("sensor_id", F.col("timestamp").cast("long"), "prediction").collect()
    return {(row[0], row[1]): row[2] for row in predicted}


@pytest.fixture(scope="module", params=list(built_in_algorithms()))
def fitted(request: pytest.FixtureRequest, feature_rows: DataFrame) -> Fitted:
    algorithm = algorithm_named(request.param)
    boundary = F.lit("2026-01-05 06:40:00").cast("timestamp")
    train, test = (
        feature_rows.where(F.col("timestamp") < boundary),
        feature_rows.where(F.col("timestamp") >= boundary),
    )
    return Fitted(algorithm, _fit(train, FEATURES, algorithm), train, test, FEATURES)


def test_scale_invariant_algorithms_are_as_good_without_a_scaler(fitted: Fitted) -> None:
    algorithm = fitted.algorithm
    scaled = any(isinstance(stage, StandardScalerModel) for stage in fitted.pipeline.stages)
    assert scaled is not algorithm.scale_invariant
    if algorithm.scale_invariant:
        other = _fit(fitted.train, fitted.features, replace(algorithm, scale_invariant=False))
        with_it, without = (evaluate(p.transform(fitted.test)).rmse for p in (other, fitted.pipeline))
        assert without == pytest.approx(with_it, rel=0.01)


def test_every_algorithm_is_tested_and_has_settings() -> None:
    assert set(SMALL) == set(WRONG) == set(built_in_algorithms()), "a new algorithm needs small hyperparameters here"
    settings = ModelsSettings().get_sections()
    assert set(settings) == set(built_in_algorithms())
    for name, algorithm in built_in_algorithms().items():
        assert algorithm.name == name
        assert algorithm_named(name) is algorithm
        assert type(settings[name]) is algorithm.settings
        assert type(settings[name].hyperparameters) is algorithm.hyperparameters
        assert type(SMALL[name]) is algorithm.hyperparameters
        assert algorithm.exports[0] == "spark", "the format that this package reads"
        assert algorithm.requirements is None or algorithm.requirements.extra
    assert [a.kind for a in built_in_algorithms().values()].count("primary") == 1
    for different in ("title", "model_class"):
        assert len({getattr(a, different) for a in built_in_algorithms().values()}) == len(built_in_algorithms())


def test_metrics_are_finite_and_better_than_the_mean(fitted: Fitted) -> None:
    metrics = evaluate(fitted.pipeline.transform(fitted.test))
    assert all(math.isfinite(getattr(metrics, metric)) for metric in METRICS)
    assert metrics.rows == 160
    assert metrics.r2 > 0.8, "the speed is almost a function of the features"


def test_a_loaded_model_predicts_the_same(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp(fitted.algorithm.name) / "pipeline"
    fitted.pipeline.write().save(f"file://{folder}")
    loaded = PipelineModel.load(f"file://{folder}")
    expected = _predictions(fitted.pipeline, fitted.test)
    assert len(set(expected.values())) > 5
    assert _predictions(loaded, fitted.test) == expected

    model = get_model(fitted.pipeline)
    module, _, name = fitted.algorithm.model_class.rpartition(".")
    stage = max((folder / "stages").iterdir(), key=lambda path: int(path.name.split("_")[0]))
    bare = getattr(importlib.import_module(module), name).load(f"file://{stage}")
    assert _predictions(PipelineModel([get_preprocessor(loaded), bare]), fitted.test) == expected
    assert (fitted.algorithm.importances(bare) == fitted.algorithm.importances(model)).all()
    assert fitted.algorithm.describe(bare) == fitted.algorithm.describe(model)


def test_the_model_depends_on_the_seed_and_not_on_the_order_of_rows(fitted: Fitted) -> None:
    shuffled = fitted.train.orderBy(F.rand(3)).repartition(5)
    again = _fit(shuffled, fitted.features, fitted.algorithm)
    assert _predictions(again, fitted.test) == _predictions(fitted.pipeline, fitted.test)


def test_importances_align_with_the_slots(fitted: Fitted) -> None:
    model = get_model(fitted.pipeline)
    named = slots(get_preprocessor(fitted.pipeline), fitted.features)
    weights = fitted.algorithm.importances(model)
    assert weights.shape == (len(named),)
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    importances = compute_importances(model, fitted.algorithm, named)
    assert importances.features["traffic_efficiency"] > 5 * importances.features["flow_rate"], (
        "the speed was computed from it"
    )
    assert importances.features["lon_normalized"] == 0, "it is constant"
    assert importances.kind == fitted.algorithm.importance_kind


def test_model_class_is_the_class_of_a_fitted_model(fitted: Fitted) -> None:
    kind = type(get_model(fitted.pipeline))
    assert f"{kind.__module__}.{kind.__qualname__}" == fitted.algorithm.model_class


def test_facts_of_a_model_are_json(fitted: Fitted) -> None:
    facts = fitted.algorithm.describe(get_model(fitted.pipeline))
    assert facts
    assert {type(value) for value in facts.values()} <= {int, float, str, bool}


def test_the_hyperparameters_reach_the_estimator(fitted: Fitted) -> None:
    algorithm = fitted.algorithm
    # earlyStopping is not a param of the estimator
    configured: dict[str, Any] = SMALL[algorithm.name].model_dump(exclude={"earlyStopping"})
    estimator: Any = algorithm.build(SMALL[algorithm.name], SEED, "flow", "vector")
    assert {name: estimator.getOrDefault(name) for name in configured} == configured
    assert estimator.getLabelCol() == "flow"
    assert estimator.getFeaturesCol() == "vector"


def test_wrong_hyperparameters_are_refused(fitted: Fitted) -> None:
    kind = fitted.algorithm.hyperparameters
    for wrong in (WRONG[fitted.algorithm.name], {"no_such_parameter": 1}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            kind.model_validate(wrong)
    for name, others in SMALL.items():
        if name != fitted.algorithm.name:
            expected = f"of {fitted.algorithm.name} are {type(others).__name__}. Expected {kind.__name__}"
            with pytest.raises(TypeError, match=expected):
                fitted.algorithm.fit(fitted.train, others, SEED, "speed", "features")


def test_an_unknown_algorithm_is_refused_with_a_list_of_known_ones() -> None:
    with pytest.raises(ValueError) as caught:
        algorithm_named("lasso")
    assert get_code(caught.value) == "algorithms.unknown"
    values = get_values(caught.value)
    assert values["algorithm"] == "lasso"
    assert values["known"][:2] == ["linear_regression", "random_forest"]
