"""The audit of the splits: rows and sensors of each split, and keys that are in more than one."""

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.messages import splits as messages
from traffic_assets.ml.splits.shares import SPLIT, SPLITS


def audit_sensors(rows: DataFrame) -> tuple[dict[str, int], int]:
    """Return the number of sensors in each split, and the number of sensors that are in more than one."""
    per_sensor = rows.groupBy(KEYS[0]).agg(*(F.max(F.col(SPLIT) == split).cast("int").alias(split) for split in SPLITS))
    held = sum((F.col(split) for split in SPLITS), F.lit(0))
    totals = per_sensor.agg(
        *(F.coalesce(F.sum(split), F.lit(0)).alias(split) for split in SPLITS), F.count_if(held > 1).alias("shared")
    ).collect()[0]
    return {split: totals[split] for split in SPLITS}, totals["shared"]


class SplitAudit(NamedTuple):
    """Rows and keys of the splits.

    Attributes:
        counts: Number of rows in each split.
        shared_keys: Number of keys that are in more than one split; expected to be 0.
        misplaced: Number of rows that are not in their key's split; expected to be 0.
    """

    counts: dict[str, int]
    shared_keys: int
    misplaced: int


def audit_splits(rows: DataFrame, split: Column) -> SplitAudit:
    """Count rows, shared keys and misplaced rows.

    If every row is in its key's split, no key is in two splits. One pass shows this; keys are grouped only otherwise.

    Args:
        rows: Rows with the key columns, and their actual split in the column `split`.
        split: Expected split of each key (`split_column`).
    """
    keys = rows.select(*KEYS, SPLIT)  # without other columns, the expected split can only depend on the key
    misplaced = F.count_if(~F.col(SPLIT).eqNullSafe(split)).alias("misplaced")
    totals = keys.agg(*(F.count_if(F.col(SPLIT) == name).alias(name) for name in SPLITS), misplaced).collect()[0]
    counts = {name: totals[name] for name in SPLITS}
    return SplitAudit(counts, _shared_keys(keys) if totals["misplaced"] else 0, totals["misplaced"])


def require_split_rows(counts: Mapping[str, int]) -> None:
    """Raise if a split has no rows.

    Args:
        counts: Number of rows in each split.

    Raises:
        ValueError: If a split has no rows.
    """
    for split, rows in counts.items():
        if not rows:
            raise ValueError(messages.EMPTY_SPLIT(split=split, rows=sum(counts.values()), counts=dict(counts)))


def _shared_keys(keys: DataFrame) -> int:
    """Return the number of keys that are in more than one split."""
    return keys.groupBy(*KEYS).agg(F.countDistinct(SPLIT).alias("held")).where("held > 1").count()
