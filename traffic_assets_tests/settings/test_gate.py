"""Thresholds of a gate: each limit is enforced, and configured limits replace the defaults."""

from typing import Any

import pytest

from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
from traffic_assets.ml.metrics.metrics import METRICS, Metrics, Spread
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.settings import load_settings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.random_forest import RandomForestSettings

BAD = Metrics(rows=10, rmse=9.0, mae=9.0, mape=0.9, r2=0.1)
FOLDS = Trial(hyperparameters={}, folds=[], summary=dict.fromkeys(METRICS, Spread(mean=0.1, std=9.0)))
LIMITS = tuple(GateThresholds.model_fields)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_that_can_be_set_stops_a_model_that_misses_it(limit: str) -> None:
    targets = GateThresholds.model_validate({limit: 0.9})
    assert len(describe_missed(evaluate_thresholds(targets, BAD, FOLDS))) == 1
    assert evaluate_thresholds(targets.model_copy(update={limit: None}), BAD, FOLDS) == [], "null sets no limit"


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ({}, RandomForestSettings.thresholds.model_dump(exclude_none=True)),
        ({"evaluation": {"thresholds": {"random_forest": {"r2_min": 0.5}}}}, {"r2_min": 0.5}),
        ({"evaluation": {"thresholds": {"random_forest": {"r2_min": None}}}}, {}),
        ({"evaluation": {"thresholds": {"random_forest": {}}}}, {}),
    ],
)
def test_configured_limits_replace_all_defaults_of_the_model(changes: dict[str, Any], limits: dict[str, float]) -> None:
    thresholds = load_settings("local", changes, {}).get_thresholds("speed", "random_forest")
    assert thresholds.model_dump(exclude_none=True) == limits
