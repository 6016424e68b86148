"""Prediction intervals by split-conformal calibration (Vovk et al. 2005; Lei et al. 2018).

The half-width is a quantile of the absolute errors on n rows that were used neither to fit nor to tune. It is the
ceil((n + 1) * coverage)-th smallest of them. If test rows are exchangeable with those rows, the interval contains the
observed value with at least that probability. Later rows are not exchangeable, so the coverage is measured too.
"""

import math

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from traffic_assets.messages import evaluation as messages
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET

_EXACT_BELOW = 1_000_000
"""Number of rows below which one Spark task sorts them; otherwise the rank is approximate."""

_ACCURACY = 100_000


class Interval(BaseModel):
    """Prediction plus and minus a half-width.

    Attributes:
        coverage: Configured share of rows inside the interval.
        half_width: Half-width in the unit of the target.
        calibration_rows: Number of rows that calibrated it.
        covered: Measured share of the test rows inside the interval.
        test_rows: Number of test rows.
    """

    model_config = ConfigDict(frozen=True)

    coverage: float
    half_width: float
    calibration_rows: int
    covered: float
    test_rows: int

    @property
    def width(self) -> float:
        """Distance between the lower and the upper end, in the unit of the target."""
        return 2 * self.half_width


def fewest_rows(coverage: float) -> int:
    """Return the minimum number of rows for a finite interval of this coverage.

    >>> fewest_rows(0.9)
    9
    """
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def calibrate_half_width(calibration: DataFrame, coverage: float, target: str = TARGET) -> tuple[float, int]:
    """Return the half-width in the unit of the target, and the number of rows that calibrated it.

    Args:
        calibration: Predicted rows that were used neither to fit nor to tune.
        coverage: Share of rows to contain, between 0 and 1.
        target: Name of the predicted variable.

    Raises:
        ValueError: If the coverage is invalid, or the rows are too few for it.
    """
    if not 0 < coverage < 1:
        raise ValueError(messages.INVALID_COVERAGE(coverage=coverage))
    error = F.col(PREDICTION) - F.col(target)
    rows = calibration.count()
    if rows < (needed := fewest_rows(coverage)):
        raise ValueError(messages.TOO_FEW_CALIBRATION_ROWS(rows=rows, coverage=coverage, needed=needed))
    if rows < _EXACT_BELOW:
        errors = calibration.select(error.alias("error"), F.lit("all").alias("rows"))
        calibrated = calibrate_groups(errors, ["rows"], "error", coverage)
    else:
        share = min(math.ceil((rows + 1) * coverage) / rows, 1.0)
        calibrated = calibration.agg(F.percentile_approx(F.abs(error), share, _ACCURACY).alias("half_width"))
    return float(calibrated.collect()[0]["half_width"]), rows


def calibrate_groups(errors: DataFrame, by: list[str], error: str, coverage: float) -> DataFrame:
    """Calibrate a half-width for each group of rows (Mondrian conformal prediction, Vovk et al. 2005, ch. 4.5).

    Args:
        errors: Errors of rows that were used neither to fit nor to tune.
        by: Columns that identify the group of a row.
        error: Column of predicted minus observed.
        coverage: Share of a group's rows to contain, between 0 and 1.

    Returns:
        One row per group with enough rows (`fewest_rows`): the columns `by` and `half_width`.
    """
    group = Window.partitionBy(*by)
    rows = F.count(F.lit(1)).over(group)
    rank = F.row_number().over(group.orderBy("half_width"))
    wanted = F.least(F.ceil((rows + 1) * F.lit(coverage)), rows)
    ranked = errors.select(*by, F.abs(error).alias("half_width"))
    return ranked.withColumn("is_it", (rows >= fewest_rows(coverage)) & (rank == wanted)).where("is_it").drop("is_it")


def calibrate_interval(calibration: DataFrame, test: DataFrame, coverage: float, target: str = TARGET) -> Interval:
    """Calibrate an interval on some rows, and measure its coverage on others.

    Args:
        calibration: Predicted rows of the validation split's calibration half.
        test: Predicted test rows, only to measure the coverage.
        coverage: Share of rows to contain.
        target: Name of the predicted variable.

    Raises:
        ValueError: If the coverage is invalid, the rows are too few for it, or there are no test rows.
    """
    half_width, rows = calibrate_half_width(calibration, coverage, target)
    error = F.abs(F.col(PREDICTION) - F.col(target))
    inside = F.avg((error <= half_width).cast("double"))
    measured = test.agg(F.count(F.lit(1)).alias("rows"), inside.alias("inside")).collect()[0]
    if not measured["rows"]:
        raise ValueError(messages.NO_TEST_ROWS())
    return Interval(
        coverage=coverage,
        half_width=half_width,
        calibration_rows=rows,
        covered=measured["inside"],
        test_rows=measured["rows"],
    )
