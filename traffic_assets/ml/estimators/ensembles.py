"""Ensembles: a weighted sum of other algorithms' predictions.

    parts by hash       |  1  |  2  |  3  |
    member on 2 and 3   | test| fit | fit |      each row is predicted by members that were not fitted on it;
    member on 1 and 3   | fit | test| fit |      these predictions determine the weights
    member on 1 and 2   | fit | fit | test|
    final members       | fit | fit | fit |      fitted on all rows

The weights of an average are set, or inversely proportional to the mean squared errors of these predictions. Stacking
fits them by least squares with non-negative weights and no intercept (Wolpert 1992; Breiman 1996). A member that adds
nothing has the weight 0. The driver collects only sums of products from Spark. Members are stored by their own writers.
"""

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import Estimator, Model
from pyspark.ml.param.shared import HasPredictionCol, HasSeed
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.optimize import nnls

from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.ml.estimators.params import Columns, any_param, int_param, text_param
from traffic_assets.ml.estimators.rows import require_rows
from traffic_assets.ml.splits.hashing import row_fold_column
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters

MEMBERS = "members"
_PREDICTED, _FOLD, _PART = "_predicted_{}", "_fold", "_part"


@dataclass(frozen=True)
class Member:
    """A fitted member.

    Attributes:
        name: Name of its algorithm.
        model: Model fitted on all rows.
        weight: Factor of its prediction.
        rmse: Root of the mean squared error of its out-of-fold predictions, in the target's unit; None if the weights
            were set.
    """

    name: str
    model: Model
    weight: float
    rmse: float | None


class Ensemble(Estimator["EnsembleModel"], Columns, HasSeed):
    """Estimator that fits the members and their weights. The params have the names of `EnsembleHyperparameters`.

    Rows that `stopCol` marks are passed only to members that stop early. No member and no weight is fitted on them.
    """

    rowCol = text_param("rowCol", "column with an integer that identifies a row")
    stopCol = text_param("stopCol", "column that marks the validation rows for early stopping")
    method = text_param("method", "weighted or stacking")
    members = any_param("members", "hyperparameters by algorithm")
    weights = any_param("weights", "weight by member; fitted on out-of-fold predictions if absent")
    folds = int_param("folds", "number of parts for out-of-fold predictions")

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._set(**params)

    def _fit(self, dataset: DataFrame) -> "EnsembleModel":
        of = self.getOrDefault
        members = EnsembleHyperparameters(members=of(self.members)).member_hyperparameters
        weights: dict[str, float] | None = of(self.weights)
        errors: dict[str, float] = {}
        if weights is None:
            require_rows(dataset, of(self.rowCol))
            products, rows = self._products(dataset, members)
            errors = {name: math.sqrt(products[i, i] / rows) for i, name in enumerate(members)}
            stacking = of(self.method) == "stacking"
            fitted = _stacking_weights(products) if stacking else _inverse_weights(list(errors.values()))
            weights = dict(zip(members, fitted.tolist(), strict=True))
        else:
            total = sum(weights.values())
            weights = {name: weight / total for name, weight in weights.items()}
        fitted_members = [
            Member(name, self._fit_member(dataset, name, hyperparameters), weights[name], errors.get(name))
            for name, hyperparameters in members.items()
        ]
        model = EnsembleModel(of(self.method), fitted_members)
        model._set(
            featuresCol=self.getFeaturesCol(), labelCol=self.getLabelCol(), predictionCol=self.getPredictionCol()
        )
        return model

    def _fit_member(self, rows: DataFrame, name: str, hyperparameters: Hyperparameters) -> Model:
        algorithm = algorithm_named(name)
        stop = self.getOrDefault(self.stopCol) if self.isDefined(self.stopCol) else None
        if stop is not None and not algorithm.stops_early(hyperparameters):
            rows, stop = rows.where(~F.col(stop)), None
        seed, target, vector = self.getSeed(), self.getLabelCol(), self.getFeaturesCol()
        return algorithm.fit(rows, hyperparameters, seed, target, vector, stop)

    def _products(self, dataset: DataFrame, members: dict[str, Hyperparameters]) -> tuple[NDArray[np.float64], int]:
        """Return sums of pairwise products over the rows, and the number of rows.

        The factors are the members' out-of-fold errors, then the target.

        Raises:
            ValueError: If a part has no rows.
        """
        of = self.getOrDefault
        marked = F.col(of(self.stopCol)) if self.isDefined(self.stopCol) else F.lit(False)
        dataset = dataset.withColumn(_FOLD, row_fold_column(of(self.rowCol), of(self.folds), of(self.seed), "ensemble"))
        target = F.col(self.getLabelCol()).cast("double")
        columns = [*(F.col(_PREDICTED.format(name)) - target for name in members), target]
        products, rows = np.zeros((len(columns), len(columns))), 0
        for fold in range(of(self.folds)):
            train = dataset.where((F.col(_FOLD) != fold) | marked).drop(_FOLD)
            test = dataset.where((F.col(_FOLD) == fold) & ~marked)
            if not train.where(~marked).take(1) or not test.take(1):
                raise ValueError(messages.EMPTY_PART(part=fold + 1, folds=of(self.folds)))
            for name, hyperparameters in members.items():
                model = self._fit_member(train, name, hyperparameters)
                test = _with_prediction(model, test, _PREDICTED.format(name))
            sums, number = _sums_of_products(test, columns)
            products, rows = products + sums, rows + number
        return products, rows


class EnsembleModel(Model, Columns, MLWritable, MLReadable["EnsembleModel"]):
    """A fitted ensemble.

    Args:
        method: Method of the weights: weighted or stacking.
        members: Members with their weights, at least one.
    """

    def __init__(self, method: str = "", members: Sequence[Member] = ()) -> None:
        super().__init__()
        self.method = method
        self.members = list(members)

    @property
    def importances(self) -> NDArray[np.float64]:
        """The members' importances as shares of 1, averaged by weight, shape (slots,)."""
        total = sum(member.weight for member in self.members) or 1.0
        shares: NDArray[np.float64] = np.zeros(1)
        for member in self.members:
            weights = algorithm_named(member.name).importances(member.model)
            shares = shares + member.weight / total * weights / (weights.sum() or 1.0)
        return shares

    def _transform(self, dataset: DataFrame) -> DataFrame:
        predicted, total = dataset, F.lit(0.0)
        for member in self.members:
            if member.weight:
                name = _PREDICTED.format(member.name)
                predicted = _with_prediction(member.model, predicted, name)
                total = total + F.lit(member.weight) * F.col(name)
        return predicted.select(*dataset.columns, total.alias(self.getPredictionCol()))

    def write(self) -> "_Writer":
        """Return the writer that saves the model."""
        return _Writer(self)

    @classmethod
    def read(cls) -> "_Reader":
        """Return the reader that loads a saved model."""
        return _Reader()


class _Writer(MLWriter):
    """Writer of the metadata in Spark's format, and of one folder per member with the member's own writer."""

    def __init__(self, model: EnsembleModel) -> None:
        super().__init__()
        self._model = model

    def saveImpl(self, path: str) -> None:
        members = [{"name": m.name, "weight": m.weight, "rmse": m.rmse} for m in self._model.members]
        extra = {"method": self._model.method, "members": members}
        DefaultParamsWriter.saveMetadata(self._model, path, self.sparkSession, extraMetadata=extra)
        for member in self._model.members:
            cast(MLWritable, member.model).write().save(f"{path}/{MEMBERS}/{member.name}")


class _Reader(MLReader[EnsembleModel]):
    """Reader of the files of `_Writer`. A member's class is that of its algorithm, never one that the files name."""

    def load(self, path: str) -> EnsembleModel:
        name = f"{EnsembleModel.__module__}.{EnsembleModel.__name__}"
        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession, expectedClassName=name)
        members = [
            Member(
                m["name"],
                _load_model(algorithm_named(m["name"]), f"{path}/{MEMBERS}/{m['name']}"),
                m["weight"],
                m["rmse"],
            )
            for m in metadata["members"]
        ]
        model = EnsembleModel(metadata["method"], members)
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(cast(Any, model), metadata)
        return model


def _load_model(algorithm: Algorithm, path: str) -> Model:
    module, _, name = algorithm.model_class.rpartition(".")
    model: Model = getattr(importlib.import_module(module), name).load(path)
    return model


def _with_prediction(model: Model, rows: DataFrame, name: str) -> DataFrame:
    """Return the rows with the model's prediction, without other columns that the model adds."""
    predicted = model.transform(rows)
    return predicted.select(*rows.columns, F.col(cast(HasPredictionCol, model).getPredictionCol()).alias(name))


def _sums_of_products(rows: DataFrame, columns: Sequence[Column]) -> tuple[NDArray[np.float64], int]:
    """Return the sums of the products of all pairs of columns, shape (columns, columns), and the number of rows.

    The driver adds the partitions' sums in a fixed order, because sums of floats depend on the order.
    """
    pairs = [(i, j) for i in range(len(columns)) for j in range(i + 1)]
    sums = [F.sum(columns[i] * columns[j]).alias(f"{i}_{j}") for i, j in pairs]
    by_part = rows.groupBy(F.spark_partition_id().alias(_PART)).agg(F.count(F.lit(1)).alias("rows"), *sums)
    parts = sorted(by_part.collect(), key=lambda row: row[_PART])
    products = np.zeros((len(columns), len(columns)))
    for i, j in pairs:
        products[i, j] = products[j, i] = math.fsum(row[f"{i}_{j}"] for row in parts)
    return products, sum(row["rows"] for row in parts)


def _inverse_weights(errors: Sequence[float]) -> NDArray[np.float64]:
    """Return weights inversely proportional to the squared errors, with the sum 1.

    Members without any error share the whole weight.
    """
    squares = np.square(errors)
    weights = 1 / squares if squares.all() else (squares == 0).astype(np.float64)
    return cast(NDArray[np.float64], weights / weights.sum())


def _stacking_weights(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative weights w that minimize the squared error of the weighted sum, shape (members,).

    With errors E and target y, the sum's error is E w + (sum(w) - 1) y = [E y] (T w - d). T is the identity above a row
    of ones, and d is 0 except for a last 1. Only the products of [E y] are known. A root R with few rows has the same
    products and replaces [E y].

    Args:
        products: [E y]' [E y], shape (members + 1, members + 1).
    """
    members = len(products) - 1
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = 1.0  # a member without an error, or a target that is 0
    values, vectors = np.linalg.eigh(products / np.outer(scale, scale))
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T * scale
    weights, _ = nnls(root @ np.vstack([np.eye(members), np.ones(members)]), root[:, -1])
    return cast(NDArray[np.float64], weights)
