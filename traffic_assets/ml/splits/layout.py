"""A sample of rows by time and sensor, with their roles in each fold or split, for figures.

`folds.py` and `assign.py` define the roles; `ml/plots/layout.py` draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.splits.folds import Fold
from traffic_assets.ml.splits.hashing import unit_hash
from traffic_assets.ml.splits.shares import SPLIT, SPLITS

FOLD_ROLES = ("train", "gap", "test", "left out")
_TRAIN, _GAP, _TEST, _LEFT_OUT = range(len(FOLD_ROLES))


@dataclass(frozen=True)
class Placement:
    """Rows and their roles.

    Attributes:
        at: Instants, seconds since 1970, shape (rows,).
        sensors: Sorted names of the sensors.
        sensor: Index of each row's sensor in `sensors`, shape (rows,).
        names: Names of the roles.
        roles: Index of each row's role in `names`, shape (rows,), by panel of the figure.
    """

    at: NDArray[np.int64]
    sensors: tuple[str, ...]
    sensor: NDArray[np.int64]
    names: tuple[str, ...]
    roles: dict[str, NDArray[np.int64]]


def place_folds(rows: DataFrame, folds: Sequence[Fold], total: int, points: int, seed: int) -> Placement:
    """Return the role of about `points` rows in each fold; Spark samples them by hash.

    The gap of a fold is its unused rows between its train and its test rows.

    Args:
        rows: Train rows.
        folds: Folds of these rows.
        total: Number of these rows.
        points: Approximate number of rows to sample.
        seed: Seed for the hash.
    """
    roles = {f.title: F.when(f.train, _TRAIN).when(f.test, _TEST).otherwise(_LEFT_OUT) for f in folds}
    placement = _placement(rows, roles, FOLD_ROLES, total, points, seed)
    for role in placement.roles.values():
        train, test = placement.at[role == _TRAIN], placement.at[role == _TEST]
        if train.size and test.size:
            between = (placement.at > train.max()) & (placement.at < test.min())
            role[(role == _LEFT_OUT) & between] = _GAP
    return placement


def place_split(rows: DataFrame, title: str, total: int, points: int, seed: int) -> Placement:
    """Return the split (column `split`) of about `points` rows, sampled as by `place_folds`."""
    role = F.array_position(F.array(*map(F.lit, SPLITS)), F.col(SPLIT)) - 1
    return _placement(rows, {title: role}, SPLITS, total, points, seed)


def _placement(
    rows: DataFrame, roles: Mapping[str, Column], names: tuple[str, ...], total: int, points: int, seed: int
) -> Placement:
    # the limit only guards against a wrong total; if it applied, the sample would depend on the order of the rows
    sample = rows.where(unit_hash(seed, "picture") < min(1.0, points / max(total, 1))).limit(2 * points)
    columns = [role.cast("long").alias(f"role_{i}") for i, role in enumerate(roles.values())]
    frame: Any = sample.select(KEYS[0], F.col(KEYS[1]).cast("long").alias("at"), *columns).toPandas()
    sensors, place = np.unique(frame[KEYS[0]].to_numpy().astype(str), return_inverse=True)
    return Placement(
        at=frame["at"].to_numpy(),
        sensors=tuple(sensors.tolist()),
        sensor=place,
        names=names,
        roles={title: frame[f"role_{i}"].to_numpy(copy=True) for i, title in enumerate(roles)},
    )
