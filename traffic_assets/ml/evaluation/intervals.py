"""Prediction intervals by split-conformal calibration (Vovk et al. 2005; Lei et al. 2018).

The absolute errors on rows that neither fitted nor tuned anything say how wide an interval has to be: with n of
them, the ceil((n + 1) * coverage)-th smallest. If test rows are exchangeable with those, the interval holds the
observed value with at least that probability; on later time they are not, which is why coverage is measured too.
"""

import math

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET

_EXACT_BELOW = 1_000_000
"""Rows that one task of Spark sorts; of more the rank is approximate."""

_ACCURACY = 100_000


class Interval(BaseModel):
    """Prediction plus and minus a half-width.

    Attributes:
        coverage: the share of rows that was asked for.
        half_width: in the unit of the target.
        calibration_rows: rows that it was calibrated on.
        covered: share of the test rows inside; measured, not promised.
        test_rows: rows that it was measured on.
    """

    model_config = ConfigDict(frozen=True)

    coverage: float
    half_width: float
    calibration_rows: int
    covered: float
    test_rows: int

    @property
    def width(self) -> float:
        """From the lower to the upper end."""
        return 2 * self.half_width


def fewest_rows(coverage: float) -> int:
    """Rows without which no finite interval has this coverage."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def calibrate(calibration: DataFrame, coverage: float, target: str = TARGET) -> tuple[float, int]:
    """Half-width in the unit of the target, and the rows that it was calibrated on.

    Args:
        calibration: predicted rows that the model and its hyperparameters have not seen.
        coverage: share of rows to hold, between 0 and 1.

    Raises:
        ValueError: where the rows are too few for this coverage.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage:g}; it must lie between 0 and 1")
    error = F.col(PREDICTION) - F.col(target)
    rows = calibration.count()
    if rows < (needed := fewest_rows(coverage)):
        raise ValueError(
            f"{rows} rows cannot calibrate intervals of {coverage:.0%}: {needed} are needed. Give a larger validation "
            f"share, or ask for less coverage"
        )
    if rows < _EXACT_BELOW:
        errors = calibration.select(error.alias("error"), F.lit("all").alias("rows"))
        found = calibrate_groups(errors, ["rows"], "error", coverage)
    else:
        share = min(math.ceil((rows + 1) * coverage) / rows, 1.0)
        found = calibration.agg(F.percentile_approx(F.abs(error), share, _ACCURACY).alias("half_width"))
    return float(found.collect()[0]["half_width"]), rows


def calibrate_groups(errors: DataFrame, by: list[str], error: str, coverage: float) -> DataFrame:
    """A half-width for each group of rows (Mondrian conformal prediction, Vovk et al. 2005, ch. 4.5).

    Args:
        errors: of rows that the model and its hyperparameters have not seen.
        by: columns that name the group of a row.
        error: column of predicted minus observed.
        coverage: share of a group's rows to hold, between 0 and 1.

    Returns:
        A line for each group with rows enough (`fewest_rows`): the columns `by` and `half_width`.
    """
    group = Window.partitionBy(*by)
    rows = F.count(F.lit(1)).over(group)
    rank = F.row_number().over(group.orderBy("half_width"))
    wanted = F.least(F.ceil((rows + 1) * F.lit(coverage)), rows)
    ranked = errors.select(*by, F.abs(error).alias("half_width"))
    return ranked.withColumn("is_it", (rows >= fewest_rows(coverage)) & (rank == wanted)).where("is_it").drop("is_it")


def conformal(calibration: DataFrame, test: DataFrame, coverage: float, target: str = TARGET) -> Interval:
    """An interval calibrated on some rows and measured on others.

    Args:
        calibration: predicted rows of the validation split's calibration half.
        test: predicted test rows; they only judge.
        coverage: share of rows to hold.

    Raises:
        ValueError: as `calibrate`, or without test rows.
    """
    width, rows = calibrate(calibration, coverage, target)
    error = F.abs(F.col(PREDICTION) - F.col(target))
    found = test.agg(F.count(F.lit(1)).alias("rows"), F.avg((error <= width).cast("double")).alias("inside")).collect()
    if not found[0]["rows"]:
        raise ValueError("no test rows to measure the coverage on")
    return Interval(
        coverage=coverage,
        half_width=width,
        calibration_rows=rows,
        covered=found[0]["inside"],
        test_rows=found[0]["rows"],
    )
