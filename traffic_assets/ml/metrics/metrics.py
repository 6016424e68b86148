"""The metrics of a prediction, computed on Spark in one pass.

RMSE and MAE are in the target's unit, mph for speed. R² is 1 - SS_res / SS_tot, and undefined if the target does not
vary. An undefined metric is NaN here and null in JSON; it passes no gate. MAPE is the mean of |error| /
|observed| over the rows with an observed value of at least `MAPE_FLOOR`. Relative errors near zero are meaningless
(Hyndman and Koehler 2006). Metrics of installed packages (`spec.py`) are computed in the same pass.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import metrics as messages
from traffic_assets.ml.metrics.spec import Metric
from traffic_assets.settings.plugins import METRIC_GROUP, METRIC_NAMES, select_usable

TARGET, PREDICTION = "speed", "prediction"
MAPE_FLOOR = 5.0
_ACCURACY = 10_000
SMALLEST_VARIANCE = 1e-12
"""Variance of a target that varies, as a share of its mean square. Sums of floats show a smaller one for a constant."""

UNDEFINED = "undefined"
"""Text that replaces an undefined metric in the Dagster UI and in logs."""

REASONS = {
    "r2": "the observed values do not vary",
    "mape": f"every observed value is below {MAPE_FLOOR:g}",
}
"""Reason why a built-in metric is undefined, by name."""

METRICS = METRIC_NAMES
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float whose NaN is written as null, since JSON has no NaN."""


class Metrics(BaseModel):
    """The metrics of one model on some rows.

    Attributes:
        rows: Number of evaluated rows.
        rmse: Root of the mean squared error, in the target's unit.
        mae: Mean absolute error, in the target's unit.
        mape: Mean absolute relative error, a share; NaN if every observed value is below the floor.
        r2: Explained share of the variance; NaN if the target does not vary.
        bias: Mean of predicted minus observed, in the target's unit; NaN if it was not computed.
        p95: 95th percentile of the absolute error, in the target's unit; NaN if it was not computed.
        extra: Metrics of installed packages by name; NaN if a value is undefined.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    rows: int
    rmse: Number
    mae: Number
    mape: Number
    r2: Number
    bias: Number = math.nan
    p95: Number = math.nan
    extra: dict[str, Number] = {}

    @property
    def by_name(self) -> dict[str, float]:
        """Every metric that can select a model: the built-in ones, then the others."""
        return {name: getattr(self, name) for name in METRICS} | self.extra

    @property
    def undefined(self) -> dict[str, str]:
        """The reason for each metric of `by_name` that is undefined."""
        no_value = "the metric has no value for these rows"
        return {name: REASONS.get(name, no_value) for name, value in self.by_name.items() if math.isnan(value)}


class Spread(BaseModel):
    """Mean and sample standard deviation of a metric over folds."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    mean: Number
    std: Number


def custom_metrics() -> dict[str, Metric]:
    """Return the metrics of installed packages, by name."""
    return select_usable(METRIC_GROUP)


def known_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that can select a model."""
    return (*METRICS, *custom_metrics())


def evaluate(predicted: DataFrame, target: str = TARGET, prediction: str = PREDICTION) -> Metrics:
    """Return the metrics of predictions.

    Args:
        predicted: Rows with target and prediction.
        target: Column of the observed value.
        prediction: Column of the predicted value.

    Raises:
        ValueError: If there are no rows, if a prediction or an observed value is not finite, or if a metric of an
            installed package is not an aggregate of the two columns.
    """
    y, p = F.col(target), F.col(prediction)
    error = p - y
    counted = y.isNotNull() & (F.abs(y) >= MAPE_FLOOR)
    standard = [
        F.count(F.lit(1)).alias("rows"),
        F.count_if(_is_not_finite(p)).alias("not_finite"),
        F.count_if(_is_not_finite(y)).alias("not_observed"),
        F.avg(error * error).alias("mse"),
        F.avg(F.abs(error)).alias("mae"),
        F.avg(F.when(counted, F.abs(error / y))).alias("mape"),
        F.var_pop(y).alias("variance"),
        F.avg(y * y).alias("mean_square"),
        F.avg(error).alias("bias"),
        p95_column(error).alias("p95"),
    ]
    metrics = custom_metrics()
    row = aggregate_metrics(predicted, [(metric, y, p, name) for name, metric in metrics.items()], standard).collect()[
        0
    ]
    if row["rows"] == 0:
        raise ValueError(messages.NO_ROWS())
    if row["not_finite"]:
        raise ValueError(messages.PREDICTIONS_NOT_FINITE(number=row["not_finite"], rows=row["rows"]))
    if row["not_observed"]:
        raise ValueError(messages.OBSERVATIONS_NOT_FINITE(number=row["not_observed"], rows=row["rows"], target=target))
    return Metrics(
        rows=row["rows"],
        rmse=math.sqrt(row["mse"]),
        mae=row["mae"],
        mape=math.nan if row["mape"] is None else row["mape"],
        r2=compute_r2(row["mse"], row["variance"], row["mean_square"]),
        bias=row["bias"],
        p95=row["p95"],
        extra={name: row[name] for name in metrics},
    )


def compute_r2(mse: float, variance: float, mean_square: float) -> float:
    """Return R²; NaN if the observed values do not vary.

    Args:
        mse: Mean squared error.
        variance: Variance of the observed values, without Bessel's correction.
        mean_square: Mean of the squared observed values.
    """
    return 1 - mse / variance if variance > SMALLEST_VARIANCE * mean_square else math.nan


def format_r2(value: float) -> str:
    """Return R² as text.

    >>> format_r2(0.5), format_r2(math.nan)
    ('0.50000', 'undefined')
    """
    return UNDEFINED if math.isnan(value) else f"{value:.5f}"


def p95_column(error: Column) -> Column:
    """Return the 95th percentile of the absolute error, as an aggregate; its rank is exact to one in 10,000 rows."""
    return F.percentile_approx(F.abs(error), 0.95, _ACCURACY)


def aggregate_metrics(
    predicted: DataFrame, requested: Sequence[tuple[Metric, Column, Column, str]], standard: Sequence[Column] = ()
) -> DataFrame:
    """Return one row with metrics of installed packages and other aggregates.

    Args:
        predicted: Rows with observed and predicted values.
        requested: Metric, observed column, predicted column, and name of the result.
        standard: The other aggregates.

    Raises:
        ValueError: If a metric is not an aggregate of the two columns; the message has its name and Spark's error.
    """
    columns = [_column(metric, y, p).alias(name) for metric, y, p, name in requested]
    try:
        return predicted.agg(*standard, *columns)
    except AnalysisException:
        if standard:
            predicted.agg(*standard)  # raises if no metric causes the error
        for (metric, *_), column in zip(requested, columns, strict=True):
            try:
                predicted.agg(column)
            except AnalysisException as error:
                raise _make_error(metric, error) from error
        raise


def make_sort_key(metric: str, value: float) -> float:
    """Return a sort key that puts the best value first and NaN last."""
    custom = custom_metrics().get(metric)
    more = metric == "r2" if custom is None else custom.better == "high"
    return math.inf if math.isnan(value) else -value if more else value


def compute_spread(values: Iterable[float]) -> Spread:
    """Return mean and sample standard deviation."""
    array = np.asarray(list(values), dtype=float)
    return Spread(mean=float(array.mean()), std=float(array.std(ddof=1)) if len(array) > 1 else 0.0)


def _column(metric: Metric, observed: Column, predicted: Column) -> Column:
    try:
        return metric.aggregate(observed, predicted).cast("double")
    except Exception as error:  # a package's function may raise anything
        raise _make_error(metric, error) from error


def _make_error(metric: Metric, error: Exception) -> ValueError:
    first = str(error).strip().partition("\n")[0]
    return ValueError(messages.UNUSABLE(metric=metric.name, error=type(error).__name__, reason=first))


def _is_not_finite(value: Column) -> Column:
    return value.isNull() | F.isnan(value) | (F.abs(value) == math.inf)
