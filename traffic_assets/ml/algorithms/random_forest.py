"""Random forest (Breiman 2001), the primary model."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithms.quick import quick_forest
from traffic_assets.ml.algorithms.spec import Algorithm, Sharing
from traffic_assets.settings.hyperparameters import RandomForestHyperparameters, RandomForestSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.ml.regression import RandomForestRegressionModel, RandomForestRegressor

MOST_NODES_KEPT = 100_000_000
"""Of this many rows times trees Spark keeps the node that each row is in; of more they no longer fit into memory."""


def _build(h: RandomForestHyperparameters, seed: int, target: str, vector: str) -> "RandomForestRegressor":
    from pyspark.ml.regression import RandomForestRegressor

    return RandomForestRegressor(featuresCol=vector, labelCol=target, seed=seed, **h.model_dump())


def _suited(estimator: "RandomForestRegressor", rows: int) -> "RandomForestRegressor":
    """With the nodes kept, a level begins where the one before ended: the same trees, up to 1.5 times as fast."""
    return estimator.setCacheNodeIds(rows * estimator.getNumTrees() <= MOST_NODES_KEPT)


def _importances(model: "RandomForestRegressionModel") -> "NDArray[np.float64]":
    """Mean decrease of impurity, summing to 1."""
    return model.featureImportances.toArray()


def _describe(model: "RandomForestRegressionModel") -> dict[str, Any]:
    return {"trees": int(model.getNumTrees), "nodes": int(model.totalNumNodes)}


RANDOM_FOREST = Algorithm(
    name="random_forest",
    title="Random forest",
    kind="primary",
    settings=RandomForestSettings,
    build=_build,
    model_class="pyspark.ml.regression.RandomForestRegressionModel",
    importances=_importances,
    importance_kind="mean decrease of impurity",
    describe=_describe,
    suited=_suited,
    quick=quick_forest,
    exports=("spark", "onnx", "pmml"),
    sharing=Sharing(trees="numTrees", depth="maxDepth", min_rows="minInstancesPerNode", average=True),
)
