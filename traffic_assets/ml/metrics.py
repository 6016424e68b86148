"""The metrics of a prediction, computed on Spark in one pass.

RMSE and MAE are in the target's unit, mph for the speed. R² is 1 - SS_res / SS_tot. MAPE is the mean of |error| /
|observed| over the rows where at least `MAPE_FLOOR` was observed, since a relative error near zero says nothing
(Hyndman and Koehler 2006).
"""

import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

TARGET, PREDICTION = "speed", "prediction"
MAPE_FLOOR = 5.0
_ACCURACY = 10_000
METRICS = ("rmse", "mae", "mape", "r2")
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
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    rows: int
    rmse: Number
    mae: Number
    mape: Number
    r2: Number
    bias: Number = math.nan
    p95: Number = math.nan


class Spread(BaseModel):
    """Mean and sample standard deviation of a metric over folds."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    mean: Number
    std: Number


def evaluate(predicted: DataFrame, target: str = TARGET, prediction: str = PREDICTION) -> Metrics:
    """The metrics of a predicted DataFrame.

    Args:
        predicted: rows with target and prediction.
        target: column of the observed value.
        prediction: column of the predicted value.

    Raises:
        ValueError: without rows, or where a prediction or an observed value is not finite.
    """
    y, p = F.col(target), F.col(prediction)
    error = p - y
    counted = y.isNotNull() & (F.abs(y) >= MAPE_FLOOR)
    row = predicted.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(_not_finite(p)).alias("not_finite"),
        F.count_if(_not_finite(y)).alias("not_observed"),
        F.avg(error * error).alias("mse"),
        F.avg(F.abs(error)).alias("mae"),
        F.avg(F.when(counted, F.abs(error / y))).alias("mape"),
        F.var_pop(y).alias("variance"),
        F.avg(error).alias("bias"),
        F.percentile_approx(F.abs(error), 0.95, _ACCURACY).alias("p95"),
    ).collect()[0]
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
    )


def better_first(metric: str, value: float) -> float:
    """A number that is smaller the better: the metric, or minus R². NaN sorts last."""
    return math.inf if math.isnan(value) else -value if metric == "r2" else value


def spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation."""
    array = np.asarray(list(values), dtype=float)
    return Spread(mean=float(array.mean()), std=float(array.std(ddof=1)) if len(array) > 1 else 0.0)


def _not_finite(value: Column) -> Column:
    return value.isNull() | F.isnan(value) | (F.abs(value) == math.inf)
