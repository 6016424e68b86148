"""The audit of the splits: how many rows and sensors each has, and whether any key is in two of them."""

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.splits.shares import SPLIT, SPLITS


def audit_sensors(rows: DataFrame) -> tuple[dict[str, int], int]:
    """How many sensors each split has, and how many lie in more than one."""
    per_sensor = rows.groupBy(KEYS[0]).agg(*(F.max(F.col(SPLIT) == split).cast("int").alias(split) for split in SPLITS))
    held = sum((F.col(split) for split in SPLITS), F.lit(0))
    found = per_sensor.agg(
        *(F.coalesce(F.sum(split), F.lit(0)).alias(split) for split in SPLITS), F.count_if(held > 1).alias("shared")
    ).collect()[0]
    return {split: found[split] for split in SPLITS}, found["shared"]


class SplitAudit(NamedTuple):
    """What lies in the splits.

    Attributes:
        counts: rows of each split.
        shared_keys: keys that lie in more than one; 0 is the only good answer.
        misplaced: rows that lie in another than their key's; 0 as well.
    """

    counts: dict[str, int]
    shared_keys: int
    misplaced: int


def audit_splits(rows: DataFrame, split: Column) -> SplitAudit:
    """Count what lies in the splits.

    Args:
        rows: with the key columns, and in the column `split` where they lie.
        split: where a key belongs (`split_column`). Where every row lies there, no key lies in two splits, and one pass
            shows it; only otherwise are keys counted one by one.
    """
    keys = rows.select(*KEYS, SPLIT)  # where a key belongs can hang on nothing else
    misplaced = F.count_if(~F.col(SPLIT).eqNullSafe(split)).alias("misplaced")
    found = keys.agg(*(F.count_if(F.col(SPLIT) == name).alias(name) for name in SPLITS), misplaced).collect()[0]
    counts = {name: found[name] for name in SPLITS}
    return SplitAudit(counts, _shared_keys(keys) if found["misplaced"] else 0, found["misplaced"])


def _shared_keys(keys: DataFrame) -> int:
    """How many keys lie in more than one split."""
    return keys.groupBy(*KEYS).agg(F.countDistinct(SPLIT).alias("held")).where("held > 1").count()
