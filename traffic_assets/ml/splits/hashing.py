"""Hashes of rows and sensors: the one place where a draw is made from a key.

A hash depends on the row's key, the seed and its purpose, never on the row's place or partition, so a row is drawn
alike on every cluster, day and partitioning.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS

_BUCKETS = 2**32


def unit_hash(seed: int, salt: str) -> Column:
    """A number in [0, 1) for each row, from xxHash64 of its key, the seed and what it is used for."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.col(KEYS[1]).cast("long"), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def sensor_hash(seed: int, salt: str) -> Column:
    """A number in [0, 1) for each sensor, the same for all its rows."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def fold_column(folds: int, seed: int) -> Column:
    """The fold of each row, 0 to folds - 1."""
    return F.floor(unit_hash(seed, "fold") * folds).cast("int")


def row_key() -> Column:
    """A whole number for each row: a hash of its key."""
    return F.xxhash64(F.col(KEYS[0]), F.col(KEYS[1]).cast("long"))


def calibration_half(seed: int) -> Column:
    """Whether a validation row calibrates intervals; the others stop fits early and decide promotions."""
    return unit_hash(seed, "halves") >= 0.5


def row_hash(row: str, seed: int, salt: str) -> Column:
    """A whole number for each row, from xxHash64 of its own, the seed and what it is used for."""
    return F.xxhash64(F.col(row), F.lit(seed), F.lit(salt))


def row_fold_column(row: str, folds: int, seed: int, salt: str) -> Column:
    """The fold of each row, 0 to folds - 1."""
    return F.pmod(row_hash(row, seed, salt), F.lit(folds))
