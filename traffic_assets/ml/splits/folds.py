"""Folds of the train rows: which rows each fold trains on and which it tests.

A fold is two conditions on a row, so it has the same rows on every cluster.

    random       by hash of the key          sensor       whole sensors, by hash: tests unseen places
    fold 0   [ test  ][ train ][ train ]        fold 0   A test     B train    C train
    fold 1   [ train ][ test  ][ train ]        fold 1   A train    B test     C train

    expanding    time ->                        sliding      time ->
    fold 0   [ train ]gap[ test ]               fold 0   [ train ]gap[ test ]
    fold 1   [ train   ]gap[ test ]             fold 1     [ train ]gap[ test ]
    fold 2   [ train     ]gap[ test ]           fold 2       [ train ]gap[ test ]

Time is cut at quantiles, so that every part has about the same number of rows. Sensors are cut at ranks of their
hash, so that the parts differ by one sensor at most. Rows of the test split are in no fold.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages import splits as messages
from traffic_assets.ml.splits.assign import sensor_part, sensors_by_hash, time_quantiles
from traffic_assets.ml.splits.hashing import fold_column

FoldKind = Literal["random", "sensor", "expanding", "sliding"]


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        train: Condition on the rows to fit on.
        test: Condition on the rows to evaluate on.
        title: Display name.
    """

    train: Column
    test: Column
    title: str


def make_folds(rows: DataFrame, kind: FoldKind, number: int, seed: int, gap_minutes: int = 0) -> list[Fold]:
    """Return the folds of train rows.

    Args:
        rows: Train rows; random folds do not read them.
        kind: Random, sensor, expanding or sliding.
        number: Number of folds, at least 2.
        seed: Seed for the hashes.
        gap_minutes: Minutes between the train and the test rows of a fold in time, so that lags do not overlap.

    Raises:
        ValueError: If there are no rows, or too few instants or sensors for this number of folds.
    """
    if kind in ("random", "sensor"):
        part = fold_column(number, seed) if kind == "random" else _sensor_fold(rows, number, seed)
        return [Fold(part != i, part == i, f"fold {i + 1} of {number}") for i in range(number)]
    seconds = F.col("timestamp").cast("long")
    cuts = time_quantiles(rows, [i / (number + 1) for i in range(number + 1)])
    cuts.append(2**62)  # the last part has no end
    if len(set(cuts)) < len(cuts):
        raise ValueError(messages.TOO_FEW_INSTANTS_FOR_FOLDS(folds=number, parts=number + 1))
    gap = gap_minutes * 60
    folds = []
    for i in range(number):
        begin = cuts[0] if kind == "expanding" else cuts[i]
        train = (seconds >= begin) & (seconds < cuts[i + 1] - gap)
        test = (seconds >= cuts[i + 1]) & (seconds < cuts[i + 2])
        at = datetime.fromtimestamp(cuts[i + 1], UTC)
        folds.append(Fold(train, test, f"fold {i + 1} of {number}, tested from {at:%Y-%m-%d %H:%M} UTC"))
    return folds


def _sensor_fold(rows: DataFrame, number: int, seed: int) -> Column:
    ranked = sensors_by_hash(rows, seed, "fold")
    if len(ranked) < number:
        raise ValueError(messages.TOO_FEW_SENSORS_FOR_FOLDS(folds=number, sensors=len(ranked)))
    return sensor_part(ranked, [round(i * len(ranked) / number) for i in range(1, number)], seed, "fold")
