"""Hashes of rows and sensors: every random draw from a key is made here.

A hash depends on the row's key, the seed and the purpose, never on the row's position or partition. Draws are
therefore the same on every cluster, day and partitioning.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS

_BUCKETS = 2**32


def unit_hash(seed: int, salt: str) -> Column:
    """Return a number in [0, 1) for each row, from xxHash64 of its key, the seed and the purpose (`salt`)."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.col(KEYS[1]).cast("long"), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def sensor_hash(seed: int, salt: str) -> Column:
    """Return a number in [0, 1) for each sensor, the same for all its rows."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def fold_column(folds: int, seed: int) -> Column:
    """Return the fold of each row, 0 to folds - 1, by its key."""
    return F.floor(unit_hash(seed, "fold") * folds).cast("int")


def row_key() -> Column:
    """Return an integer for each row: a hash of its key."""
    return F.xxhash64(F.col(KEYS[0]), F.col(KEYS[1]).cast("long"))


def calibration_half(seed: int) -> Column:
    """Return true for validation rows that calibrate intervals; the others stop fits early."""
    return unit_hash(seed, "halves") >= 0.5


def row_hash(row: str, seed: int, salt: str) -> Column:
    """Return an integer for each row, from xxHash64 of its column `row`, the seed and the purpose (`salt`)."""
    return F.xxhash64(F.col(row), F.lit(seed), F.lit(salt))


def row_fold_column(row: str, folds: int, seed: int, salt: str) -> Column:
    """Return the fold of each row, 0 to folds - 1, by its column `row`."""
    return F.pmod(row_hash(row, seed, salt), F.lit(folds))
