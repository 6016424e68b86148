"""Learning curves: whether more rows would help. One fit for each of some growing shares of the train rows.

The subsets are nested: a row's hash says from which share on it is fitted. All are judged on the same rows, those
that the last fold holds out of train (in growing windows of time it is the fold with the most rows to fit), so that
no test or validation row is seen. Folds themselves are in `folds.py`.
"""

import logging
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithms import Algorithm
from traffic_assets.ml.folds import Fold
from traffic_assets.ml.metrics import evaluate
from traffic_assets.ml.preprocessing import FeatureSet, narrowed
from traffic_assets.ml.splits import unit_hash
from traffic_assets.ml.training import STOP, fit_pipeline, with_stopping_rows
from traffic_assets.settings.hyperparameters import Hyperparameters

_LOG = logging.getLogger(__name__)


class LearningPoint(BaseModel):
    """One fit.

    Attributes:
        share: of the rows that the fold fits.
        rows: that were fitted.
        train_rmse: on the rows fitted, in the unit of the target.
        validation_rmse: on the rows held out.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    rows: int
    train_rmse: float
    validation_rmse: float


class LearningCurve(BaseModel):
    """The errors of one set of hyperparameters over growing shares of the train rows.

    Attributes:
        fold: which rows were held out, for people.
        judged_rows: how many those are.
        points: by share, the smallest first.
    """

    model_config = ConfigDict(frozen=True)

    fold: str
    judged_rows: int
    points: list[LearningPoint]


def subset(rows: DataFrame, share: float, seed: int) -> DataFrame:
    """About this share of the rows, by hash of their keys; a smaller share's rows are among a greater one's."""
    return rows if share >= 1 else rows.where(unit_hash(seed, "learning curve") < share)


def learning_curve(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    folds: Sequence[Fold],
    shares: Sequence[float],
    seed: int,
    notify: Callable[[str], None] = _LOG.info,
) -> LearningCurve:
    """Fit on each share of what the last fold fits, and judge on what it holds out.

    Args:
        train: train rows; read for every share, so keep them cached.
        features: columns to train on.
        algorithm: what to fit.
        hyperparameters: the same for every share.
        folds: of the cross-validation.
        shares: of the rows, each over 0 and at most 1, in order.
        seed: of the fits and of the subsets.
        notify: told of each fit.

    Raises:
        ValueError: where a share has no rows to fit, or the fold none to judge.
    """
    fold = folds[-1]
    judged = train.where(fold.judged)
    points: list[LearningPoint] = []
    for share in shares:
        rows = subset(train.where(fold.fit), share, seed)
        if not rows.take(1):
            raise ValueError(
                f"a share of {share:g} leaves no row to fit for the learning curve: give greater shares in "
                f"evaluation.diagnostics.learning_curve"
            )
        pipeline = fit_pipeline(rows, narrowed(features, rows), algorithm, hyperparameters, seed)
        fitted = with_stopping_rows(rows, algorithm, [hyperparameters], seed)
        if STOP in fitted.columns:  # they ended the fit, and were not fitted
            fitted = fitted.where(~F.col(STOP))
        seen, unseen = (evaluate(pipeline.transform(some), features.target) for some in (fitted, judged))
        points.append(LearningPoint(share=share, rows=seen.rows, train_rmse=seen.rmse, validation_rmse=unseen.rmse))
        notify(
            f"{algorithm.title}: learning curve, {seen.rows:,} rows, RMSE {seen.rmse:.3f} on them, "
            f"{unseen.rmse:.3f} on held-out rows"
        )
    return LearningCurve(fold=fold.title, judged_rows=judged.count(), points=points)
