"""The metrics of a prediction, computed on Spark in one pass.

RMSE and MAE are in the target's unit, mph for the speed. R² is 1 - SS_res / SS_tot. MAPE is the mean of |error| /
|observed| over the rows where at least `MAPE_FLOOR` was observed, since a relative error near zero says nothing
(Hyndman and Koehler 2006). Metrics of installed packages (`metric_spec.py`) are computed in the same pass.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.metrics.spec import Metric
from traffic_assets.settings.plugins import METRIC_GROUP, METRIC_NAMES, usable

TARGET, PREDICTION = "speed", "prediction"
MAPE_FLOOR = 5.0
_ACCURACY = 10_000
METRICS = METRIC_NAMES
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float whose NaN is written as null, since JSON has no NaN."""


class Metrics(BaseModel):
    """The metrics of one model on some rows.

    Attributes:
        rows: number of rows judged.
        rmse: root of the mean squared error, in the unit of the target, as are the others.
        mae: mean absolute error.
        mape: mean absolute relative error, a share; NaN where every observed value lies under the floor.
        r2: share of the variance explained; NaN where the target does not vary.
        bias: mean of predicted minus observed; NaN where it was not computed.
        p95: 95th percentile of the absolute error; NaN where it was not computed.
        extra: metrics of installed packages by name; NaN where a value cannot be told.
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
        """Every metric that can choose a model: the built-in ones, then the others."""
        return {name: getattr(self, name) for name in METRICS} | self.extra


class Spread(BaseModel):
    """Mean and sample standard deviation of a metric over folds."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    mean: Number
    std: Number


def custom_metrics() -> dict[str, Metric]:
    """The metrics of installed packages, by name."""
    return usable(METRIC_GROUP)


def known_metrics() -> tuple[str, ...]:
    """Names of the metrics that can choose a model."""
    return (*METRICS, *custom_metrics())


def evaluate(predicted: DataFrame, target: str = TARGET, prediction: str = PREDICTION) -> Metrics:
    """The metrics of a predicted DataFrame.

    Args:
        predicted: rows with target and prediction.
        target: column of the observed value.
        prediction: column of the predicted value.

    Raises:
        ValueError: without rows, where a prediction or an observed value is not finite, or where a metric of an
            installed package is no aggregate of the two.
    """
    y, p = F.col(target), F.col(prediction)
    error = p - y
    counted = y.isNotNull() & (F.abs(y) >= MAPE_FLOOR)
    standard = [
        F.count(F.lit(1)).alias("rows"),
        F.count_if(_not_finite(p)).alias("not_finite"),
        F.count_if(_not_finite(y)).alias("not_observed"),
        F.avg(error * error).alias("mse"),
        F.avg(F.abs(error)).alias("mae"),
        F.avg(F.when(counted, F.abs(error / y))).alias("mape"),
        F.var_pop(y).alias("variance"),
        F.avg(error).alias("bias"),
        p95_column(error).alias("p95"),
    ]
    metrics = custom_metrics()
    row = aggregate_metrics(predicted, [(metric, y, p, name) for name, metric in metrics.items()], standard).collect()[
        0
    ]
    if row["rows"] == 0:
        raise ValueError("no rows to evaluate: the split is empty")
    if row["not_finite"]:
        raise ValueError(f"{row['not_finite']} of {row['rows']} predictions are not finite numbers")
    if row["not_observed"]:
        raise ValueError(f"{row['not_observed']} of {row['rows']} observed values of {target} are not finite numbers")
    return Metrics(
        rows=row["rows"],
        rmse=math.sqrt(row["mse"]),
        mae=row["mae"],
        mape=math.nan if row["mape"] is None else row["mape"],
        r2=1 - row["mse"] / row["variance"] if row["variance"] else math.nan,
        bias=row["bias"],
        p95=row["p95"],
        extra={name: row[name] for name in metrics},
    )


def p95_column(error: Column) -> Column:
    """The 95th percentile of the absolute error, as an aggregate; its rank is off by one in 10,000 rows at most."""
    return F.percentile_approx(F.abs(error), 0.95, _ACCURACY)


def aggregate_metrics(
    predicted: DataFrame, asked: Sequence[tuple[Metric, Column, Column, str]], standard: Sequence[Column] = ()
) -> DataFrame:
    """One row with metrics of installed packages, beside other aggregates.

    Args:
        predicted: rows that hold what was observed and predicted.
        asked: metric, observed column, predicted column, and the name of the result.
        standard: the other aggregates.

    Raises:
        ValueError: naming the metric that is no aggregate of the two columns, with what Spark says of it.
    """
    columns = [_column(metric, y, p).alias(name) for metric, y, p, name in asked]
    try:
        return predicted.agg(*standard, *columns)
    except AnalysisException:
        if standard:
            predicted.agg(*standard)  # raises where no metric is to blame
        for (metric, *_), column in zip(asked, columns, strict=True):
            try:
                predicted.agg(column)
            except AnalysisException as error:
                raise _unusable(metric, error) from error
        raise


def better_first(metric: str, value: float) -> float:
    """A number that is smaller the better: the metric, or minus it where more is better. NaN sorts last."""
    custom = custom_metrics().get(metric)
    more = metric == "r2" if custom is None else custom.better == "high"
    return math.inf if math.isnan(value) else -value if more else value


def spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation."""
    array = np.asarray(list(values), dtype=float)
    return Spread(mean=float(array.mean()), std=float(array.std(ddof=1)) if len(array) > 1 else 0.0)


def _column(metric: Metric, observed: Column, predicted: Column) -> Column:
    try:
        return metric.aggregate(observed, predicted).cast("double")
    except Exception as error:  # whatever somebody's function raises
        raise _unusable(metric, error) from error


def _unusable(metric: Metric, error: Exception) -> ValueError:
    first = str(error).strip().partition("\n")[0]
    return ValueError(
        f"the metric {metric.name} of an installed package cannot be computed: {type(error).__name__}: {first}; mend "
        f"it, or uninstall that package (`traffic-assets plugins` names it)"
    )


def _not_finite(value: Column) -> Column:
    return value.isNull() | F.isnan(value) | (F.abs(value) == math.inf)
