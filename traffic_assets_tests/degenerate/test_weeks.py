"""Degenerate weeks are trained with metrics marked undefined, or refused with a message that gives the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.registry import get_registry
from traffic_assets.assets.report import REPORT, page_uri
from traffic_assets.build import build_defs
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.degenerate.weeks import (
    DAY,
    EVERY_LANE,
    Reading,
    day_settings,
    varied,
    write_day,
    write_six_rows,
)
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.report.pages import Page
from traffic_assets_tests.runs import (
    failure_codes,
    failures,
    get_failure_values,
    list_missed_thresholds,
    materialized,
    run_features,
    run_train,
)
from traffic_assets_tests.tiny import WEEK

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def with_features(base: Path, instance: dg.DagsterInstance, *lanes: str, **changes: Any) -> Deployment:
    """Return a deployment whose readings are written, with the features of its day."""
    settings = day_settings(base, lanes or EVERY_LANE, changes)
    features = run_features(build_defs(settings), instance, [DAY, DAY])
    assert features.success, failures(features)
    return Deployment(base, settings, instance, features)


def constant(sensor: int, step: int) -> Reading:
    """Return the same values in every interval; sums of squares of 65.3 are rounded."""
    return Reading(65.3, 20.0, 0.01)


def test_six_rows_are_refused_because_a_split_has_none(
    spark: SparkSession, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    write_six_rows(tmp_path)
    made = with_features(tmp_path, instance)
    train = run_train(build_defs(made.settings), instance, WEEK)
    assert failure_codes(train) == {"splits": "splits.empty-split"}
    values = get_failure_values(train)["splits"]
    assert (values["split"], values["rows"]) == ("validation", 6)
    assert materialized(train) == set()


def test_six_rows_do_not_count_as_a_day_by_default(
    spark: SparkSession, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    write_six_rows(tmp_path)
    made = with_features(tmp_path, instance, data={"minimum_completeness": DataSettings().minimum_completeness})
    train = run_train(build_defs(made.settings), instance, WEEK)
    assert failure_codes(train) == {"splits": "assets.days-missing"}
    values = get_failure_values(train)["splits"]
    assert (values["available"], list(values["incomplete"])) == (0, [DAY])


def test_one_sensor_of_constant_values_is_trained_by_every_algorithm_with_undefined_metrics(
    spark: SparkSession, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    write_day(tmp_path, constant, sensors=1)
    made = with_features(tmp_path, instance)
    train = run_train(build_defs(made.settings), instance, WEEK)
    assert failures(train) == {}
    registry = get_registry(made.hdfs)
    for name in EVERY_LANE:
        stored = made.document(Lane(name).evaluation)
        for metrics in (stored["test"], stored["train"], stored["temporal"]["metrics"]):
            assert metrics["r2"] is None
            assert Metrics.model_validate(metrics).rmse == pytest.approx(0, abs=1e-3)
        assert registry.metadata(name).metrics["test"]["r2"] is None
    for file in tmp_path.rglob("*.json"):
        json.loads(file.read_bytes(), parse_constant=lambda constant: pytest.fail(f"{constant} in a stored document"))
    report = made.hdfs.dataset(REPORT).current(WEEK)
    assert report is not None
    page = Page(made.hdfs.filesystem.read_bytes(page_uri(report.uri)).decode())
    assert "A dash for R² means that it is undefined: the observed values do not vary." in page.text

    lane = Lane("linear_regression")
    limits = {"evaluation": {"thresholds": {lane.id: {"r2_min": 0.5}}}}
    strict = build_defs(day_settings(tmp_path, changes=limits))
    again = run_train(strict, instance, WEEK, only=[lane.evaluation, lane.registry_entry])
    gate = next(check for check in again.get_asset_check_evaluations() if check.blocking)
    assert not gate.passed
    assert list_missed_thresholds(gate.metadata) == ["R² on test"]
    assert "undefined" in (gate.description or "")
    assert lane.registry_entry not in materialized(again)


@pytest.mark.parametrize(
    ("training", "step", "code"),
    [
        ({"split": {"kind": "sensor"}}, "splits", "splits.too-few-sensors"),
        ({"fold_kind": "sensor"}, "linear_regression_cv_report", "splits.too-few-sensors-for-folds"),
    ],
)
def test_one_sensor_cannot_be_split_by_sensor(
    spark: SparkSession, tmp_path: Path, instance: dg.DagsterInstance, training: dict[str, Any], step: str, code: str
) -> None:
    write_day(tmp_path, varied, sensors=1, steps=60)
    made = with_features(tmp_path, instance, "linear_regression", training=training)
    train = run_train(build_defs(made.settings), instance, WEEK)
    assert failure_codes(train) == {step: code}


def test_a_feature_that_is_null_or_constant_in_one_fold_is_trained_by_every_algorithm(
    spark: SparkSession, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    def late(sensor: int, step: int) -> Reading:
        reading = varied(sensor, step)
        return reading if step > 150 else reading._replace(flow=None, occupancy=0.02)

    write_day(tmp_path, late)
    training = {"fold_kind": "expanding", "fold_gap_minutes": 0, "split": {"kind": "temporal"}}
    made = with_features(tmp_path, instance, training=training)
    train = run_train(build_defs(made.settings), instance, WEEK)
    assert failures(train) == {}
    for name in EVERY_LANE:
        assert math.isfinite(made.document(Lane(name).evaluation)["test"]["rmse"])
