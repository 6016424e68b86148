"""What stands beside a model's metrics: where it fails, how sure its predictions are, how sure its metrics are.

Put together here from `slices.py`, `intervals.py`, `bootstrap.py` and `residuals.py`; the metrics themselves are in
`evaluation.py`.
"""

from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.evaluation.bootstrap import Confidence, TooFewBlocksError, confidence
from traffic_assets.ml.evaluation.intervals import Interval, conformal
from traffic_assets.ml.evaluation.residuals import Residuals, summarize_residuals
from traffic_assets.ml.evaluation.slices import Slice, dimensions, slice_errors
from traffic_assets.ml.metrics.metrics import PREDICTION, TARGET
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets.settings.evaluation import DiagnosticsSettings

_SLICED_BY = ("highway_encoded", "congestion_level")


class Diagnostics(BaseModel):
    """What is known of a model's errors on the test rows.

    Attributes:
        slices: by dimension, the worst first.
        interval: the prediction interval; None where none was asked for or could be made.
        confidence: confidence intervals of the metrics; None as above.
        residuals: their distribution and their course in time; None where they were not asked for.
        notes: why something is missing.
    """

    model_config = ConfigDict(frozen=True)

    slices: list[Slice]
    interval: Interval | None
    confidence: Confidence | None
    residuals: Residuals | None = None
    notes: list[str]


def predicted_rows(pipeline: PipelineModel, rows: DataFrame, target: str = TARGET) -> DataFrame:
    """The rows with their predictions, and of their columns only what errors are looked at by.

    Args:
        pipeline: the model as loaded from storage.
        rows: feature rows with the observed target.
        target: what the model predicts.
    """
    columns = [*KEYS, target, PREDICTION, *(c for c in _SLICED_BY if c in rows.columns)]
    return pipeline.transform(rows).select(*columns)


def diagnose(
    pipeline: PipelineModel,
    predicted: DataFrame,
    validation: DataFrame,
    zone: ZoneInfo,
    seed: int,
    wanted: DiagnosticsSettings,
    target: str = TARGET,
) -> Diagnostics:
    """Look into a model's errors; test rows only judge.

    Args:
        pipeline: the model as loaded from storage.
        predicted: the test split with its predictions (`predicted_rows`); read often, so keep it cached.
        validation: the validation split; one half of it calibrates the interval.
        zone: of the network.
        seed: of the halves and of the bootstrap.
        wanted: what to make.
        target: what the model predicts.
    """
    notes: list[str] = []
    interval = calibration = None
    if wanted.interval_coverage is not None:
        calibration = predicted_rows(pipeline, validation.where(calibration_half(seed)), target)
        try:
            interval = conformal(calibration, predicted, wanted.interval_coverage, target)
        except ValueError as error:
            notes.append(f"no prediction interval: {error}")
    sure = None
    if wanted.confidence_level is not None:
        try:
            sure = confidence(predicted, zone, seed, wanted.confidence_level, target)
        except TooFewBlocksError as error:
            notes.append(f"no confidence interval: {error}")
    slices = []
    if wanted.slices:
        slices = slice_errors(predicted, dimensions(predicted, zone), interval, calibration, target=target)
    residuals = summarize_residuals(predicted, zone, target) if wanted.residuals else None
    return Diagnostics(slices=slices, interval=interval, confidence=sure, residuals=residuals, notes=notes)
