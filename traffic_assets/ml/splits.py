"""Which row belongs to which split, fold or half: functions of the row's key, never of its place or partition.

A row is placed by a hash of (sensor_id, timestamp, seed), so it lands in the same split on every cluster, day and
partitioning. Cross-validation itself lives in `cross_validation.py`.

    random       |----------- train -----------|- validation -|--- test ---|   rows, by hash
    temporal     time ->  train train train train | validation | test          rows, by time
    sensor       sensors  train train train train | validation | test          whole sensors, by rank of their hash

Where the settings give no validation share, a tenth of train is carved out for it, by hash as well (of its sensors,
where whole sensors are split).
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.shares import SPLIT, SPLITS, TEST, TRAIN, VALIDATION, sensor_counts
from traffic_assets.settings.training import SplitSettings

_BUCKETS = 2**32
_QUANTILE_ACCURACY = 100_000


def unit_hash(seed: int, salt: str) -> Column:
    """A number in [0, 1) for each row, from xxHash64 of its key, the seed and what it is used for."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.col(KEYS[1]).cast("long"), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def sensor_hash(seed: int, salt: str) -> Column:
    """A number in [0, 1) for each sensor, the same for all its rows."""
    hashed = F.xxhash64(F.col(KEYS[0]), F.lit(seed), F.lit(salt))
    return F.pmod(hashed, F.lit(_BUCKETS)) / _BUCKETS


def split_of(rows: DataFrame, split: SplitSettings, seed: int) -> Column:
    """The split of each row: of its key alone, once the instants or sensors where a split begins are known.

    Args:
        rows: feature rows with the key columns.
        split: kind and shares.
        seed: of the hash.

    Raises:
        ValueError: without rows to split in time, or with too few sensors to split them.
    """
    if split.kind == "sensor":
        ranked = sensors_by_hash(rows, seed, "split")
        counts = list(sensor_counts(split, len(ranked)).values())
        part = sensor_part(ranked, list(accumulate(counts[:-1])), seed, "split")
        return F.element_at(F.array(*map(F.lit, SPLITS)), part + 1)
    if split.kind == "random":
        position = unit_hash(seed, "split")
        first, second = F.lit(split.train), F.lit(split.train + split.validation)
    else:
        position = F.col("timestamp").cast("long")
        first, second = (F.lit(t) for t in time_quantiles(rows, [split.train, split.train + split.validation]))
    assigned = F.when(position < first, TRAIN).when(position < second, VALIDATION).otherwise(TEST)
    if split.validation == 0:
        carved = (assigned == TRAIN) & (unit_hash(seed, "carve") < split.carved_validation)
        assigned = F.when(carved, VALIDATION).otherwise(assigned)
    return assigned


def with_split(rows: DataFrame, split: SplitSettings, seed: int) -> DataFrame:
    """The rows with their split in the column `split`; raises as `split_of`."""
    return rows.withColumn(SPLIT, split_of(rows, split, seed))


def sensors_by_hash(rows: DataFrame, seed: int, salt: str) -> list[float]:
    """The hash of every sensor of some rows (`sensor_hash`), in order; one number a sensor comes back."""
    hashes = rows.select(KEYS[0]).distinct().select(sensor_hash(seed, salt).alias("hash")).collect()
    return sorted(row["hash"] for row in hashes)


def sensor_part(ranked: Sequence[float], begins: Sequence[int], seed: int, salt: str) -> Column:
    """The part of each row where its sensor, by rank of its hash, decides.

    The ranks of the sensors that are there decide, and not their hash alone: few of them would else lie anyhow.

    Args:
        ranked: the hashes of the sensors, in order (`sensors_by_hash`).
        begins: the rank at which each part but the first begins.
        seed: of the hash.
        salt: what it is used for.
    """
    cuts = [ranked[rank] for rank in begins]
    return sum(((sensor_hash(seed, salt) >= cut).cast("int") for cut in cuts), F.lit(0))


def time_quantiles(rows: DataFrame, shares: list[float]) -> list[int]:
    """The instants (seconds since 1970) before which the given shares of the rows lie.

    Raises:
        ValueError: without rows.
    """
    seconds = F.col("timestamp").cast("long")
    found = rows.agg(F.percentile_approx(seconds, shares, _QUANTILE_ACCURACY).alias("at")).collect()[0]["at"]
    if found is None:
        raise ValueError("no rows to split in time: the training window is empty")
    return list(found)


def fold_of(folds: int, seed: int) -> Column:
    """The fold of each row, 0 to folds - 1."""
    return F.floor(unit_hash(seed, "fold") * folds).cast("int")


def sensor_census(rows: DataFrame) -> tuple[dict[str, int], int]:
    """How many sensors each split has, and how many lie in more than one."""
    per_sensor = rows.groupBy(KEYS[0]).agg(*(F.max(F.col(SPLIT) == split).cast("int").alias(split) for split in SPLITS))
    held = sum((F.col(split) for split in SPLITS), F.lit(0))
    found = per_sensor.agg(
        *(F.coalesce(F.sum(split), F.lit(0)).alias(split) for split in SPLITS), F.count_if(held > 1).alias("shared")
    ).collect()[0]
    return {split: found[split] for split in SPLITS}, found["shared"]


class Census(NamedTuple):
    """What lies in the splits.

    Attributes:
        counts: rows of each split.
        shared_keys: keys that lie in more than one; 0 is the only good answer.
        misplaced: rows that lie in another than their key's; 0 as well.
    """

    counts: dict[str, int]
    shared_keys: int
    misplaced: int


def census(rows: DataFrame, split: Column) -> Census:
    """Count what lies in the splits.

    Args:
        rows: with the key columns, and in the column `split` where they lie.
        split: where a key belongs (`split_of`). Where every row lies there, no key lies in two splits, and one pass
            shows it; only otherwise are keys counted one by one.
    """
    keys = rows.select(*KEYS, SPLIT)  # where a key belongs can hang on nothing else
    misplaced = F.count_if(~F.col(SPLIT).eqNullSafe(split)).alias("misplaced")
    found = keys.agg(*(F.count_if(F.col(SPLIT) == name).alias(name) for name in SPLITS), misplaced).collect()[0]
    counts = {name: found[name] for name in SPLITS}
    return Census(counts, _shared_keys(keys) if found["misplaced"] else 0, found["misplaced"])


def _shared_keys(keys: DataFrame) -> int:
    """How many keys lie in more than one split."""
    return keys.groupBy(*KEYS).agg(F.countDistinct(SPLIT).alias("held")).where("held > 1").count()
