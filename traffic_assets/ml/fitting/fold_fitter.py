"""Interface for fitting models on folds.

with open_fold_fitter(...) as fitter:                   # fold_fitter_factory.py
    sizes = fitter.fold_sizes()
    with fitter.prepare(0, sizes[0]) as fold:           # once per fold
        (metrics,) = fold.evaluate(hyperparameters)     # one fit
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.algorithm import SharedFit
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.settings.models.base import Hyperparameters


class FoldSize(NamedTuple):
    """Row counts of a fold.

    Attributes:
        train: Train rows, including those that only decide when a fit stops early.
        stopping: Train rows that only decide when a fit stops early.
        test: Test rows.
    """

    train: int
    stopping: int = 0
    test: int = 0


class PreparedFold(ABC):
    """A fold that models can be fitted on.

    Attributes:
        size: Row counts, without the train rows that the preparation drops.
    """

    def __init__(self, size: FoldSize) -> None:
        self.size = size

    @abstractmethod
    def evaluate(
        self, hyperparameters: Hyperparameters, cuts: Sequence[Cut] = (), exact: int | None = None
    ) -> list[Metrics]:
        """Fit once and return metrics on the test rows.

        Args:
            hyperparameters: Hyperparameters of the fit.
            cuts: Smaller ensembles inside the fitted one to evaluate instead; only if `sharing` is set.
            exact: Position of the cut that equals the fit, if any. Only its metrics include the P95.

        Returns:
            One entry for each cut, or one entry without cuts.
        """

    @abstractmethod
    def predictions(self, hyperparameters: Hyperparameters) -> AbstractContextManager[DataFrame]:
        """Fit once and keep the predictions for the test rows in Spark's memory (or on its disks) inside the block.

        Returns:
            Test rows with the target, `prediction`, the fitter's extra columns, and `stops_fit` if rows are marked.
        """


class FoldFitter(ABC):
    """Fitter of one algorithm on folds of the same rows.

    `prepare` and the fits may run in several threads at the same time.

    Attributes:
        rows: Rows of all folds.
        folds: Conditions on `rows`.
        sharing: Rule for the trials that share one fit; None if each trial needs its own fit.
    """

    def __init__(self, rows: DataFrame, folds: Sequence[Fold], sharing: SharedFit | None = None) -> None:
        self.rows, self.folds, self.sharing = rows, folds, sharing

    @abstractmethod
    def prepare(self, number: int, size: FoldSize, fits: int = 1) -> AbstractContextManager[PreparedFold]:
        """Prepare the rows of a fold; what is kept for its fits is released at the end of the block.

        Args:
            number: Number of the fold, from 0.
            size: Row counts of the fold.
            fits: Number of fits that will follow.
        """

    def fold_sizes(self) -> list[FoldSize]:
        """Count the rows of every fold in one pass."""
        stops = F.col(STOP) if STOP in self.rows.columns else F.lit(False)
        counts = [
            F.count_if(condition) for fold in self.folds for condition in (fold.train, fold.train & stops, fold.test)
        ]
        row = self.rows.agg(*counts).collect()[0]
        return [FoldSize(*row[start : start + 3]) for start in range(0, len(row), 3)]
