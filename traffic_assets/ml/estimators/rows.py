"""Random samples of rows, by a hash of a column that identifies the row, never by the row's position."""

from pyspark.sql import DataFrame

from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.splits.hashing import row_hash


def require_rows(dataset: DataFrame, row: str) -> None:
    """Raise if the rows lack the column that identifies them.

    Raises:
        ValueError: If there is no such column.
    """
    if row not in dataset.columns:
        raise ValueError(messages.NO_ROW_COLUMN(column=row, columns=dataset.columns))


def rows_in_order(dataset: DataFrame, row: str, seed: int, salt: str) -> DataFrame:
    """Return the rows in a random order that the seed defines; the first of them are a random sample."""
    return dataset.orderBy(row_hash(row, seed, salt), row)
