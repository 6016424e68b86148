"""The split of each row: a function of its key, never of its position or partition.

A row is assigned by a hash of (sensor_id, timestamp, seed), so it is in the same split on every cluster, day and
partitioning.

    random       |----------- train -----------|- validation -|--- test ---|   rows, by hash
    temporal     time ->  train train train train | validation | test          rows, by time
    sensor       sensors  train train train train | validation | test          whole sensors, by rank of their hash

If the validation share is 0, the share `carved_validation` of train becomes validation. Its rows, or its sensors if
whole sensors are split, are chosen by hash.
"""

from collections.abc import Sequence
from itertools import accumulate

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.readings import KEYS
from traffic_assets.messages import splits as messages
from traffic_assets.ml.splits.hashing import sensor_hash, unit_hash
from traffic_assets.ml.splits.shares import SPLIT, SPLITS, TEST, TRAIN, VALIDATION, sensor_counts
from traffic_assets.settings.training import SplitSettings

_QUANTILE_ACCURACY = 100_000


def split_column(rows: DataFrame, split: SplitSettings, seed: int) -> Column:
    """Return the split of each row as a column.

    The rows are read to find the instants or sensors at which a split begins. The column depends only on the key.

    Args:
        rows: Feature rows with the key columns.
        split: Kind and shares.
        seed: Seed for the hash.

    Raises:
        ValueError: If there are no rows to split in time, or too few sensors for the splits.
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
    """Return the rows with their split in the column `split`.

    Raises:
        ValueError: If there are no rows to split in time, or too few sensors for the splits.
    """
    return rows.withColumn(SPLIT, split_column(rows, split, seed))


def sensors_by_hash(rows: DataFrame, seed: int, salt: str) -> list[float]:
    """Return the sorted hashes (`sensor_hash`) of the rows' sensors; the driver collects one number per sensor."""
    hashes = rows.select(KEYS[0]).distinct().select(sensor_hash(seed, salt).alias("hash")).collect()
    return sorted(row["hash"] for row in hashes)


def sensor_part(ranked: Sequence[float], begins: Sequence[int], seed: int, salt: str) -> Column:
    """Return the part of each row, by the rank of its sensor's hash.

    Ranks give parts of exact size. Bounds on the hash itself would give very uneven parts for few sensors.

    Args:
        ranked: Sorted hashes of the sensors (`sensors_by_hash`).
        begins: Rank of the first sensor of each part except the first.
        seed: Seed for the hash.
        salt: Purpose of the hash.
    """
    cuts = [ranked[rank] for rank in begins]
    return sum(((sensor_hash(seed, salt) >= cut).cast("int") for cut in cuts), F.lit(0))


def time_quantiles(rows: DataFrame, shares: list[float]) -> list[int]:
    """Return the instants (seconds since 1970) with the given shares of the rows before them.

    Raises:
        ValueError: If there are no rows.
    """
    seconds = F.col("timestamp").cast("long")
    instants = rows.agg(F.percentile_approx(seconds, shares, _QUANTILE_ACCURACY).alias("at")).collect()[0]["at"]
    if instants is None:
        raise ValueError(messages.NO_ROWS())
    return list(instants)
