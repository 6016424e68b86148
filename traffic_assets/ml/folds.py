"""Which rows each fold fits and judges. A fold is two conditions on a row, so it holds the same rows everywhere.

    random       by hash of the key          sensor       whole sensors, by hash: judged on unseen places
    fold 0   [ judged ][  fit   ][  fit   ]     fold 0   A judged   B fit      C fit
    fold 1   [  fit   ][ judged ][  fit   ]     fold 1   A fit      B judged   C fit

    expanding    time ->                        sliding      time ->
    fold 0   [ fit ]gap[ judged ]               fold 0   [ fit ]gap[ judged ]
    fold 1   [ fit     ]gap[ judged ]           fold 1       [ fit ]gap[ judged ]
    fold 2   [ fit         ]gap[ judged ]       fold 2           [ fit ]gap[ judged ]

Time is cut at quantiles, so that every part holds about as many rows, and sensors at ranks of their hash, so that every
part holds as many but for one. No row of the test split ever comes here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.splits.assign import sensor_part, sensors_by_hash, time_quantiles
from traffic_assets.ml.splits.hashing import fold_of

FoldKind = Literal["random", "sensor", "expanding", "sliding"]


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        fit: condition of the rows to fit on.
        judged: condition of the rows to judge.
        title: what it is, for people.
    """

    fit: Column
    judged: Column
    title: str


def folds_of(rows: DataFrame, kind: FoldKind, number: int, seed: int, gap_minutes: int = 0) -> list[Fold]:
    """The folds of some train rows.

    Args:
        rows: train rows; not looked at for random folds.
        kind: random, sensor, expanding or sliding.
        number: of folds, at least 2.
        seed: of the hashes.
        gap_minutes: time between what is fitted and what is judged, so that lags do not reach across.

    Raises:
        ValueError: without rows, or where too few instants or sensors make a fold empty.
    """
    if kind in ("random", "sensor"):
        part = fold_of(number, seed) if kind == "random" else _sensor_fold(rows, number, seed)
        return [Fold(part != i, part == i, f"fold {i + 1} of {number}") for i in range(number)]
    seconds = F.col("timestamp").cast("long")
    cuts = time_quantiles(rows, [i / (number + 1) for i in range(number + 1)])
    cuts.append(2**62)  # the last part has no end
    if len(set(cuts)) < len(cuts):
        raise ValueError(f"{number} folds in time need more instants than the train rows have")
    gap = gap_minutes * 60
    found = []
    for i in range(number):
        begin = cuts[0] if kind == "expanding" else cuts[i]
        fit = (seconds >= begin) & (seconds < cuts[i + 1] - gap)
        judged = (seconds >= cuts[i + 1]) & (seconds < cuts[i + 2])
        at = datetime.fromtimestamp(cuts[i + 1], UTC)
        found.append(Fold(fit, judged, f"fold {i + 1} of {number}, judged from {at:%Y-%m-%d %H:%M} UTC"))
    return found


def _sensor_fold(rows: DataFrame, number: int, seed: int) -> Column:
    ranked = sensors_by_hash(rows, seed, "fold")
    if len(ranked) < number:
        raise ValueError(f"{number} folds by sensor need as many sensors, and the train rows are of {len(ranked)}")
    return sensor_part(ranked, [round(i * len(ranked) / number) for i in range(1, number)], seed, "fold")
