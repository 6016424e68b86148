"""Diagnostics of a model: the rows that they use, and the parts that are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.evaluation.diagnostics import Diagnostics, diagnose, predicted_rows
from traffic_assets.ml.evaluation.intervals import calibrate_half_width
from traffic_assets.ml.fitting.pipeline import fit_pipeline
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets.settings.evaluation import DiagnosticsSettings
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

ZONE = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def pipeline(feature_rows: DataFrame, features: FeatureSet) -> PipelineModel:
    train = feature_rows.where("sensor_id < 's4'")
    plain = LinearRegressionHyperparameters(regParam=0.5)
    return fit_pipeline(train, features, algorithm_named("linear_regression"), plain, 42)


def test_all_parts_come_from_the_model_and_the_right_rows(pipeline: PipelineModel, feature_rows: DataFrame) -> None:
    validation, test = feature_rows.where("sensor_id in ('s4', 's5')"), feature_rows.where("sensor_id > 's5'")
    diagnostics = diagnose(pipeline, predicted_rows(pipeline, test), validation, ZONE, 42, DiagnosticsSettings())
    assert diagnostics.interval is not None
    width, rows = calibrate_half_width(pipeline.transform(validation.where(calibration_half(42))), 0.9)
    assert (diagnostics.interval.half_width, diagnostics.interval.calibration_rows) == (width, rows)
    assert rows < validation.count(), "the other half calibrates nothing"
    assert diagnostics.interval.test_rows == test.count()
    assert diagnostics.confidence is not None
    assert diagnostics.confidence.block == "hour", "the window is too short for days"
    assert {s.dimension for s in diagnostics.slices} == {
        "hour", "weekday", "sensor", "highway", "congestion level", "regime",
    }  # fmt: skip
    assert {s.value for s in diagnostics.slices if s.dimension == "sensor"} == {"s6", "s7"}
    assert all(s.covered is not None for s in diagnostics.slices)
    calibrating = pipeline.transform(validation.where(calibration_half(42)))
    free_flow = next(s for s in diagnostics.slices if s.value == "free flow")
    assert free_flow.own_half_width == calibrate_half_width(calibrating.where("congestion_level = 0"), 0.9)[0]
    assert all(s.own_half_width is None for s in diagnostics.slices if s.dimension == "sensor"), (
        "no sensor is in both splits"
    )
    assert diagnostics.residuals is not None
    assert (
        diagnostics.residuals.distribution.rows
        == sum(hour.rows for hour in diagnostics.residuals.hours)
        == test.count()
    )
    assert diagnostics.notes == []
    assert Diagnostics.model_validate_json(diagnostics.model_dump_json()) == diagnostics


def test_parts_that_cannot_be_computed_are_noted_and_others_only_computed_if_configured(
    pipeline: PipelineModel, feature_rows: DataFrame
) -> None:
    few = feature_rows.where("sensor_id = 's4'").orderBy("timestamp").limit(6)
    predicted = predicted_rows(pipeline, few)
    diagnostics = diagnose(pipeline, predicted, few, ZONE, 42, DiagnosticsSettings(slices=False, residuals=False))
    assert (diagnostics.slices, diagnostics.interval, diagnostics.confidence, diagnostics.residuals) == (
        [],
        None,
        None,
        None,
    )
    assert len(diagnostics.notes) == 2
    assert "to calibrate" in diagnostics.notes[0]
    assert "too few hours" in diagnostics.notes[1]
    nothing = DiagnosticsSettings(slices=False, interval_coverage=None, confidence_level=None, residuals=False)
    assert diagnose(pipeline, predicted, few, ZONE, 42, nothing).notes == []
