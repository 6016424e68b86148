"""Learning curves: errors over growing shares of the train rows, which show whether more rows would help.

The subsets are nested: a row's hash determines the smallest share that contains it. Every share is evaluated on the
same rows, the test rows of the last fold. With expanding windows in time, that fold has the most train rows. No test or
validation row of the split is used.
"""

import logging
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import model_selection as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize
from traffic_assets.ml.fitting.fold_fitter_factory import open_fold_fitter
from traffic_assets.ml.metrics.metrics import Metrics, evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)
_TEST = "held_out"


class LearningPoint(BaseModel):
    """Errors of one fit.

    Attributes:
        share: Share of the fold's train rows.
        rows: Number of rows fitted on.
        train_rmse: RMSE on the rows fitted on, in the unit of the target.
        validation_rmse: RMSE on the fold's test rows, in the unit of the target.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    rows: int
    train_rmse: float
    validation_rmse: float


class LearningCurve(BaseModel):
    """Errors of one set of hyperparameters over growing shares of the train rows.

    Attributes:
        fold: Title of the fold.
        judged_rows: Number of its test rows.
        points: Errors by share, the smallest first.
    """

    model_config = ConfigDict(frozen=True)

    fold: str
    judged_rows: int
    points: list[LearningPoint]


def subset_condition(share: float, seed: int) -> Column:
    """Return a condition that holds for about this share of the rows; it holds for every row of a smaller share."""
    return F.lit(True) if share >= 1 else unit_hash(seed, "learning curve") < share


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
    """Fit on each share of the last fold's train rows, and evaluate on its test rows.

    Args:
        train: Train rows; read for every share, so keep them cached, unless fits are tasks (`fold_tasks.py`).
        features: Columns to train on.
        algorithm: Algorithm to fit.
        hyperparameters: Hyperparameters of every fit.
        folds: Folds of the cross-validation.
        shares: Shares of the train rows, each over 0 and at most 1, in order.
        seed: Seed for the fits and the subsets.
        notify: Callback for a progress message after each fit.

    Raises:
        ValueError: If a share has no rows to fit on, or the fold has no test rows.
    """
    last = folds[-1]
    rows = train.withColumn(_TEST, last.test)
    # errors on the rows fitted on are reported too, so a share is evaluated on its own rows as well
    subsets = [last.train & subset_condition(share, seed) for share in shares]
    share_folds = [Fold(subset, subset | F.col(_TEST), last.title) for subset in subsets]
    points: list[LearningPoint] = []
    test_rows = 0
    with open_fold_fitter(
        rows, features, algorithm, share_folds, [hyperparameters], seed, extra_columns=[_TEST]
    ) as fitter:
        sizes = fitter.fold_sizes()
        _require_rows(shares, sizes)
        for number, share in enumerate(shares):
            on_train, on_test = _evaluate_share(fitter, number, sizes[number], hyperparameters, features.target)
            test_rows = on_test.rows
            points.append(
                LearningPoint(share=share, rows=on_train.rows, train_rmse=on_train.rmse, validation_rmse=on_test.rmse)
            )
            notify(
                f"{algorithm.title}: learning curve, {on_train.rows:,} rows, RMSE {on_train.rmse:.3f} on them, "
                f"{on_test.rmse:.3f} on held-out rows"
            )
    return LearningCurve(fold=last.title, judged_rows=test_rows, points=points)


def _require_rows(shares: Sequence[float], sizes: Sequence[FoldSize]) -> None:
    """Raise if a share has no rows to fit on."""
    for share, size in zip(shares, sizes, strict=True):
        if not size.train:
            raise ValueError(messages.EMPTY_SHARE(share=share))


def _evaluate_share(
    fitter: FoldFitter, number: int, size: FoldSize, hyperparameters: Hyperparameters, target: str
) -> tuple[Metrics, Metrics]:
    """Return metrics on the rows fitted on, without those that only stopped the fit, and on the fold's test rows."""
    with fitter.prepare(number, size) as fold, fold.predictions(hyperparameters) as predicted:
        is_test = F.col(_TEST)
        fitted = ~is_test & ~F.col(STOP) if STOP in predicted.columns else ~is_test
        return evaluate(predicted.where(fitted), target), evaluate(predicted.where(is_test), target)
