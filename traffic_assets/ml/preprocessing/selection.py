"""Which slots of the vector are kept. Whatever chooses them, the fitted stage is a VectorSlicer with fixed indices.

Fitted on the assembled vector of the train rows, before it is scaled: scaled slots would all vary alike.
"""

from typing import Literal

import numpy as np
from pyspark.ml import Estimator
from pyspark.ml.feature import VarianceThresholdSelector, VectorAssembler, VectorSlicer
from pyspark.ml.regression import RandomForestRegressor
from pyspark.ml.stat import Correlation
from pyspark.sql import DataFrame

Method = Literal["variance", "univariate", "importance"]

_WITH_TARGET = "assembled_and_target"


class SlotSelector(Estimator[VectorSlicer]):
    """Chooses slots of a vector.

    Args:
        method: variance (every slot that varies more than the threshold), univariate (the slots whose F statistic of
            a linear regression of the target on the slot alone is largest) or importance (those that weigh most in a
            small forest).
        threshold: of the variance.
        top: how many slots univariate and importance keep.
        vector: column of the vector.
        target: column of the observed value.
        output: column of the kept slots.
        seed: of the forest.
    """

    def __init__(
        self, method: Method, threshold: float, top: int, vector: str, target: str, output: str, seed: int
    ) -> None:
        super().__init__()
        self.method, self.threshold, self.top = method, threshold, top
        self.vector, self.target, self.output, self.seed = vector, target, output, seed

    def _fit(self, dataset: DataFrame) -> VectorSlicer:
        """The slicer that keeps the chosen slots, in the order of the vector.

        Raises:
            ValueError: where no slot is left.
        """
        if self.method == "variance":
            chosen = self._varying(dataset)
        else:
            weights = self._f_order(dataset) if self.method == "univariate" else self._importances(dataset)
            chosen = sorted(int(i) for i in np.argsort(-weights, kind="stable")[: self.top])
        if not chosen:
            raise ValueError(
                f"training.preprocessing.selection: no slot varies more than variance_threshold "
                f"({self.threshold:g}); lower it"
            )
        return VectorSlicer(inputCol=self.vector, outputCol=self.output, indices=chosen)

    def _varying(self, dataset: DataFrame) -> list[int]:
        selector = VarianceThresholdSelector(featuresCol=self.vector, varianceThreshold=self.threshold)
        return sorted(selector.fit(dataset).selectedFeatures)

    def _f_order(self, dataset: DataFrame) -> np.ndarray:
        """What orders the slots like their F statistic, r² / (1 - r²) * (rows - 2), shape (slots,).

        Spark's UnivariateFeatureSelector orders them by p-value, which is 0 for every slot that matters once there
        are some thousand rows, and takes the first of them.
        """
        both = VectorAssembler(inputCols=[self.vector, self.target], outputCol=_WITH_TARGET, handleInvalid="keep")
        matrix = Correlation.corr(both.transform(dataset).select(_WITH_TARGET), _WITH_TARGET).collect()[0][0]
        return np.nan_to_num(np.abs(matrix.toArray()[-1, :-1]))  # a constant slot has no correlation

    def _importances(self, dataset: DataFrame) -> np.ndarray:
        """Weight of each slot in the forest, shape (slots,)."""
        forest = RandomForestRegressor(
            featuresCol=self.vector, labelCol=self.target, numTrees=20, maxDepth=6, maxBins=64, seed=self.seed
        )
        importances: np.ndarray = forest.fit(dataset).featureImportances.toArray()
        return importances
