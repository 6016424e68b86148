"""Linear regression: least squares with an elastic-net penalty, the baseline."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters, LinearRegressionSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.ml.regression import LinearRegression, LinearRegressionModel


def _build(h: LinearRegressionHyperparameters, seed: int, target: str, vector: str) -> "LinearRegression":
    from pyspark.ml.regression import LinearRegression

    # the vector is already scaled, so another scaling would only cost a pass; the fit is not random and takes no seed
    return LinearRegression(featuresCol=vector, labelCol=target, standardization=False, **h.model_dump())


def _importances(model: "LinearRegressionModel") -> "NDArray[np.float64]":
    """Return the absolute coefficients, which are standardized because the vector is."""
    import numpy as np

    return np.abs(model.coefficients.toArray())


def _describe(model: "LinearRegressionModel") -> dict[str, Any]:
    return {"intercept": float(model.intercept)}


LINEAR_REGRESSION = Algorithm(
    name="linear_regression",
    title="Linear regression",
    kind="baseline",
    settings=LinearRegressionSettings,
    build=_build,
    model_class="pyspark.ml.regression.LinearRegressionModel",
    importances=_importances,
    importance_kind="absolute standardized coefficient",
    describe=_describe,
    exports=("spark", "onnx", "pmml"),
)
