"""The scores of a model as it is loaded back from storage.

Figures are drawn in `plots/`; whether the metrics suffice is decided in `gates.py`.
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
    """What a model does on the rows it was fitted on and on the test split.

    Attributes:
        train: metrics on the rows it was fitted on.
        test: metrics on the test split.
        importances: of the model.
    """

    model_config = ConfigDict(frozen=True)

    train: Metrics
    test: Metrics
    importances: Importances


class Evaluation(Scores):
    """A model's scores beside its temporal verdict.

    Attributes:
        temporal: the temporal verdict, of a second fit.
    """

    temporal: TemporalEvaluation

    @property
    def gap(self) -> dict[str, float]:
        """Train minus test, by metric."""
        return {
            "rmse": self.train.rmse - self.test.rmse,
            "mae": self.train.mae - self.test.mae,
            "r2": self.train.r2 - self.test.r2,
        }


@dataclass(frozen=True)
class Points:
    """A sample of observed and predicted values for pictures, each of shape (points,)."""

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
    """Metrics on train and test, and the importances.

    Args:
        pipeline: the model as loaded from storage.
        train: the rows that it was fitted on.
        predicted: the test split, which nothing has seen, with its predictions.
        algorithm: of the model.
        slots: of the preprocessor's vector.
        target: what the model predicts.
    """
    return Scores(
        train=evaluate(pipeline.transform(train), target),
        test=evaluate(predicted, target),
        importances=compute_importances(get_model(pipeline), algorithm, slots),
    )


def sample_points(predicted: DataFrame, total: int, points: int, seed: int, target: str = TARGET) -> Points:
    """About `points` of the predicted rows, chosen by hash on Spark.

    Args:
        predicted: rows with keys, target and prediction, of which `total` is the number.
        total: number of rows.
        points: how many to draw, at most.
        seed: of the hash.
        target: what the model predicts.
    """
    drawn = predicted.where(unit_hash(seed, "plot") < min(1.0, points / max(total, 1))).limit(points)
    found: Any = drawn.select(target, PREDICTION).toPandas()
    return Points(actual=found[target].to_numpy(), predicted=found[PREDICTION].to_numpy())
