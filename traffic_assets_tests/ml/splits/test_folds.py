"""Folds: every kind tests each row at most once, and no fold trains on its test rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from traffic_assets.ml.splits.folds import FoldKind, make_folds
from traffic_assets.ml.splits.hashing import fold_column
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Row = tuple[str, int]
START = datetime(2026, 1, 5, tzinfo=UTC)
SENSORS, STEPS, MINUTES = 12, 60, 5


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Iterator[DataFrame]:
    table = [(f"s{s}", START + i * timedelta(minutes=MINUTES)) for s in range(SENSORS) for i in range(STEPS)]
    frame = spark.createDataFrame(table, "sensor_id string, timestamp timestamp").cache()
    yield frame
    frame.unpersist()


def _held(rows: DataFrame, kind: FoldKind, number: int, gap: int = 0) -> list[tuple[set[Row], set[Row]]]:
    held = []
    for fold in make_folds(rows, kind, number, 42, gap):
        parts = []
        for condition in (fold.train, fold.test):
            part = rows.where(condition).select("sensor_id", F.col("timestamp").cast("long").alias("at")).collect()
            parts.append({(row["sensor_id"], (row["at"] - int(START.timestamp())) // 60) for row in part})
        held.append((parts[0], parts[1]))
    return held


@pytest.mark.parametrize("kind", get_args(FoldKind))
def test_train_and_test_rows_are_disjoint_and_each_row_is_tested_at_most_once(rows: DataFrame, kind: FoldKind) -> None:
    held = _held(rows, kind, 3)
    tested = [row for _, part in held for row in part]
    assert len(tested) == len(set(tested))
    for fit, part in held:
        assert fit
        assert part
        assert not fit & part


@pytest.mark.parametrize("kind", ["random", "sensor"])
def test_folds_by_hash_test_every_row_and_train_on_all_others(rows: DataFrame, kind: FoldKind) -> None:
    every = {(f"s{s}", i * MINUTES) for s in range(SENSORS) for i in range(STEPS)}
    held = _held(rows, kind, 3)
    assert set().union(*(part for _, part in held)) == every
    assert all(fit | part == every for fit, part in held)


def test_random_folds_follow_the_hash(rows: DataFrame) -> None:
    for number, fold in enumerate(make_folds(rows, "random", 4, 7)):
        assert rows.where(fold.test & (fold_column(4, 7) != number)).count() == 0


def test_folds_by_sensor_test_unseen_sensors(rows: DataFrame) -> None:
    for fit, tested in _held(rows, "sensor", 3):
        assert not {sensor for sensor, _ in fit} & {sensor for sensor, _ in tested}


@pytest.mark.parametrize("kind", ["expanding", "sliding"])
@pytest.mark.parametrize("gap", [0, 30])
def test_folds_in_time_train_on_the_past_up_to_the_gap(rows: DataFrame, kind: FoldKind, gap: int) -> None:
    begins = []
    for fit, tested in _held(rows, kind, 3, gap):
        first_tested = min(at for _, at in tested)
        assert first_tested - max(at for _, at in fit) == gap + MINUTES
        begins.append(min(at for _, at in fit))
    if kind == "expanding":
        assert set(begins) == {0}
    else:
        assert begins == sorted(set(begins))
        assert len(begins) == 3


@pytest.mark.parametrize("kind", get_args(FoldKind))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(2, 6),
    seed=st.integers(0, 2**31 - 1),
    gap=st.integers(0, 90),
    sensors=st.integers(6, SENSORS),
    steps=st.integers(20, STEPS),
    holes=st.integers(1, 5),
)
def test_properties_of_any_folds(
    rows: DataFrame, kind: FoldKind, number: int, seed: int, gap: int, sensors: int, steps: int, holes: int
) -> None:
    """Check series with gaps: test rows are not fitted, the gap is respected, whole sensors are on one side."""
    end = START + steps * timedelta(minutes=MINUTES)
    some = rows.where(F.col("sensor_id").isin([f"s{i}" for i in range(sensors)]) & (F.col("timestamp") < F.lit(end)))
    some = some.where(F.xxhash64("sensor_id", "timestamp", F.lit(seed)) % 7 >= holes - 5)
    folds = make_folds(some, kind, number, seed, gap)
    flags = [c.alias(f"{name}{i}") for i, f in enumerate(folds) for name, c in (("fit", f.train), ("tested", f.test))]
    table = some.select("sensor_id", F.col("timestamp").cast("long").alias("at"), *flags).collect()
    tested_by = [[i for i in range(number) if row[f"tested{i}"]] for row in table]
    assert all(len(testers) <= 1 for testers in tested_by)
    if kind in ("random", "sensor"):
        assert all(len(testers) == 1 for testers in tested_by), "every row is tested once"
    for i in range(number):
        fit, tested = [row for row in table if row[f"fit{i}"]], [row for row in table if row[f"tested{i}"]]
        assert tested
        assert not [row for row in fit if row[f"tested{i}"]]
        if kind in ("random", "sensor"):
            assert len(fit) + len(tested) == len(table)
        elif fit:
            assert min(row["at"] for row in tested) - max(row["at"] for row in fit) > 60 * gap
        if kind == "sensor":
            places = {row["sensor_id"] for row in tested}
            assert places.isdisjoint(row["sensor_id"] for row in fit)
            assert sensors // number <= len(places) <= -(-sensors // number), "fold sizes differ by one sensor at most"


def test_more_folds_than_sensors_are_refused(rows: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        make_folds(rows.where("sensor_id in ('s1', 's2', 's3', 's4')"), "sensor", 5, 42)
    assert get_code(caught.value) == "splits.too-few-sensors-for-folds"
    assert get_values(caught.value) == {"folds": 5, "sensors": 4}


def test_more_folds_than_instants_are_refused(rows: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        make_folds(rows.where(F.col("timestamp") < F.lit(START + timedelta(minutes=20))), "expanding", 9, 42)
    assert get_code(caught.value) == "splits.too-few-instants-for-folds"
    assert get_values(caught.value) == {"folds": 9, "parts": 10}
