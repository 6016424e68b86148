"""Gradient-boosted trees (Friedman 2001), the alternative."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithm import Algorithm, EarlyStopping, SharedFit
from traffic_assets.ml.algorithms.surrogates import boosting_surrogate
from traffic_assets.settings.models.gradient_boosted_trees import (
    GradientBoostedTreesHyperparameters,
    GradientBoostedTreesSettings,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.ml.regression import GBTRegressionModel, GBTRegressor


def _build(h: GradientBoostedTreesHyperparameters, seed: int, target: str, vector: str) -> "GBTRegressor":
    from pyspark.ml.regression import GBTRegressor

    params = h.model_dump(exclude={"earlyStopping"})
    return GBTRegressor(featuresCol=vector, labelCol=target, seed=seed, **params)


def _with_validation_indicator(estimator: "GBTRegressor", column: str) -> "GBTRegressor":
    return estimator.setValidationIndicatorCol(column)


def _importances(model: "GBTRegressionModel") -> "NDArray[np.float64]":
    """Return the mean decrease in impurity over the trees, with the sum 1."""
    return model.featureImportances.toArray()


def _describe(model: "GBTRegressionModel") -> dict[str, Any]:
    return {"trees": int(model.getNumTrees), "nodes": int(model.totalNumNodes)}


GRADIENT_BOOSTED_TREES = Algorithm(
    name="gradient_boosted_trees",
    title="Gradient-boosted trees",
    kind="alternative",
    settings=GradientBoostedTreesSettings,
    build=_build,
    model_class="pyspark.ml.regression.GBTRegressionModel",
    importances=_importances,
    importance_kind="mean decrease in impurity",
    describe=_describe,
    surrogate=boosting_surrogate,
    exports=("spark", "onnx", "pmml"),
    shared_fit=SharedFit(trees="maxIter", depth=None, min_rows=None, average=False, levels="maxDepth"),
    early_stopping=EarlyStopping(lambda h: h.earlyStopping, _with_validation_indicator, needs_rows=True),
)
