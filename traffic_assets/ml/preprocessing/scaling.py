"""Scaling of the vector by Spark's scalers, without scaling up the rounding errors of a constant slot.

A moving average of equal values differs in the last digit. Scaled by its standard deviation of 1e-14, a later value
that is truly different would become enormous. The fitted stage is Spark's own model, with a deviation of 0 for such a
slot: the slot is then the same for every row.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import Estimator
from pyspark.ml.feature import (
    MinMaxScaler,
    MinMaxScalerModel,
    RobustScaler,
    RobustScalerModel,
    StandardScaler,
    StandardScalerModel,
)
from pyspark.ml.linalg import Vectors
from pyspark.ml.wrapper import JavaWrapper
from pyspark.sql import DataFrame

Method = Literal["standard", "min_max", "robust"]
ScalerModel = StandardScalerModel | MinMaxScalerModel | RobustScalerModel

ROUNDING = 1e-12
"""Spread of a slot that varies only by rounding: at most this, or this share of its size if it is above 1."""

_SCALERS: dict[Method, Callable[[str, str], Any]] = {
    "standard": lambda column, output: StandardScaler(inputCol=column, outputCol=output, withMean=True, withStd=True),
    "min_max": lambda column, output: MinMaxScaler(inputCol=column, outputCol=output),
    "robust": lambda column, output: RobustScaler(
        inputCol=column, outputCol=output, withCentering=True, withScaling=True
    ),
}


class SlotScaler(Estimator[ScalerModel]):
    """Estimator that scales the slots of a vector.

    Args:
        method: `standard` (mean 0, standard deviation 1), `min_max` (0 to 1) or `robust` (median 0, interquartile range
            1).
        vector: Column of the vector.
        output: Column of the scaled vector.
    """

    def __init__(self, method: Method, vector: str, output: str) -> None:
        super().__init__()
        self.method, self.vector, self.output = method, vector, output

    def _fit(self, dataset: DataFrame) -> ScalerModel:
        """Return Spark's fitted scaler, with a spread of 0 for slots that vary only by rounding."""
        model = _SCALERS[self.method](self.vector, self.output).fit(dataset)
        if isinstance(model, StandardScalerModel):
            size, spread = model.mean.toArray(), model.std.toArray()
        elif isinstance(model, MinMaxScalerModel):
            size = model.originalMax.toArray()
            spread = size - model.originalMin.toArray()
        else:
            size, spread = model.median.toArray(), model.range.toArray()
        rounded = (spread > 0) & (spread <= ROUNDING * np.maximum(1.0, np.abs(size)))
        if not rounded.any():
            return model
        if isinstance(model, MinMaxScalerModel):
            return _replace(model, np.where(rounded, size, model.originalMin.toArray()), size)
        return _replace(model, np.where(rounded, 0.0, spread), size)


def _replace(model: Any, first: NDArray[np.float64], second: NDArray[np.float64]) -> Any:
    """Return a scaler model with other statistics, in the order of the constructor of its Java class."""
    name = f"org.apache.spark.ml.feature.{type(model).__name__}"
    java = JavaWrapper._new_java_obj(name, model.uid, Vectors.dense(first), Vectors.dense(second))
    return model._copyValues(type(model)(java))
