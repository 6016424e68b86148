"""Where rows lie in time and among the sensors, and what each fold or split makes of them: what pictures of them show.

Which rows a fold or a split holds is said in `folds.py` and `splits.py`; drawing is in `plots.py`.
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

FOLD_ROLES = ("fitted", "gap", "judged", "left out")
_FITTED, _GAP, _JUDGED, _LEFT_OUT = range(len(FOLD_ROLES))


@dataclass(frozen=True)
class Placement:
    """Some rows, and their roles.

    Attributes:
        at: instants, seconds since 1970, shape (rows,).
        sensors: names of the sensors, in order.
        sensor: of each row its place among `sensors`, shape (rows,).
        names: of the roles.
        roles: by panel of the picture, of each row the place of its role among `names`, shape (rows,).
    """

    at: NDArray[np.int64]
    sensors: tuple[str, ...]
    sensor: NDArray[np.int64]
    names: tuple[str, ...]
    roles: dict[str, NDArray[np.int64]]


def place_folds(rows: DataFrame, folds: Sequence[Fold], total: int, points: int, seed: int) -> Placement:
    """What each fold makes of about `points` of the rows, chosen by hash on Spark.

    Rows that a fold leaves out between what it fits and what it judges are its gap.

    Args:
        rows: train rows, of which `total` is the number.
        folds: of these rows.
        total: number of rows.
        points: how many to draw, about.
        seed: of the hash.
    """
    roles = {f.title: F.when(f.train, _FITTED).when(f.test, _JUDGED).otherwise(_LEFT_OUT) for f in folds}
    found = _placement(rows, roles, FOLD_ROLES, total, points, seed)
    for role in found.roles.values():
        fitted, judged = found.at[role == _FITTED], found.at[role == _JUDGED]
        if fitted.size and judged.size:
            between = (found.at > fitted.max()) & (found.at < judged.min())
            role[(role == _LEFT_OUT) & between] = _GAP
    return found


def place_split(rows: DataFrame, title: str, total: int, points: int, seed: int) -> Placement:
    """The split of about `points` of the rows (column `split`); arguments as in `place_folds`."""
    role = F.array_position(F.array(*map(F.lit, SPLITS)), F.col(SPLIT)) - 1
    return _placement(rows, {title: role}, SPLITS, total, points, seed)


def _placement(
    rows: DataFrame, roles: Mapping[str, Column], names: tuple[str, ...], total: int, points: int, seed: int
) -> Placement:
    # the limit only guards against a wrong total: which rows it leaves out would hang on their order
    drawn = rows.where(unit_hash(seed, "picture") < min(1.0, points / max(total, 1))).limit(2 * points)
    columns = [role.cast("long").alias(f"role_{i}") for i, role in enumerate(roles.values())]
    found: Any = drawn.select(KEYS[0], F.col(KEYS[1]).cast("long").alias("at"), *columns).toPandas()
    sensors, place = np.unique(found[KEYS[0]].to_numpy().astype(str), return_inverse=True)
    return Placement(
        at=found["at"].to_numpy(),
        sensors=tuple(sensors.tolist()),
        sensor=place,
        names=names,
        roles={title: found[f"role_{i}"].to_numpy(copy=True) for i, title in enumerate(roles)},
    )
