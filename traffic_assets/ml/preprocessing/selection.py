"""Selection of the vector's slots. The fitted stage of every method is a VectorSlicer with fixed indices.

A selector is fitted on the assembled vector of the train rows before scaling, because all scaled slots have the same
variance.
"""

from typing import Literal

import numpy as np
from pyspark.ml import Estimator
from pyspark.ml.feature import VarianceThresholdSelector, VectorAssembler, VectorSlicer
from pyspark.ml.regression import RandomForestRegressor
from pyspark.ml.stat import Correlation
from pyspark.sql import DataFrame

from traffic_assets.messages import preprocessing as messages

Method = Literal["variance", "univariate", "importance"]

_WITH_TARGET = "assembled_and_target"


class SlotSelector(Estimator[VectorSlicer]):
    """Estimator that selects slots of a vector.

    - `variance` keeps every slot with a variance above the threshold.
    - `univariate` keeps the slots with the largest F statistic in a linear regression of the target on the slot alone.
    - `importance` keeps the slots with the largest importance in a small forest.

    Args:
        method: Name of the method.
        threshold: Threshold of the variance.
        top: Number of slots that `univariate` and `importance` keep.
        vector: Column of the vector.
        target: Column of the observed value.
        output: Column of the kept slots.
        seed: Seed for the forest.
    """

    def __init__(
        self, method: Method, threshold: float, top: int, vector: str, target: str, output: str, seed: int
    ) -> None:
        super().__init__()
        self.method, self.threshold, self.top = method, threshold, top
        self.vector, self.target, self.output, self.seed = vector, target, output, seed

    def _fit(self, dataset: DataFrame) -> VectorSlicer:
        """Return the slicer that keeps the selected slots, in the order of the vector.

        Raises:
            ValueError: If no slot is left.
        """
        if self.method == "variance":
            chosen = self._select_varying(dataset)
        else:
            weights = self._f_order(dataset) if self.method == "univariate" else self._importances(dataset)
            chosen = sorted(int(i) for i in np.argsort(-weights, kind="stable")[: self.top])
        if not chosen:
            raise ValueError(messages.NO_SLOTS_LEFT(threshold=self.threshold))
        return VectorSlicer(inputCol=self.vector, outputCol=self.output, indices=chosen)

    def _select_varying(self, dataset: DataFrame) -> list[int]:
        selector = VarianceThresholdSelector(featuresCol=self.vector, varianceThreshold=self.threshold)
        return sorted(selector.fit(dataset).selectedFeatures)

    def _f_order(self, dataset: DataFrame) -> np.ndarray:
        """Return each slot's |r|, which orders slots like the F statistic r² / (1 - r²) * (rows - 2), shape (slots,).

        Spark's UnivariateFeatureSelector orders slots by p-value. From a few thousand rows on, the p-value of every
        relevant slot is 0, and the selector takes the first of these slots.
        """
        some = dataset.select(self.vector).take(2)
        if len(some) == 1:  # a single row has no correlation
            return np.zeros(some[0][0].size)
        both = VectorAssembler(inputCols=[self.vector, self.target], outputCol=_WITH_TARGET, handleInvalid="keep")
        matrix = Correlation.corr(both.transform(dataset).select(_WITH_TARGET), _WITH_TARGET).collect()[0][0]
        return np.nan_to_num(np.abs(matrix.toArray()[-1, :-1]))  # a constant slot has no correlation

    def _importances(self, dataset: DataFrame) -> np.ndarray:
        """Return the importance of each slot in the forest, shape (slots,)."""
        forest = RandomForestRegressor(
            featuresCol=self.vector, labelCol=self.target, numTrees=20, maxDepth=6, maxBins=64, seed=self.seed
        )
        importances: np.ndarray = forest.fit(dataset).featureImportances.toArray()
        return importances
