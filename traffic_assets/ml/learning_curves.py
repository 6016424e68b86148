"""Learning curves: whether more rows would help. One fit for each of some growing shares of the train rows.

The subsets are nested: a row's hash says from which share on it is fitted. All are judged on the same rows, those
that the last fold holds out of train (in growing windows of time it is the fold with the most rows to fit), so that
no test or validation row is seen. Folds themselves are in `folds.py`.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.fitting.early_stopping import STOP, with_stopping_rows
from traffic_assets.ml.fitting.pipeline import fit_pipeline
from traffic_assets.ml.fold_tasks import fold_tasks, in_tasks
from traffic_assets.ml.folds import Fold
from traffic_assets.ml.metrics.metrics import Metrics, evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, narrowed
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.settings.models.base import Hyperparameters

_LOG = logging.getLogger(__name__)
_HELD_OUT = "held_out"


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


def within(share: float, seed: int) -> Column:
    """Whether a row is among about this share of them, by hash of its key; a smaller share's are a greater one's."""
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
    """Fit on each share of what the last fold fits, and judge on what it holds out.

    Args:
        train: train rows; read for every share, so keep them cached, unless fits are tasks (`fold_tasks.py`).
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
    held_out = train.withColumn(_HELD_OUT, fold.judged)
    parts = [fold.fit & within(share, seed) for share in shares]
    points: list[LearningPoint] = []
    judged_rows = 0
    with _judging(held_out, features, algorithm, hyperparameters, parts, seed) as judge:
        for number, (share, part) in enumerate(zip(shares, parts, strict=True)):
            if not train.where(part).take(1):
                raise ValueError(
                    f"a share of {share:g} leaves no row to fit for the learning curve: give greater shares in "
                    f"evaluation.diagnostics.learning_curve"
                )
            seen, unseen = judge(number)
            judged_rows = unseen.rows
            points.append(LearningPoint(share=share, rows=seen.rows, train_rmse=seen.rmse, validation_rmse=unseen.rmse))
            notify(
                f"{algorithm.title}: learning curve, {seen.rows:,} rows, RMSE {seen.rmse:.3f} on them, "
                f"{unseen.rmse:.3f} on held-out rows"
            )
    return LearningCurve(fold=fold.title, judged_rows=judged_rows, points=points)


@contextmanager
def _judging(
    train: DataFrame,
    features: FeatureSet,
    algorithm: Algorithm,
    hyperparameters: Hyperparameters,
    parts: Sequence[Column],
    seed: int,
) -> Iterator[Callable[[int], tuple[Metrics, Metrics]]]:
    """What fits a part of the rows, by number, and returns the metrics on the rows fitted and on those held out.

    Rows that only ended the fit were not fitted, and are judged by neither.
    """
    marked = with_stopping_rows(train, algorithm, [hyperparameters], seed)
    target, held_out = features.target, F.col(_HELD_OUT)

    def metrics(predicted: DataFrame) -> tuple[Metrics, Metrics]:
        fitted = ~held_out & ~F.col(STOP) if STOP in predicted.columns else ~held_out
        seen, unseen = (evaluate(predicted.where(which), target) for which in (fitted, held_out))
        return seen, unseen

    if not in_tasks(algorithm, [hyperparameters], features.preparation):

        def on_spark(number: int) -> tuple[Metrics, Metrics]:
            rows = train.where(parts[number])
            pipeline = fit_pipeline(rows, narrowed(features, rows), algorithm, hyperparameters, seed)
            return metrics(pipeline.transform(marked.where(parts[number] | held_out)))

        yield on_spark
        return
    folds = [Fold(part, part | held_out, "") for part in parts]
    with fold_tasks(marked, features, algorithm, folds, told=[_HELD_OUT]) as tasks:
        tasks.rows.count()  # made by all tasks; each share has one

        def in_a_task(number: int) -> tuple[Metrics, Metrics]:
            with tasks.kept(number, hyperparameters, seed) as predicted:
                return metrics(predicted)

        yield in_a_task
