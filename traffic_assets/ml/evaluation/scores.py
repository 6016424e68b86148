"""Scores of a model as loaded from storage.

`plots/` draws the figures, and `gates.py` compares the metrics with the thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.evaluation.importances import Importances, compute_importances
from traffic_assets.ml.fitting.pipeline import get_model
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET, Metrics, evaluate
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.preprocessing.slots import Slot
from traffic_assets.ml.splits.hashing import unit_hash


class Scores(BaseModel):
    """Metrics on the train and test splits, and importances.

    Attributes:
        train: Metrics on the rows that the model was fitted on.
        test: Metrics on the test split.
        importances: Importances of the model.
    """

    model_config = ConfigDict(frozen=True)

    train: Metrics
    test: Metrics
    importances: Importances


class Evaluation(Scores):
    """Scores of a model, with its evaluation on the temporal holdout.

    Attributes:
        temporal: Evaluation of a second fit on the temporal holdout.
    """

    temporal: TemporalEvaluation

    @property
    def gap(self) -> dict[str, float]:
        """Difference between train and test, by metric."""
        return {
            "rmse": self.train.rmse - self.test.rmse,
            "mae": self.train.mae - self.test.mae,
            "r2": self.train.r2 - self.test.r2,
        }


@dataclass(frozen=True)
class Points:
    """Sample of observed and predicted values for figures, each of shape (points,)."""

    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]


def score_model(
    pipeline: PipelineModel,
    train: DataFrame,
    predicted: DataFrame,
    algorithm: Algorithm,
    slots: Sequence[Slot],
    target: str = TARGET,
) -> Scores:
    """Compute metrics on train and test, and the importances.

    Args:
        pipeline: Model as loaded from storage.
        train: Rows that the model was fitted on.
        predicted: Test split with its predictions; it was used neither to fit nor to tune.
        algorithm: Algorithm of the model.
        slots: Slots of the preprocessor's vector.
        target: Name of the predicted variable.
    """
    return Scores(
        train=evaluate(pipeline.transform(train), target),
        test=evaluate(predicted, target),
        importances=compute_importances(get_model(pipeline), algorithm, slots),
    )


def sample_points(predicted: DataFrame, total: int, points: int, seed: int, target: str = TARGET) -> Points:
    """Return at most `points` of the predicted rows; Spark samples them by hash.

    Args:
        predicted: Rows with keys, target and prediction.
        total: Number of these rows.
        points: Maximum number of rows to return.
        seed: Seed for the hash.
        target: Name of the predicted variable.
    """
    sample = predicted.where(unit_hash(seed, "plot") < min(1.0, points / max(total, 1))).limit(points)
    frame: Any = sample.select(target, PREDICTION).toPandas()
    return Points(actual=frame[target].to_numpy(), predicted=frame[PREDICTION].to_numpy())
