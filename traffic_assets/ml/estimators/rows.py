"""Which rows an estimator draws or sets aside: by a hash of a column that stands for the row, never by its place."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def require_rows(dataset: DataFrame, row: str) -> None:
    """Refuse rows that nothing tells apart.

    Raises:
        ValueError: naming the column that is missing.
    """
    if row not in dataset.columns:
        raise ValueError(
            f"the rows have no column {row!r} (they have {', '.join(dataset.columns)}): add a whole number that stands "
            f"for each row, such as xxhash64(sensor_id, timestamp); rows are drawn by it"
        )


def row_hash(row: str, seed: int, salt: str) -> Column:
    """A whole number for each row, from xxHash64 of its own, the seed and what it is used for."""
    return F.xxhash64(F.col(row), F.lit(seed), F.lit(salt))


def rows_in_order(dataset: DataFrame, row: str, seed: int, salt: str) -> DataFrame:
    """The rows in an order that the seed draws; the first of them are a random sample."""
    return dataset.orderBy(row_hash(row, seed, salt), row)


def fold_of(row: str, folds: int, seed: int, salt: str) -> Column:
    """The fold of each row, 0 to folds - 1."""
    return F.pmod(row_hash(row, seed, salt), F.lit(folds))
