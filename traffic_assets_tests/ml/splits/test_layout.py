"""Placement: each sampled row has the role that its fold or split gives it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from pyspark.sql import functions as F

from traffic_assets.ml.plots.layout import plot_layout
from traffic_assets.ml.splits.assign import with_split
from traffic_assets.ml.splits.folds import FoldKind, make_folds
from traffic_assets.ml.splits.layout import place_folds, place_split
from traffic_assets.settings.training import SplitSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

START = datetime(2026, 1, 5, tzinfo=UTC)
SENSORS, STEPS, SEED, GAP_MINUTES = 6, 40, 42, 120
TOTAL = SENSORS * STEPS


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Iterator[DataFrame]:
    table = [(f"s{s}", START + i * timedelta(hours=1)) for s in range(SENSORS) for i in range(STEPS)]
    frame = spark.createDataFrame(table, "sensor_id string, timestamp timestamp").cache()
    yield frame
    frame.unpersist()


@pytest.mark.parametrize("kind", get_args(FoldKind))
def test_every_row_has_its_role_in_the_fold(rows: DataFrame, kind: FoldKind) -> None:
    folds = make_folds(rows, kind, 3, SEED, GAP_MINUTES)
    placement = place_folds(rows, folds, TOTAL, TOTAL, SEED)
    assert placement.at.size == TOTAL
    assert placement.sensors == tuple(f"s{i}" for i in range(SENSORS))
    for fold in folds:
        role = placement.roles[fold.title]
        for name, condition in (("train", fold.train), ("test", fold.test)):
            held = rows.where(condition).select("sensor_id", F.col("timestamp").cast("long").alias("at")).collect()
            these = role == placement.names.index(name)
            drawn = zip(placement.sensor[these], placement.at[these], strict=True)
            assert {(placement.sensors[s], at) for s, at in drawn} == {(row["sensor_id"], row["at"]) for row in held}
        gap = placement.at[role == placement.names.index("gap")]
        if kind in ("random", "sensor"):
            assert gap.size == 0
        else:
            assert sorted(set(np.unique(gap) - gap.min())) == [0, 3600], "two rows, one hour apart"


def test_every_row_has_its_split(rows: DataFrame) -> None:
    settings = SplitSettings(kind="temporal", train=0.7, validation=0.2, test=0.1)
    placement = place_split(with_split(rows, settings, SEED), "the week", TOTAL, TOTAL, SEED)
    role = placement.roles["the week"]
    ends = {
        name: (placement.at[role == i].min(), placement.at[role == i].max()) for i, name in enumerate(placement.names)
    }
    assert ends["train"][1] < ends["validation"][0] < ends["validation"][1] < ends["test"][0]


def test_the_sample_is_small_and_always_the_same(rows: DataFrame) -> None:
    split = with_split(rows, SplitSettings(), SEED)
    first, again = (place_split(split.repartition(n), "", TOTAL, 60, SEED) for n in (1, 5))
    assert 30 < first.at.size < 90
    assert sorted(zip(first.at, first.sensor, strict=True)) == sorted(zip(again.at, again.sensor, strict=True))


def test_placements_of_all_kinds_can_be_plotted(rows: DataFrame) -> None:
    drawn = [
        plot_layout(place_folds(rows, make_folds(rows, kind, 3, SEED), TOTAL, TOTAL, SEED), "folds")
        for kind in get_args(FoldKind)
    ]
    assert all(png.startswith(b"\x89PNG") for png in drawn)
    assert len(set(drawn)) == len(drawn)
