"""Outliers: which values lie too far out among the train rows, and how many do. What is done with them is in
`preprocessing.py`.
"""

from collections.abc import Mapping
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Bounds = dict[str, tuple[float, float]]
"""By column, the least and the greatest value that is no outlier."""

_ACCURACY = 10_000


def fit_bounds(rows: DataFrame, columns: list[str], method: Literal["none", "iqr", "z_score"], factor: float) -> Bounds:
    """The bounds of some columns. One pass.

    A column whose bounds would be one value (its quartiles, or all its values, are equal) has none.

    Args:
        rows: train rows; null and NaN are no values.
        columns: numbers.
        method: quartiles (Tukey 1977), or mean and deviation.
        factor: how far a bound lies from the quartile, in interquartile ranges, or from the mean, in deviations.
    """
    if method == "none" or not columns:
        return {}
    finite = {name: F.when(~F.isnan(name), F.col(name)) for name in columns}
    bounds: Bounds
    if method == "iqr":
        ends = [F.percentile_approx(column, [0.25, 0.75], _ACCURACY).alias(name) for name, column in finite.items()]
        found = rows.agg(*ends).collect()[0]
        bounds = {n: (q[0] - factor * (q[1] - q[0]), q[1] + factor * (q[1] - q[0])) for n in columns if (q := found[n])}
    else:
        moments = [F.struct(F.avg(c).alias("m"), F.stddev_pop(c).alias("s")).alias(n) for n, c in finite.items()]
        found = rows.agg(*moments).collect()[0]
        known = {n: (found[n]["m"], found[n]["s"]) for n in columns if found[n]["m"] is not None}
        bounds = {n: (mean - factor * deviation, mean + factor * deviation) for n, (mean, deviation) in known.items()}
    return {name: (low, high) for name, (low, high) in bounds.items() if low < high}


def counts_outside(rows: DataFrame, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """By column, how many rows lie outside the bounds; only columns with any."""
    if not bounds:
        return {}
    outside = {n: (F.col(n) < low) | ((F.col(n) > high) & ~F.isnan(n)) for n, (low, high) in bounds.items()}
    counts = rows.agg(*(F.count_if(condition).alias(n) for n, condition in outside.items())).collect()[0]
    return {name: counts[name] for name in bounds if counts[name]}


def clip_sql(column: str, low: float, high: float) -> str:
    """SQL of a value pulled back to its bounds; null and NaN stay."""
    return (  # greatest() would skip a null
        f"CASE WHEN `{column}` IS NULL OR isnan(`{column}`) THEN `{column}` "
        f"ELSE least(greatest(`{column}`, {low!r}D), {high!r}D) END"
    )


def inside_sql(column: str, low: float, high: float) -> str:
    """SQL of whether a value is no outlier; null and NaN are none."""
    return f"(`{column}` IS NULL OR isnan(`{column}`) OR `{column}` BETWEEN {low!r}D AND {high!r}D)"
