"""Diagnostics of a model: errors by slice, prediction interval, confidence intervals and residuals.

The parts are computed in `slices.py`, `intervals.py`, `bootstrap.py` and `residuals.py`; the metrics are in
`scores.py`.
"""

from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.evaluation.bootstrap import Confidence, TooFewBlocksError, estimate_confidence
from traffic_assets.ml.evaluation.intervals import Interval, calibrate_interval
from traffic_assets.ml.evaluation.residuals import Residuals, summarize_residuals
from traffic_assets.ml.evaluation.slices import Slice, slice_columns, slice_errors
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets.settings.evaluation import DiagnosticsSettings

_SLICED_BY = ("highway_encoded", "congestion_level")


class Diagnostics(BaseModel):
    """Diagnostics of a model's errors on the test rows.

    Attributes:
        slices: Errors by slice; the worst slice of each dimension first.
        interval: Prediction interval; None if it is turned off or cannot be computed.
        confidence: Confidence intervals of the metrics; None if they are turned off or cannot be computed.
        residuals: Distribution and course over time of the residuals; None if they are turned off.
        notes: Reasons for missing parts.
    """

    model_config = ConfigDict(frozen=True)

    slices: list[Slice]
    interval: Interval | None
    confidence: Confidence | None
    residuals: Residuals | None = None
    notes: list[str]


def predicted_rows(pipeline: PipelineModel, rows: DataFrame, target: str = TARGET) -> DataFrame:
    """Return the rows with their predictions, and only the columns that diagnostics need.

    Args:
        pipeline: Model as loaded from storage.
        rows: Feature rows with the observed target.
        target: Name of the predicted variable.
    """
    columns = [*KEYS, target, PREDICTION, *(c for c in _SLICED_BY if c in rows.columns)]
    return pipeline.transform(rows).select(*columns)


def diagnose(
    pipeline: PipelineModel,
    predicted: DataFrame,
    validation: DataFrame,
    zone: ZoneInfo,
    seed: int,
    parts: DiagnosticsSettings,
    target: str = TARGET,
) -> Diagnostics:
    """Compute the diagnostics of a model; test rows are only evaluated, never fitted on.

    Args:
        pipeline: Model as loaded from storage.
        predicted: Test split with its predictions (`predicted_rows`); read often, so keep it cached.
        validation: Validation split; half of it calibrates the interval.
        zone: Time zone of the network.
        seed: Seed for the halves and the bootstrap.
        parts: Parts to compute.
        target: Name of the predicted variable.
    """
    notes: list[str] = []
    interval = calibration = None
    if parts.interval_coverage is not None:
        calibration = predicted_rows(pipeline, validation.where(calibration_half(seed)), target)
        try:
            interval = calibrate_interval(calibration, predicted, parts.interval_coverage, target)
        except ValueError as error:
            notes.append(f"No prediction interval: {error}")
    confidence = None
    if parts.confidence_level is not None:
        try:
            confidence = estimate_confidence(predicted, zone, seed, parts.confidence_level, target)
        except TooFewBlocksError as error:
            notes.append(f"No confidence interval: {error}")
    slices = []
    if parts.slices:
        slices = slice_errors(predicted, slice_columns(predicted, zone), interval, calibration, target=target)
    residuals = summarize_residuals(predicted, zone, target) if parts.residuals else None
    return Diagnostics(slices=slices, interval=interval, confidence=confidence, residuals=residuals, notes=notes)
