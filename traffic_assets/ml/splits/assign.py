"""The split of each row: a function of its key, never of its place or partition.

A row is placed by a hash of (sensor_id, timestamp, seed), so it is in the same split on every cluster, day and
partitioning.

    random       |----------- train -----------|- validation -|--- test ---|   rows, by hash
    temporal     time ->  train train train train | validation | test          rows, by time
    sensor       sensors  train train train train | validation | test          whole sensors, by rank of their hash

If the settings give no validation share, a tenth of train is carved out for it, also by hash (of its sensors, if
whole sensors are split).
"""

from collections.abc import Sequence
from itertools import accumulate

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.ml.splits.hashing import sensor_hash, unit_hash
from traffic_assets.ml.splits.shares import SPLIT, SPLITS, TEST, TRAIN, VALIDATION, sensor_counts
from traffic_assets.settings.training import SplitSettings

_QUANTILE_ACCURACY = 100_000


def split_column(rows: DataFrame, split: SplitSettings, seed: int) -> Column:
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
    """The rows with their split in the column `split`; raises as `split_column`."""
    return rows.withColumn(SPLIT, split_column(rows, split, seed))


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
