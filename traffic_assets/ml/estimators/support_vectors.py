"""Support vector regression: fitted by scikit-learn on a bounded sample of the rows, scored by Spark's workers.

    f(x) = sum over the support vectors s of a_s K(x, s), plus b

    linear   K = x.s                  rbf   K = exp(-gamma |x - s|²)        poly   K = (gamma x.s + coef0)^degree

The fit uses the target with mean 0 and standard deviation 1; the coefficients are then converted to the target's unit.
A linear sum is stored as one weight vector. A stored model consists of numbers only, as Parquet and JSON by Spark.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import vector_to_array
from pyspark.ml.param.shared import HasSeed
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.estimators.params import Columns, float_param, int_param, text_param
from traffic_assets.ml.estimators.rows import require_rows, rows_in_order

DATA = "data"
SHUFFLED_ROWS = 200
"""Rows of the sample on which slots are shuffled for the importances."""

Score = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Expansion:
    """A fitted function: a sum of kernels.

    Attributes:
        kernel: Kernel: linear, rbf or poly.
        gamma: Parameter of rbf and poly.
        coef0: Parameter of poly.
        degree: Degree of poly.
        vectors: Support vectors, or the one weight vector of a linear sum, shape (vectors, slots).
        coefficients: Coefficients of the vectors, in the target's unit, shape (vectors,).
        intercept: Intercept in the target's unit.
        importances: Increase in RMSE on rows of the sample when a slot is shuffled, shape (slots,).
        support_vectors: Number of rows of the sample with a non-zero coefficient.
        sample_rows: Number of fitted rows.
        train_rows: Number of rows that the sample was drawn from.
        target_deviation: Standard deviation of the target in the sample, which is the unit of epsilon.
    """

    kernel: str
    gamma: float
    coef0: float
    degree: int
    vectors: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float
    importances: NDArray[np.float64]
    support_vectors: int
    sample_rows: int
    train_rows: int
    target_deviation: float

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the function's values for rows of shape (rows, slots)."""
        score = scorer(self.kernel, self.gamma, self.coef0, self.degree)
        return score(rows, self.vectors, self.coefficients) + self.intercept


def scorer(kernel: str, gamma: float, coef0: float, degree: int) -> Score:
    """Return a function that sums the kernels of rows, shape (rows, slots), with vectors and coefficients.

    The function is local, so that Spark sends its code to the workers. They need numpy, but neither scikit-learn nor
    this package.
    """
    elements = 4_000_000  # of the part of the kernel matrix in memory: 32 MB

    def matrix(rows: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        products = rows @ vectors.T
        if kernel == "linear":
            return products
        if kernel == "poly":
            return (gamma * products + coef0) ** degree
        squares = (rows**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1)[None, :] - 2 * products
        return np.exp(-gamma * np.maximum(squares, 0))

    def score(
        rows: NDArray[np.float64], vectors: NDArray[np.float64], coefficients: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        step = max(1, elements // max(len(vectors), 1))
        parts = [matrix(rows[i : i + step], vectors) @ coefficients for i in range(0, len(rows), step)]
        return np.concatenate(parts) if parts else np.zeros(0)

    return score


class SupportVectorRegression(Estimator["SupportVectorRegressionModel"], Columns, HasSeed):
    """Estimator that fits scikit-learn's SVR on at most `max_rows` rows, drawn by a hash of `rowCol` and the seed.

    The params have the names of `SVRHyperparameters`.
    """

    rowCol = text_param("rowCol", "column with an integer that identifies a row")
    kernel = text_param("kernel", "linear, rbf or poly")
    C = float_param("C", "regularization parameter: weight of errors relative to flatness")
    epsilon = float_param("epsilon", "errors up to this are ignored, in standard deviations of the target")
    gamma = text_param("gamma", "scale, auto or a number")
    degree = int_param("degree", "degree of poly")
    coef0 = float_param("coef0", "constant term of poly")
    max_rows = int_param("max_rows", "maximum number of rows of the sample")

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._set(**params)

    def _fit(self, dataset: DataFrame) -> "SupportVectorRegressionModel":
        of = self.getOrDefault
        x, y, train_rows = self._sample(dataset)
        model = SupportVectorRegressionModel(
            _fit_expansion(
                x,
                y,
                kernel=of(self.kernel),
                cost=of(self.C),
                epsilon=of(self.epsilon),
                gamma=_gamma(of(self.gamma), x),
                degree=of(self.degree),
                coef0=of(self.coef0),
                seed=of(self.seed),
                train_rows=train_rows,
            )
        )
        model._set(
            featuresCol=self.getFeaturesCol(), labelCol=self.getLabelCol(), predictionCol=self.getPredictionCol()
        )
        return model

    def _sample(self, dataset: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Return vectors, targets and the number of all rows; the sample does not depend on the rows' partitions."""
        of = self.getOrDefault
        require_rows(dataset, of(self.rowCol))
        train_rows = dataset.count()
        if train_rows == 0:
            raise ValueError(messages.NO_ROWS())
        sample = rows_in_order(dataset, of(self.rowCol), of(self.seed), "sample").limit(of(self.max_rows))
        vector, target = F.col(self.getFeaturesCol()), F.col(self.getLabelCol()).cast("double")
        table = sample.select(vector_to_array(vector).alias("x"), target.alias("y")).toArrow()
        y = table["y"].to_numpy()
        x = table["x"].combine_chunks().flatten().to_numpy().reshape(len(y), -1)
        return x, y, train_rows


class SupportVectorRegressionModel(Model, Columns, MLWritable, MLReadable["SupportVectorRegressionModel"]):
    """A fitted support vector regression.

    Args:
        expansion: Fitted function; None if Spark creates the model, before the reader sets it.
    """

    def __init__(self, expansion: Expansion | None = None) -> None:
        super().__init__()
        self._expansion = expansion
        self._sent: tuple[object, Broadcast[tuple[NDArray[np.float64], NDArray[np.float64]]]] | None = None

    @property
    def expansion(self) -> Expansion:
        """The fitted function."""
        assert self._expansion is not None
        return self._expansion

    def _transform(self, dataset: DataFrame) -> DataFrame:
        fitted, sent = self.expansion, self._broadcast(dataset.sparkSession)
        score, intercept = scorer(fitted.kernel, fitted.gamma, fitted.coef0, fitted.degree), fitted.intercept

        def predict_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
            vectors, coefficients = sent.value
            for batch in batches:
                rows = np.stack(batch.to_numpy()) if len(batch) else np.empty((0, vectors.shape[1]))
                yield pd.Series(score(rows, vectors, coefficients) + intercept)

        udf = F.pandas_udf(predict_batches, "double")  # type: ignore[call-overload]
        return dataset.withColumn(self.getPredictionCol(), udf(vector_to_array(F.col(self.getFeaturesCol()))))

    def _broadcast(self, spark: SparkSession) -> Broadcast[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return the arrays on the workers, sent once per Spark context."""
        if self._sent is None or self._sent[0] is not spark.sparkContext:
            arrays = (self.expansion.vectors, self.expansion.coefficients)
            self._sent = spark.sparkContext, spark.sparkContext.broadcast(arrays)
        return self._sent[1]

    def write(self) -> "_Writer":
        """Return the writer that saves the model."""
        return _Writer(self)

    @classmethod
    def read(cls) -> "_Reader":
        """Return the reader that loads a saved model."""
        return _Reader()


_NUMBERS = (
    "kernel",
    "gamma",
    "coef0",
    "degree",
    "intercept",
    "support_vectors",
    "sample_rows",
    "train_rows",
    "target_deviation",
)


class _Writer(MLWriter):
    """Writer of the metadata with the numbers in Spark's format, and of the vectors as Parquet with one row each."""

    def __init__(self, model: SupportVectorRegressionModel) -> None:
        super().__init__()
        self._model = model

    def saveImpl(self, path: str) -> None:
        fitted = self._model.expansion
        numbers: dict[str, Any] = {name: getattr(fitted, name) for name in _NUMBERS}
        extra = {"expansion": numbers | {"importances": fitted.importances.tolist()}}
        DefaultParamsWriter.saveMetadata(self._model, path, self.sparkSession, extraMetadata=extra)
        count, slots = fitted.vectors.shape
        vectors = pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int32) * slots), pa.array(fitted.vectors.ravel())
        )
        table = pa.table({"number": np.arange(count), "coefficient": fitted.coefficients, "vector": vectors})
        self.sparkSession.createDataFrame(table).coalesce(1).write.parquet(f"{path}/{DATA}")


class _Reader(MLReader[SupportVectorRegressionModel]):
    """Reader of the files of `_Writer`."""

    def load(self, path: str) -> SupportVectorRegressionModel:
        kind = SupportVectorRegressionModel
        name = f"{kind.__module__}.{kind.__name__}"
        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession, expectedClassName=name)
        numbers = metadata["expansion"]
        table = self.sparkSession.read.parquet(f"{path}/{DATA}").orderBy("number").toArrow()
        coefficients = table["coefficient"].to_numpy()
        importances = np.array(numbers.pop("importances"), dtype=np.float64)
        model = kind(
            Expansion(
                vectors=table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, len(importances)),
                coefficients=coefficients,
                importances=importances,
                **numbers,
            )
        )
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(cast(Any, model), metadata)
        return model


def _gamma(setting: str, x: NDArray[np.float64]) -> float:
    """Return gamma for a number, or for scale and auto as scikit-learn defines them."""
    if setting == "auto":
        return 1 / x.shape[1]
    if setting == "scale":
        variance = float(x.var())
        return 1 / (x.shape[1] * variance) if variance else 1.0
    return float(setting)


def _fit_expansion(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    kernel: str,
    cost: float,
    epsilon: float,
    gamma: float,
    degree: int,
    coef0: float,
    seed: int,
    train_rows: int,
) -> Expansion:
    from sklearn.svm import SVR

    mean, deviation = float(y.mean()), float(y.std()) or 1.0
    svr = SVR(kernel=kernel, C=cost, epsilon=epsilon, gamma=gamma, degree=degree, coef0=coef0, cache_size=500)
    svr.fit(x, (y - mean) / deviation)
    vectors, coefficients = svr.support_vectors_, svr.dual_coef_[0] * deviation
    if kernel == "linear":
        vectors, coefficients = (coefficients @ vectors)[None, :], np.ones(1)
    fitted = Expansion(
        kernel=kernel,
        gamma=gamma,
        coef0=coef0,
        degree=degree,
        vectors=np.ascontiguousarray(vectors, dtype=np.float64),
        coefficients=coefficients,
        intercept=float(svr.intercept_[0]) * deviation + mean,
        importances=np.zeros(x.shape[1]),
        support_vectors=len(svr.support_),
        sample_rows=len(y),
        train_rows=train_rows,
        target_deviation=deviation,
    )
    return replace(fitted, importances=_permutation_importances(fitted, x, y, seed))


def _permutation_importances(
    fitted: Expansion, x: NDArray[np.float64], y: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Return the increase in RMSE when a slot is shuffled (Breiman 2001), at least 0, shape (slots,)."""
    x, y = x[:SHUFFLED_ROWS], y[:SHUFFLED_ROWS]
    draw = np.random.default_rng(seed)

    def rmse(rows: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.mean((fitted.predict(rows) - y) ** 2)))

    least, importances = rmse(x), np.zeros(x.shape[1])
    for slot in range(x.shape[1]):
        shuffled = x.copy()
        shuffled[:, slot] = draw.permutation(x[:, slot])
        importances[slot] = max(0.0, rmse(shuffled) - least)
    return importances
