"""The audit of the splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from traffic_assets.ml.splits.assign import split_column, with_split
from traffic_assets.ml.splits.audit import audit_sensors, audit_splits, require_split_rows
from traffic_assets.ml.splits.shares import SPLIT, SPLITS, TEST, TRAIN, sensor_counts
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.ml.splits.keys import SENSORS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def test_the_sensor_audit_counts_sensors_and_shared_ones(keys: DataFrame) -> None:
    placed = with_split(keys, SplitSettings(kind="sensor"), 42)
    expected = sensor_counts(SplitSettings(kind="sensor"), SENSORS)
    assert audit_sensors(placed) == (expected, 0)
    one = placed.where(F.col(SPLIT) == TRAIN).orderBy("sensor_id").limit(1).withColumn(SPLIT, F.lit(TEST))
    assert audit_sensors(placed.union(one)) == ({**expected, TEST: expected[TEST] + 1}, 1)
    assert audit_sensors(placed.limit(0)) == (dict.fromkeys(SPLITS, 0), 0)


@pytest.mark.parametrize("kind", ["random", "temporal", "sensor"])
def test_the_audit_counts_rows_and_shared_keys(keys: DataFrame, kind: Any) -> None:
    split = SplitSettings(kind=kind)
    place, placed = split_column(keys, split, 42), with_split(keys, split, 42).cache()
    counts, shared, misplaced = audit_splits(placed, place)
    assert counts == {split: placed.where(F.col(SPLIT) == split).count() for split in SPLITS}
    assert (shared, misplaced) == (0, 0)
    three = placed.where(F.col(SPLIT) == TRAIN).orderBy("sensor_id", "timestamp").limit(3)
    assert audit_splits(placed.union(three), place)[1:] == (0, 0), "two copies of a row in one split are not shared"
    moved = three.withColumn(SPLIT, F.lit(TEST))
    assert audit_splits(placed.union(moved), place) == ({**counts, TEST: counts[TEST] + 3}, 3, 3)
    assert audit_splits(placed.limit(0), place) == (dict.fromkeys(SPLITS, 0), 0, 0)
    elsewhere = placed.withColumn(SPLIT, F.when(F.col(SPLIT) == TRAIN, TEST).otherwise(TRAIN))
    assert audit_splits(elsewhere, place)[1:] == (0, placed.count()), "a misplaced key may still be in one split only"
    placed.unpersist()


def test_a_split_that_depends_on_another_column_is_refused(keys: DataFrame) -> None:
    by_flow = keys.withColumn("flow", F.rand(1))
    with pytest.raises(AnalysisException, match="flow"):
        audit_splits(with_split(by_flow, SplitSettings(), 42), F.when(F.col("flow") < 0.5, TRAIN).otherwise(TEST))


def test_a_split_without_rows_is_refused() -> None:
    require_split_rows({"train": 4, "validation": 1, "test": 1})
    with pytest.raises(ValueError) as refused:
        require_split_rows({"train": 5, "validation": 0, "test": 1})
    assert get_code(refused.value) == "splits.empty-split"
    assert get_values(refused.value)["split"] == "validation"
    assert get_values(refused.value)["rows"] == 6
