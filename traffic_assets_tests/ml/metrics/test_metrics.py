"""Metrics, compared with numpy and with values computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.errors import AnalysisException

from traffic_assets.ml.metrics.metrics import (
    MAPE_FLOOR,
    METRICS,
    Metrics,
    Spread,
    compute_r2,
    compute_spread,
    evaluate,
    known_metrics,
    make_sort_key,
)
from traffic_assets.settings.plugins import METRIC_GROUP, TAKEN_METRIC_NAMES
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.packages import METRIC, Install

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def _frame(spark: SparkSession, pairs: Sequence[tuple[float | None, float | None]]) -> DataFrame:
    rows = [tuple(None if value is None else float(value) for value in pair) for pair in pairs]
    return spark.createDataFrame(rows, "speed double, prediction double").coalesce(2)


def test_metrics_equal_values_computed_by_hand(spark: SparkSession) -> None:
    """Errors 1, -2, 3, 0 around a mean speed of 25: SS_res 14, SS_tot 500."""
    metrics = evaluate(_frame(spark, [(10, 11), (20, 18), (30, 33), (40, 40)]))
    assert metrics.rows == 4
    assert metrics.rmse == pytest.approx(math.sqrt(14 / 4))
    assert metrics.mae == pytest.approx(6 / 4)
    assert metrics.mape == pytest.approx((1 / 10 + 2 / 20 + 3 / 30 + 0) / 4)
    assert metrics.r2 == pytest.approx(1 - 14 / 500)
    assert metrics.bias == pytest.approx(2 / 4)
    assert metrics.p95 == pytest.approx(3)


@pytest.mark.parametrize("seed", [1, 2])
def test_metrics_equal_numpy(spark: SparkSession, seed: int) -> None:
    draw = np.random.default_rng(seed)
    y = draw.uniform(0, 90, 300)
    p = y + draw.normal(0, 4, 300)
    metrics = evaluate(_frame(spark, list(zip(y.tolist(), p.tolist(), strict=True))).repartition(5))
    fast = y >= MAPE_FLOOR
    assert metrics.rows == len(y)
    assert metrics.rmse == pytest.approx(np.sqrt(np.mean((p - y) ** 2)))
    assert metrics.mae == pytest.approx(np.mean(np.abs(p - y)))
    assert metrics.mape == pytest.approx(np.mean(np.abs(p - y)[fast] / y[fast]))
    assert metrics.r2 == pytest.approx(1 - np.sum((p - y) ** 2) / np.sum((y - y.mean()) ** 2))
    assert metrics.bias == pytest.approx(np.mean(p - y))
    assert metrics.p95 == pytest.approx(np.sort(np.abs(p - y))[int(0.95 * len(y)) - 1])


def test_mape_ignores_observations_below_the_floor(spark: SparkSession) -> None:
    assert MAPE_FLOOR == 5.0
    metrics = evaluate(_frame(spark, [(0.0, 50.0), (4.999, 9.0), (5.0, 6.0), (50.0, 50.0)]))
    assert metrics.mape == pytest.approx((1 / 5 + 0) / 2), "5 mph counts; 4.999 and 0 do not"
    assert metrics.mae == pytest.approx((50 + 4.001 + 1 + 0) / 4), "other metrics use every row"


def test_mape_is_nan_without_a_row_above_the_floor(spark: SparkSession) -> None:
    metrics = evaluate(_frame(spark, [(0.0, 1.0), (2.0, 2.0)]))
    assert math.isnan(metrics.mape)
    assert metrics.r2 == pytest.approx(0.5)


@pytest.mark.parametrize("partitions", [1, 3, 5])
def test_r2_is_nan_for_a_constant_speed(spark: SparkSession, partitions: int) -> None:
    """Check that sums over several partitions do not leave a variance of 1e-29."""
    pairs = [(50.1, 50.0 + i) for i in range(11)]
    metrics = evaluate(_frame(spark, pairs).repartition(partitions))
    assert math.isnan(metrics.r2)
    assert metrics.mae == pytest.approx(np.mean([abs(i - 0.1) for i in range(11)]))


def test_other_column_names(spark: SparkSession) -> None:
    frame = _frame(spark, [(10, 12), (20, 22)]).toDF("flow", "estimate")
    assert evaluate(frame, "flow", "estimate").rmse == pytest.approx(2)


def test_no_rows_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError) as caught:
        evaluate(_frame(spark, []))
    assert get_code(caught.value) == "metrics.no-rows"


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_predictions_that_are_not_finite_are_refused(spark: SparkSession, bad: float | None) -> None:
    with pytest.raises(ValueError) as caught:
        evaluate(_frame(spark, [(10, 11), (20, bad), (30, 30)]))
    assert get_code(caught.value) == "metrics.predictions-not-finite"
    assert get_values(caught.value) == {"number": 1, "rows": 3}


@pytest.mark.parametrize("bad", [None, math.nan])
def test_observations_that_are_not_finite_are_refused(spark: SparkSession, bad: float | None) -> None:
    with pytest.raises(ValueError) as caught:
        evaluate(_frame(spark, [(10, 10), (bad, 20), (30, 30)]))
    assert get_code(caught.value) == "metrics.observations-not-finite"
    assert get_values(caught.value) == {"number": 1, "rows": 3, "target": "speed"}


def test_nan_is_null_in_json_and_nan_again() -> None:
    stored = Metrics(rows=3, rmse=1.5, mae=1.0, mape=math.nan, r2=math.nan).model_dump_json()
    assert '"mape":null,"r2":null' in stored
    back = Metrics.model_validate_json(stored)
    assert (back.rows, back.rmse, back.mae) == (3, 1.5, 1.0)
    assert math.isnan(back.mape)
    assert math.isnan(back.r2)
    spread_back = Spread.model_validate_json(Spread(mean=math.nan, std=0.5).model_dump_json())
    assert math.isnan(spread_back.mean)
    assert spread_back.std == 0.5


def test_the_list_of_metrics_is_complete() -> None:
    assert set(METRICS) == set(Metrics.model_fields) - {"rows", "bias", "p95", "extra"}, "bias and p95 select no model"
    assert set(TAKEN_METRIC_NAMES) == set(Metrics.model_fields), "an installed metric cannot have one of these names"


def test_spread_is_mean_and_sample_standard_deviation() -> None:
    assert compute_spread([1.0, 2.0, 6.0]).mean == pytest.approx(3)
    assert compute_spread([1.0, 2.0, 6.0]).std == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert compute_spread([4.0]) == Spread(mean=4, std=0)
    assert math.isnan(compute_spread([1.0, math.nan]).mean), "a fold without a value is not hidden"


def test_an_installed_metric_is_computed_with_the_others(spark: SparkSession, far: str) -> None:
    metrics = evaluate(_frame(spark, [(10, 11), (20, 18), (30, 33), (40, 40)]))
    assert metrics.extra == {far: pytest.approx(6 / 4)}
    assert metrics.by_name == {
        "rmse": metrics.rmse,
        "mae": metrics.mae,
        "mape": metrics.mape,
        "r2": metrics.r2,
        far: metrics.mae,
    }
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics
    assert known_metrics() == (*METRICS, far)


def test_an_undefined_installed_metric_is_nan_and_null_in_json(spark: SparkSession, install: Install) -> None:
    code = METRIC.replace("F.avg(F.abs(p - y))", "F.avg(F.when(y > 1000, p))")
    install("acme-metrics", code, {METRIC_GROUP: {"far": "FAR"}})
    metrics = evaluate(_frame(spark, [(10, 11), (20, 18)]))
    assert math.isnan(metrics.extra["far"])
    assert '"extra":{"far":null}' in metrics.model_dump_json()
    assert math.isnan(Metrics.model_validate_json(metrics.model_dump_json()).extra["far"])


@pytest.mark.parametrize(
    ("aggregate", "error", "reason"),
    [
        ("F.abs(p - y)", "AnalysisException", "MISSING_GROUP_BY"),
        ("F.avg(p.nowhere)", "AnalysisException", "INVALID_EXTRACT"),
        ("1 / len([])", "ZeroDivisionError", "division by zero"),
        ("5.0", "AttributeError", "'float' object has no attribute 'cast'"),
    ],
)
def test_an_installed_metric_that_is_not_an_aggregate_is_refused_by_name(
    spark: SparkSession, install: Install, aggregate: str, error: str, reason: str
) -> None:
    code = METRIC.replace("F.avg(F.abs(p - y))", aggregate)
    install("acme-metrics", code, {METRIC_GROUP: {"far": "FAR"}})
    with pytest.raises(ValueError) as caught:
        evaluate(_frame(spark, [(10, 11)]))
    assert get_code(caught.value) == "metrics.unusable"
    values = get_values(caught.value)
    assert (values["metric"], values["error"]) == ("far", error)
    assert reason in values["reason"]


def test_a_missing_column_is_not_blamed_on_an_installed_metric(spark: SparkSession, far: str) -> None:
    with pytest.raises(AnalysisException, match="flow"):
        evaluate(_frame(spark, [(10, 11)]), "flow")


def test_the_best_value_sorts_first_and_nan_last(far: str) -> None:
    values = [2.0, math.nan, 3.0, 1.0]

    def ordered(metric: str) -> list[float]:
        return sorted(values, key=lambda value: make_sort_key(metric, value))

    assert ordered("rmse")[:3] == [1.0, 2.0, 3.0]
    assert ordered("r2")[:3] == [3.0, 2.0, 1.0]
    assert ordered(far)[:3] == [3.0, 2.0, 1.0], "it is declared as higher is better"
    assert all(math.isnan(ordered(metric)[-1]) for metric in ("rmse", "r2", far))


def test_each_undefined_metric_has_a_reason() -> None:
    metrics = Metrics(rows=1, rmse=0.0, mae=0.0, mape=math.nan, r2=math.nan, extra={"far": math.nan, "near": 1.0})
    assert metrics.undefined == {
        "mape": "every observed value is below 5",
        "r2": "the observed values do not vary",
        "far": "the metric has no value for these rows",
    }
    assert Metrics(rows=1, rmse=0.0, mae=0.0, mape=0.1, r2=0.5).undefined == {}


@pytest.mark.parametrize(("variance", "defined"), [(0.0, False), (9e-13, False), (-9e-13, False), (1e-6, True)])
def test_r2_of_values_that_vary_only_by_rounding_is_undefined(variance: float, defined: bool) -> None:
    assert math.isfinite(compute_r2(0.1, variance, 65.3**2)) is defined
