"""Splits and folds: a row's place hangs on its key and the seed, and on nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from traffic_assets.ml.shares import SPLIT, SPLITS, TEST, TRAIN, VALIDATION, Shares, sensor_counts
from traffic_assets.ml.splits import (
    census,
    fold_of,
    sensor_census,
    split_of,
    time_quantiles,
    unit_hash,
    with_split,
)
from traffic_assets.settings.training import SplitSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

START = datetime(2026, 1, 5, tzinfo=UTC)
SENSORS, STEPS = 40, 50
ROWS = SENSORS * STEPS
SIGMAS = 6  # a right implementation misses it once in 10^9 shares
Placed = dict[tuple[str, int], str]

SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def splits(draw: st.DrawFn) -> SplitSettings:
    """Any random split: with a share for validation or with carving."""
    train, rest = draw(st.floats(0.1, 0.8)), draw(st.sampled_from([0.0, 0.2, 0.5]))
    validation = (1 - train) * rest
    return SplitSettings(
        train=train,
        validation=validation,
        test=1 - train - validation,
        carved_validation=draw(st.floats(0.05, 0.5)),
    )


@pytest.fixture(scope="module")
def keys(spark: SparkSession) -> Iterator[DataFrame]:
    rows = [(f"s{sensor}", START + step * timedelta(minutes=5)) for sensor in range(SENSORS) for step in range(STEPS)]
    frame = spark.createDataFrame(rows, "sensor_id string, timestamp timestamp").repartition(3).cache()
    yield frame
    frame.unpersist()


def _placed(rows: DataFrame, split: SplitSettings, seed: int) -> Placed:
    found = with_split(rows, split, seed).select("sensor_id", F.col("timestamp").cast("long"), SPLIT).collect()
    placed = {(row[0], row[1]): row[2] for row in found}
    assert len(placed) == len(found), "a key comes out once"
    return placed


def _near(share: float, expected: float, rows: int) -> bool:
    return abs(share - expected) <= SIGMAS * math.sqrt(expected * (1 - expected) / rows)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=splits(), seed=SEEDS)
def test_any_random_split_is_complete_disjoint_and_of_the_asked_shares(
    keys: DataFrame, split: SplitSettings, seed: int
) -> None:
    placed = _placed(keys, split, seed)
    assert len(placed) == ROWS
    counts = Counter(placed.values())
    assert set(counts) <= set(SPLITS)
    expected = Shares.of(split)
    for name in SPLITS:
        assert _near(counts[name] / ROWS, getattr(expected, name), ROWS), (name, counts, expected)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=splits(), seed=SEEDS)
def test_a_row_lands_where_it_did_among_other_rows_in_another_order(
    keys: DataFrame, split: SplitSettings, seed: int
) -> None:
    strangers = keys.withColumn("sensor_id", F.concat(F.lit("other-"), "sensor_id"))
    fewer = keys.where(F.crc32(F.col("sensor_id").cast("binary")) % 2 == 0)
    more = fewer.union(strangers).orderBy(F.rand(seed)).repartition(7)
    whole, part = _placed(keys, split, seed), _placed(more, split, seed)
    kept = {key: place for key, place in part.items() if not key[0].startswith("other-")}
    assert 0 < len(kept) < ROWS
    assert kept == {key: whole[key] for key in kept}


def test_a_row_lands_where_it_did_whatever_the_time_zone_and_the_other_columns(
    spark: SparkSession, keys: DataFrame
) -> None:
    split = SplitSettings()
    here = _placed(keys, split, 42)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        there = _placed(keys.withColumn("speed", F.rand()), split, 42)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert there == here


def test_the_hash_itself_never_changes(spark: SparkSession) -> None:
    """Written down once: with another hash every registered model's test rows would be other rows."""
    later = START + timedelta(minutes=5)
    rows = spark.createDataFrame([("s1", START), ("s2", START), ("s1", later)], "sensor_id string, timestamp timestamp")
    found = [row[0] for row in rows.select(unit_hash(42, "split")).collect()]
    assert found == pytest.approx([0.3857614828739315, 0.25466025969944894, 0.6030844380147755], abs=1e-12)


def test_another_seed_or_use_is_another_draw(keys: DataFrame) -> None:
    drawn = keys.select(
        *(unit_hash(seed, salt).alias(f"{salt}{seed}") for seed, salt in ((1, "split"), (2, "split"), (1, "fold")))
    )
    for one, other in (("split1", "split2"), ("split1", "fold1")):
        correlation = drawn.stat.corr(one, other)
        assert abs(correlation) < SIGMAS / math.sqrt(ROWS), (one, other)
    low, high = drawn.agg(F.min("split1"), F.max("split1")).collect()[0]
    assert 0 <= low < 0.02
    assert 0.98 < high < 1


def test_carved_validation_comes_out_of_train_and_leaves_test_alone(keys: DataFrame) -> None:
    little = _placed(keys, SplitSettings(carved_validation=0.1), 42)
    much = _placed(keys, SplitSettings(carved_validation=0.4), 42)
    for key, place in little.items():
        if place == TEST:
            assert much[key] == TEST
        elif place == VALIDATION:
            assert much[key] == VALIDATION, "a larger share holds the smaller"
        else:
            assert much[key] in (TRAIN, VALIDATION)
    of_train = sum(place == VALIDATION for place in much.values()) / sum(place != TEST for place in much.values())
    assert _near(of_train, 0.4, round(0.8 * ROWS)), "a share of train, not of all rows"


def test_a_share_for_validation_is_not_carved(keys: DataFrame) -> None:
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    plain, carving = (_placed(keys, SplitSettings(carved_validation=carved, **shares), 42) for carved in (0.1, 0.9))
    assert plain == carving


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.floats(0.2, 0.6), validation=st.floats(0.1, 0.3))
def test_a_temporal_split_is_in_the_order_of_time(keys: DataFrame, train: float, validation: float) -> None:
    split = SplitSettings(kind="temporal", train=train, validation=validation, test=1 - train - validation)
    placed = _placed(keys.repartition(5), split, 42)
    times = {name: [time for (_, time), place in placed.items() if place == name] for name in SPLITS}
    assert max(times[TRAIN]) < min(times[VALIDATION])
    assert max(times[VALIDATION]) < min(times[TEST])
    for name in SPLITS:
        assert len(times[name]) / ROWS == pytest.approx(getattr(split, name), abs=2 / STEPS), "but for an interval"


def test_a_temporal_split_without_validation_carves_by_hash_before_the_test_rows(keys: DataFrame) -> None:
    placed = _placed(keys, SplitSettings(kind="temporal", carved_validation=0.3), 42)
    times = {name: {time for (_, time), place in placed.items() if place == name} for name in SPLITS}
    assert max(times[TRAIN] | times[VALIDATION]) < min(times[TEST])
    assert min(times[VALIDATION]) < max(times[TRAIN]), "by hash, not by time"
    counts = Counter(placed.values())
    assert _near(counts[VALIDATION] / (counts[TRAIN] + counts[VALIDATION]), 0.3, counts[TRAIN])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.01, 0.99))
def test_time_quantiles_split_the_rows_but_for_one_interval(keys: DataFrame, share: float) -> None:
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
def test_any_split_by_sensor_has_each_sensor_on_one_side_and_the_asked_number_of_them(
    keys: DataFrame, split: SplitSettings, seed: int, sensors: int
) -> None:
    split = split.model_copy(update={"kind": "sensor"})
    rows = keys.where(F.col("sensor_id").isin([f"s{i}" for i in range(sensors)]))
    try:
        expected = sensor_counts(split, sensors)
    except ValueError:
        with pytest.raises(ValueError, match="none is left for train"):
            with_split(rows, split, seed)
        return
    placed = _placed(rows.orderBy(F.rand(seed)).repartition(4), split, seed)
    held = _sensors(placed)
    assert len(placed) == sensors * STEPS
    assert {name: len(found) for name, found in held.items()} == expected
    assert sum(map(len, held.values())) == len(set().union(*held.values())) == sensors
    assert placed == _placed(rows, split, seed)


def test_another_seed_judges_other_sensors(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    one, other = (_sensors(_placed(keys, split, seed))[TEST] for seed in (1, 2))
    assert len(one) == len(other) == SENSORS / 5
    assert one != other


def test_a_newcomer_moves_few_of_the_other_sensors(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    for gone in ("s3", "s17", "s30"):
        before, after = _placed(keys.where(F.col("sensor_id") != gone), split, 42), _placed(keys, split, 42)
        assert len({sensor for sensor, time in before if before[sensor, time] != after[sensor, time]}) <= 4


def test_too_few_sensors_are_refused(keys: DataFrame) -> None:
    split = SplitSettings(kind="sensor")
    with pytest.raises(ValueError, match=r"has 2 sensor\(s\): validation takes 1, test 1, and none is left for train"):
        with_split(keys.where("sensor_id in ('s1', 's2')"), split, 42)
    with pytest.raises(ValueError, match=r"has 0 sensor\(s\)"):
        with_split(keys.limit(0), split, 42)
    three = _sensors(_placed(keys.where("sensor_id in ('s1', 's2', 's3')"), split, 42))
    assert [len(found) for found in three.values()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["random", "temporal", "sensor"])
def test_70_20_10(keys: DataFrame, kind: Any) -> None:
    split = SplitSettings(kind=kind, train=0.7, validation=0.2, test=0.1)
    placed = _placed(keys, split, 42)
    counts = Counter(placed.values())
    exact = {TRAIN: 1400, VALIDATION: 400, TEST: 200}
    if kind == "random":
        assert all(_near(counts[name] / ROWS, exact[name] / ROWS, ROWS) for name in SPLITS), counts
    elif kind == "sensor":
        assert counts == exact
        assert {name: len(found) for name, found in _sensors(placed).items()} == {TRAIN: 28, VALIDATION: 8, TEST: 4}
    else:
        assert all(abs(counts[name] - exact[name]) <= 2 * SENSORS for name in SPLITS), "but for an interval"


def test_the_sensor_census_counts_sensors_and_a_planted_overlap(keys: DataFrame) -> None:
    placed = with_split(keys, SplitSettings(kind="sensor"), 42)
    expected = sensor_counts(SplitSettings(kind="sensor"), SENSORS)
    assert sensor_census(placed) == (expected, 0)
    one = placed.where(F.col(SPLIT) == TRAIN).orderBy("sensor_id").limit(1).withColumn(SPLIT, F.lit(TEST))
    assert sensor_census(placed.union(one)) == ({**expected, TEST: expected[TEST] + 1}, 1)
    assert sensor_census(placed.limit(0)) == (dict.fromkeys(SPLITS, 0), 0)


def test_no_rows_no_quantiles(keys: DataFrame) -> None:
    with pytest.raises(ValueError, match="no rows to split in time: the training window is empty"):
        time_quantiles(keys.limit(0), [0.5])
    with pytest.raises(ValueError, match="window is empty"):
        with_split(keys.limit(0), SplitSettings(kind="temporal"), 42)
    assert with_split(keys.limit(0), SplitSettings(), 42).count() == 0


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_even_and_hang_on_the_key_alone(keys: DataFrame, folds: int) -> None:
    def of(rows: DataFrame) -> dict[tuple[str, datetime], int]:
        return {(r[0], r[1]): r[2] for r in rows.select("sensor_id", "timestamp", fold_of(folds, 42)).collect()}

    found = of(keys)
    counts = Counter(found.values())
    assert set(counts) == set(range(folds))
    assert all(_near(count / ROWS, 1 / folds, ROWS) for count in counts.values()), counts
    part = of(keys.where(F.col("sensor_id") < "s2").repartition(5))
    assert part == {key: found[key] for key in part}
    assert len(part) > 0


def test_folds_of_train_are_even_too(keys: DataFrame) -> None:
    """The fold is not a function of what decided the split, or some folds of train would be empty."""
    train = with_split(keys, SplitSettings(train=0.5, test=0.5), 42).where(F.col(SPLIT) == TRAIN)
    counts = Counter(row[0] for row in train.select(fold_of(5, 42)).collect())
    rows = sum(counts.values())
    assert all(_near(counts[fold] / rows, 0.2, rows) for fold in range(5)), counts


@pytest.mark.parametrize("kind", ["random", "temporal", "sensor"])
def test_the_census_counts_the_rows_of_each_split_and_a_planted_overlap(keys: DataFrame, kind: Any) -> None:
    split = SplitSettings(kind=kind)
    place, placed = split_of(keys, split, 42), with_split(keys, split, 42).cache()
    counts, shared, misplaced = census(placed, place)
    assert counts == {split: placed.where(F.col(SPLIT) == split).count() for split in SPLITS}
    assert (shared, misplaced) == (0, 0)
    three = placed.where(F.col(SPLIT) == TRAIN).orderBy("sensor_id", "timestamp").limit(3)
    assert census(placed.union(three), place)[1:] == (0, 0), "a row twice in one split lies in one split"
    moved = three.withColumn(SPLIT, F.lit(TEST))
    assert census(placed.union(moved), place) == ({**counts, TEST: counts[TEST] + 3}, 3, 3)
    assert census(placed.limit(0), place) == (dict.fromkeys(SPLITS, 0), 0, 0)
    elsewhere = placed.withColumn(SPLIT, F.when(F.col(SPLIT) == TRAIN, TEST).otherwise(TRAIN))
    assert census(elsewhere, place)[1:] == (0, placed.count()), "a misplaced key lies in one split all the same"
    placed.unpersist()


def test_what_decides_a_split_beside_the_key_is_no_proof(keys: DataFrame) -> None:
    by_flow = keys.withColumn("flow", F.rand(1))
    with pytest.raises(AnalysisException, match="flow"):
        census(with_split(by_flow, SplitSettings(), 42), F.when(F.col("flow") < 0.5, TRAIN).otherwise(TEST))
