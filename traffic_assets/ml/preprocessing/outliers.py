"""Outliers of the train rows: their bounds, and how many values are outside. `pipeline.py` clips or drops them."""

from collections.abc import Mapping
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Bounds = dict[str, tuple[float, float]]
"""The smallest and the largest value that is not an outlier, by column."""

_ACCURACY = 10_000


def fit_bounds(rows: DataFrame, columns: list[str], method: Literal["none", "iqr", "z_score"], factor: float) -> Bounds:
    """Fit the bounds of columns, in one pass.

    A column has no bounds if they would be equal, because its quartiles or all its values are equal.

    Args:
        rows: Train rows; null and NaN are ignored.
        columns: Numeric columns.
        method: Quartiles (iqr, Tukey 1977), or mean and standard deviation (z_score).
        factor: Distance of a bound from the quartile, in interquartile ranges, or from the mean, in standard
            deviations.
    """
    if method == "none" or not columns:
        return {}
    finite = {name: F.when(~F.isnan(name), F.col(name)) for name in columns}
    bounds: Bounds
    if method == "iqr":
        ends = [F.percentile_approx(column, [0.25, 0.75], _ACCURACY).alias(name) for name, column in finite.items()]
        quartiles = rows.agg(*ends).collect()[0]
        bounds = {
            n: (q[0] - factor * (q[1] - q[0]), q[1] + factor * (q[1] - q[0])) for n in columns if (q := quartiles[n])
        }
    else:
        moments = [F.struct(F.avg(c).alias("m"), F.stddev_pop(c).alias("s")).alias(n) for n, c in finite.items()]
        row = rows.agg(*moments).collect()[0]
        fitted = {n: (row[n]["m"], row[n]["s"]) for n in columns if row[n]["m"] is not None}
        bounds = {n: (mean - factor * deviation, mean + factor * deviation) for n, (mean, deviation) in fitted.items()}
    return {name: (low, high) for name, (low, high) in bounds.items() if low < high}


def counts_outside(rows: DataFrame, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """Return the number of rows outside the bounds, by column; columns without any are left out."""
    if not bounds:
        return {}
    outside = {n: (F.col(n) < low) | ((F.col(n) > high) & ~F.isnan(n)) for n, (low, high) in bounds.items()}
    counts = rows.agg(*(F.count_if(condition).alias(n) for n, condition in outside.items())).collect()[0]
    return {name: counts[name] for name in bounds if counts[name]}


def clip_sql(column: str, low: float, high: float) -> str:
    """Return SQL that replaces a value outside its bounds by the nearest bound; null and NaN are kept."""
    return (  # without the CASE, greatest() would skip a null
        f"CASE WHEN `{column}` IS NULL OR isnan(`{column}`) THEN `{column}` "
        f"ELSE least(greatest(`{column}`, {low!r}D), {high!r}D) END"
    )


def inside_sql(column: str, low: float, high: float) -> str:
    """Return SQL that is true if a value is not an outlier; null and NaN are not outliers."""
    return f"(`{column}` IS NULL OR isnan(`{column}`) OR `{column}` BETWEEN {low!r}D AND {high!r}D)"
