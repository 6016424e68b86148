"""Which rows an estimator draws or sets aside: by a hash of a column that stands for the row, never by its place."""

from pyspark.sql import DataFrame

from traffic_assets.ml.splits.hashing import row_hash


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


def rows_in_order(dataset: DataFrame, row: str, seed: int, salt: str) -> DataFrame:
    """The rows in an order that the seed draws; the first of them are a random sample."""
    return dataset.orderBy(row_hash(row, seed, salt), row)
