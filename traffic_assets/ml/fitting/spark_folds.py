"""Folds that Spark prepares: it fits a preprocessor on the train rows of each fold, and models on the vectors."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.ml import Model
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import fitting as messages
from traffic_assets.ml.algorithm import Algorithm, SharedFit
from traffic_assets.ml.estimators.tree_arrays import Cut, evaluate_cuts, read_trees
from traffic_assets.ml.fitting.caching import cache_frame, cached_vectors
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.fitting.fold_fitter import FoldFitter, FoldSize, PreparedFold
from traffic_assets.ml.fitting.pipeline import fit_model, fit_preprocessor
from traffic_assets.ml.metrics.metrics import PREDICTION, Metrics, evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, select_present_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.settings.models.base import Hyperparameters


class SparkFolds(FoldFitter):
    """Fitter of any algorithm with any preparation.

    Args:
        rows: Train rows, read several times per fold; rows that only stop fits early are marked.
        features: Columns to train on.
        algorithm: Algorithm to fit.
        folds: Train and test rows of each fold.
        seed: Seed for the fits.
        scratch: URI of a folder for intermediate models; without it, no fit is shared.
        extra_columns: Further columns to keep in the predictions.
    """

    def __init__(
        self,
        rows: DataFrame,
        features: FeatureSet,
        algorithm: Algorithm,
        folds: Sequence[Fold],
        seed: int,
        *,
        scratch: str | None = None,
        extra_columns: Sequence[str] = (),
    ) -> None:
        # a fit that stops early is not the beginning of a longer one
        shareable = scratch is not None and STOP not in rows.columns
        super().__init__(rows, folds, algorithm.shared_fit if shareable else None)
        self.features, self.algorithm, self.seed = features, algorithm, seed
        self.scratch, self.extra_columns = scratch, extra_columns

    @contextmanager
    def prepare(self, number: int, size: FoldSize, fits: int = 1) -> Iterator[PreparedFold]:
        """Fit the preprocessor; keep the vectors inside the block if they are read more than once."""
        fold, features = self.folds[number], self.features
        train_rows = self.rows.where(fold.train)
        # a feature without a value in the train rows of this fold cannot be learned from them
        present = select_present_features(features, train_rows, size.train)
        preprocessing = fit_preprocessor(train_rows, present, scaled=not self.algorithm.scale_invariant)
        drops = features.preparation.drops  # the remaining rows are counted, then fitted on
        read_again = fits > 1 or drops or not self.algorithm.single_pass
        marks = [STOP] if STOP in self.rows.columns else []
        test = preprocessing.transform(self.rows.where(fold.test)).select(
            VECTOR, features.target, *marks, *self.extra_columns
        )
        with cached_vectors(preprocessing, train_rows, features.target, read_again) as train:
            if drops:
                size = _count_train_rows(train, size)
            yield _SparkFold(size, self, train, test)


class _SparkFold(PreparedFold):
    """A fold as vectors of its train and its test rows."""

    def __init__(self, size: FoldSize, folds: SparkFolds, train: DataFrame, test: DataFrame) -> None:
        super().__init__(size)
        self._folds, self._train, self._test = folds, train, test
        self._target = folds.features.target

    def evaluate(
        self, hyperparameters: Hyperparameters, cuts: Sequence[Cut] = (), exact: int | None = None
    ) -> list[Metrics]:
        """Fit on the vectors, and evaluate Spark's predictions, or all cuts of the saved ensemble."""
        model = self._fit(hyperparameters)
        if not cuts:
            return [evaluate(model.transform(self._test), self._target)]
        sharing: SharedFit | None = self._folds.sharing
        if sharing is None:
            raise ValueError(messages.FITS_NOT_SHARED())
        trees = read_trees(model, f"{self._folds.scratch}/{secrets.token_hex(8)}")
        return evaluate_cuts(self._test, VECTOR, self._target, trees, cuts, sharing.average, exact)

    @contextmanager
    def predictions(self, hyperparameters: Hyperparameters) -> Iterator[DataFrame]:
        """Fit on the vectors, and keep Spark's predictions."""
        names = [name for name in self._test.columns if name != VECTOR]
        with cache_frame(self._fit(hyperparameters).transform(self._test).select(*names, PREDICTION)) as kept:
            yield kept

    def _fit(self, hyperparameters: Hyperparameters) -> Model:
        folds = self._folds
        return fit_model(self._train, folds.algorithm, hyperparameters, folds.seed, self._target, self.size.train)


def _count_train_rows(vectors: DataFrame, size: FoldSize) -> FoldSize:
    """Return the size with the train rows that the preparation did not drop."""
    stopping = F.count_if(F.col(STOP)) if STOP in vectors.columns else F.lit(0)
    train, marked = vectors.agg(F.count(F.lit(1)), stopping).collect()[0]
    return size._replace(train=train, stopping=marked)
