"""Hashes: a row's draw depends only on its key, the seed and the purpose."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.splits.assign import with_split
from traffic_assets.ml.splits.hashing import fold_column, unit_hash
from traffic_assets.ml.splits.shares import SPLIT, TRAIN
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.ml.splits.keys import ROWS, SIGMAS, START, is_near

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def test_the_hash_itself_never_changes(spark: SparkSession) -> None:
    """Compare fixed values. Another hash would change the test rows of every registered model."""
    later = START + timedelta(minutes=5)
    rows = spark.createDataFrame([("s1", START), ("s2", START), ("s1", later)], "sensor_id string, timestamp timestamp")
    hashes = [row[0] for row in rows.select(unit_hash(42, "split")).collect()]
    assert hashes == pytest.approx([0.3857614828739315, 0.25466025969944894, 0.6030844380147755], abs=1e-12)


def test_another_seed_or_purpose_is_another_draw(keys: DataFrame) -> None:
    drawn = keys.select(
        *(unit_hash(seed, salt).alias(f"{salt}{seed}") for seed, salt in ((1, "split"), (2, "split"), (1, "fold")))
    )
    for one, other in (("split1", "split2"), ("split1", "fold1")):
        correlation = drawn.stat.corr(one, other)
        assert abs(correlation) < SIGMAS / math.sqrt(ROWS), (one, other)
    low, high = drawn.agg(F.min("split1"), F.max("split1")).collect()[0]
    assert 0 <= low < 0.02
    assert 0.98 < high < 1


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_even_and_depend_only_on_the_key(keys: DataFrame, folds: int) -> None:
    def get_folds(rows: DataFrame) -> dict[tuple[str, datetime], int]:
        return {(r[0], r[1]): r[2] for r in rows.select("sensor_id", "timestamp", fold_column(folds, 42)).collect()}

    by_key = get_folds(keys)
    counts = Counter(by_key.values())
    assert set(counts) == set(range(folds))
    assert all(is_near(count / ROWS, 1 / folds, ROWS) for count in counts.values()), counts
    part = get_folds(keys.where(F.col("sensor_id") < "s2").repartition(5))
    assert part == {key: by_key[key] for key in part}
    assert len(part) > 0


def test_folds_of_train_are_even_too(keys: DataFrame) -> None:
    """Check that folds and splits use different hashes. Otherwise some folds of train would be empty."""
    train = with_split(keys, SplitSettings(train=0.5, test=0.5), 42).where(F.col(SPLIT) == TRAIN)
    counts = Counter(row[0] for row in train.select(fold_column(5, 42)).collect())
    rows = sum(counts.values())
    assert all(is_near(counts[fold] / rows, 0.2, rows) for fold in range(5)), counts
