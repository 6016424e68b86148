"""Splits: complete, disjoint, with the configured shares, and a function of the key."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from traffic_assets.ml.splits.assign import time_quantiles, with_split
from traffic_assets.ml.splits.shares import SPLITS, TEST, TRAIN, VALIDATION, Shares, sensor_counts
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.ml.splits.keys import ROWS, SEEDS, SENSORS, START, STEPS, Placed, is_near, placed_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@st.composite
def splits(draw: st.DrawFn) -> SplitSettings:
    """Return any random split, with a validation share or with carved validation rows."""
    train, rest = draw(st.floats(0.1, 0.8)), draw(st.sampled_from([0.0, 0.2, 0.5]))
    validation = (1 - train) * rest
    return SplitSettings(
        train=train,
        validation=validation,
        test=1 - train - validation,
        carved_validation=draw(st.floats(0.05, 0.5)),
    )


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=splits(), seed=SEEDS)
def test_any_random_split_is_complete_disjoint_and_has_its_configured_shares(
    keys: DataFrame, split: SplitSettings, seed: int
) -> None:
    placed = placed_rows(keys, split, seed)
    assert len(placed) == ROWS
    counts = Counter(placed.values())
    assert set(counts) <= set(SPLITS)
    expected = Shares.from_settings(split)
    for name in SPLITS:
        assert is_near(counts[name] / ROWS, getattr(expected, name), ROWS), (name, counts, expected)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=splits(), seed=SEEDS)
def test_the_split_of_a_row_does_not_depend_on_other_rows_or_their_order(
    keys: DataFrame, split: SplitSettings, seed: int
) -> None:
    strangers = keys.withColumn("sensor_id", F.concat(F.lit("other-"), "sensor_id"))
    fewer = keys.where(F.crc32(F.col("sensor_id").cast("binary")) % 2 == 0)
    more = fewer.union(strangers).orderBy(F.rand(seed)).repartition(7)
    whole, part = placed_rows(keys, split, seed), placed_rows(more, split, seed)
    kept = {key: place for key, place in part.items() if not key[0].startswith("other-")}
    assert 0 < len(kept) < ROWS
    assert kept == {key: whole[key] for key in kept}


def test_the_split_of_a_row_does_not_depend_on_time_zone_or_other_columns(spark: SparkSession, keys: DataFrame) -> None:
    split = SplitSettings()
    here = placed_rows(keys, split, 42)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        there = placed_rows(keys.withColumn("speed", F.rand()), split, 42)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert there == here


def test_validation_rows_are_carved_out_of_train_only(keys: DataFrame) -> None:
    little = placed_rows(keys, SplitSettings(carved_validation=0.1), 42)
    much = placed_rows(keys, SplitSettings(carved_validation=0.4), 42)
    for key, place in little.items():
        if place == TEST:
            assert much[key] == TEST
        elif place == VALIDATION:
            assert much[key] == VALIDATION, "a larger share includes the smaller"
        else:
            assert much[key] in (TRAIN, VALIDATION)
    of_train = sum(place == VALIDATION for place in much.values()) / sum(place != TEST for place in much.values())
    assert is_near(of_train, 0.4, round(0.8 * ROWS)), "a share of train, not of all rows"


def test_nothing_is_carved_if_validation_has_a_share(keys: DataFrame) -> None:
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    plain, carving = (placed_rows(keys, SplitSettings(carved_validation=carved, **shares), 42) for carved in (0.1, 0.9))
    assert plain == carving


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.floats(0.2, 0.6), validation=st.floats(0.1, 0.3))
def test_a_temporal_split_is_in_the_order_of_time(keys: DataFrame, train: float, validation: float) -> None:
    split = SplitSettings(kind="temporal", train=train, validation=validation, test=1 - train - validation)
    placed = placed_rows(keys.repartition(5), split, 42)
    times = {name: [time for (_, time), place in placed.items() if place == name] for name in SPLITS}
    assert max(times[TRAIN]) < min(times[VALIDATION])
    assert max(times[VALIDATION]) < min(times[TEST])
    for name in SPLITS:
        assert len(times[name]) / ROWS == pytest.approx(getattr(split, name), abs=2 / STEPS), "within an interval"


def test_a_temporal_split_without_validation_carves_by_hash_before_the_test_rows(keys: DataFrame) -> None:
    placed = placed_rows(keys, SplitSettings(kind="temporal", carved_validation=0.3), 42)
    times = {name: {time for (_, time), place in placed.items() if place == name} for name in SPLITS}
    assert max(times[TRAIN] | times[VALIDATION]) < min(times[TEST])
    assert min(times[VALIDATION]) < max(times[TRAIN]), "by hash, not by time"
    counts = Counter(placed.values())
    assert is_near(counts[VALIDATION] / (counts[TRAIN] + counts[VALIDATION]), 0.3, counts[TRAIN])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.01, 0.99))
def test_time_quantiles_are_exact_to_one_interval(keys: DataFrame, share: float) -> None:
    (at,) = time_quantiles(keys, [share])
    seconds = F.col("timestamp").cast("long")
    before, upto = keys.agg(F.avg((seconds < at).cast("int")), F.avg((seconds <= at).cast("int"))).collect()[0]
    assert before <= share + 1e-9
    assert upto >= share - 1e-9
    assert at in range(int(START.timestamp()), int(START.timestamp()) + STEPS * 300, 300), "an instant of the rows"


def _sensors(placed: Placed) -> dict[str, set[str]]:
    return {name: {sensor for (sensor, _), place in placed.items() if place == name} for name in SPLITS}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=splits(), seed=SEEDS, sensors=st.integers(3, SENSORS))
def test_any_split_by_sensor_has_whole_sensors_in_the_configured_numbers(
    keys: DataFrame, split: SplitSettings, seed: int, sensors: int
) -> None:
    split = split.model_copy(update={"kind": "sensor"})
    rows = keys.where(F.col("sensor_id").isin([f"s{i}" for i in range(sensors)]))
    try:
        expected = sensor_counts(split, sensors)
    except ValueError:
        with pytest.raises(ValueError) as caught:
            with_split(rows, split, seed)
        assert get_code(caught.value) == "splits.too-few-sensors"
        return
    placed = placed_rows(rows.orderBy(F.rand(seed)).repartition(4), split, seed)
    held = _sensors(placed)
    assert len(placed) == sensors * STEPS
    assert {name: len(part) for name, part in held.items()} == expected
    assert sum(map(len, held.values())) == len(set().union(*held.values())) == sensors
    assert placed == placed_rows(rows, split, seed)


def test_another_seed_tests_other_sensors(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    one, other = (_sensors(placed_rows(keys, split, seed))[TEST] for seed in (1, 2))
    assert len(one) == len(other) == SENSORS / 5
    assert one != other


def test_a_new_sensor_moves_few_other_sensors(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    for gone in ("s3", "s17", "s30"):
        before, after = placed_rows(keys.where(F.col("sensor_id") != gone), split, 42), placed_rows(keys, split, 42)
        assert len({sensor for sensor, time in before if before[sensor, time] != after[sensor, time]}) <= 4


def test_too_few_sensors_are_refused(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    for sensors, rows in ((2, keys.where("sensor_id in ('s1', 's2')")), (0, keys.limit(0))):
        with pytest.raises(ValueError) as caught:
            with_split(rows, split, 42)
        assert get_code(caught.value) == "splits.too-few-sensors"
        assert get_values(caught.value) == {"sensors": sensors, "validation": 1, "test": 1}
    three = _sensors(placed_rows(keys.where("sensor_id in ('s1', 's2', 's3')"), split, 42))
    assert [len(part) for part in three.values()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["random", "temporal", "sensor"])
def test_70_20_10(keys: DataFrame, kind: Any) -> None:
    split = SplitSettings(kind=kind, train=0.7, validation=0.2, test=0.1)
    placed = placed_rows(keys, split, 42)
    counts = Counter(placed.values())
    exact = {TRAIN: 1400, VALIDATION: 400, TEST: 200}
    if kind == "random":
        assert all(is_near(counts[name] / ROWS, exact[name] / ROWS, ROWS) for name in SPLITS), counts
    elif kind == "sensor":
        assert counts == exact
        assert {name: len(part) for name, part in _sensors(placed).items()} == {TRAIN: 28, VALIDATION: 8, TEST: 4}
    else:
        assert all(abs(counts[name] - exact[name]) <= 2 * SENSORS for name in SPLITS), "within an interval"


def test_a_temporal_split_without_rows_is_refused(keys: DataFrame) -> None:
    with pytest.raises(ValueError) as caught:
        time_quantiles(keys.limit(0), [0.5])
    assert get_code(caught.value) == "splits.no-rows"
    with pytest.raises(ValueError) as caught:
        with_split(keys.limit(0), SplitSettings(kind="temporal"), 42)
    assert get_code(caught.value) == "splits.no-rows"
    assert with_split(keys.limit(0), SplitSettings(), 42).count() == 0
