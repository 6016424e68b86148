"""The checks on the splits and the preprocessor, which all lanes share."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from traffic_assets.assets.keys import add_target_prefix, asset_key
from traffic_assets.assets.training import PREPROCESSOR, SPLIT_ASSETS
from traffic_assets.checks.results import check_result
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.messages import checks as messages
from traffic_assets.ml.splits.shares import SPLITS, Shares, sensor_counts
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings
from traffic_assets.settings.training import SplitSettings

RATIO_TOLERANCE = 0.01
STANDARDIZED_TOLERANCE = 1e-6
DESCRIPTIONS = {
    "split_ratios_hold": "The splits have their configured shares of the rows, or of the sensors if whole sensors are "
    "split.",
    "no_shared_key": "No row is in two splits, nor is any sensor if training.split.kind is sensor.",
    "no_null_in_vector": "The vector that models are fitted on has no null, NaN or infinity.",
    "standardised": "Varying columns of the vector have mean 0 and standard deviation 1 on the train rows.",
}


def ratio_tolerance(share: float, rows: int) -> float:
    """Return the allowed distance of a split's share: one percentage point, or 4 standard errors if that is more.

    A hash places each row, so a share varies like that of a random sample. For a share of 80%, 4 standard errors are
    less than one percentage point from 26,000 rows on.

    >>> ratio_tolerance(0.8, 1_000_000)
    0.01
    """
    return max(RATIO_TOLERANCE, 4 * math.sqrt(share * (1 - share) / max(rows, 1)))


def build(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Return the checks on the assets that all lanes share."""
    train, split = SPLIT_ASSETS["train"], settings.training.split
    preprocessors = [add_target_prefix(PREPROCESSOR, target) for target in settings.training.targets]
    return [
        _record_check("split_ratios_hold", train, lambda record: evaluate_split(record, split), settings),
        _record_check("no_shared_key", train, evaluate_shared_keys, settings),
        *(_record_check("no_null_in_vector", key, evaluate_nulls, settings) for key in preprocessors),
        *(_record_check("standardised", key, evaluate_standardization, settings) for key in preprocessors),
    ]


def evaluate_split(record: Mapping[str, Any], split: SplitSettings) -> dg.AssetCheckResult:
    """Check that the splits have their configured shares: of the sensors if whole sensors are split."""
    if split.kind == "sensor":
        return evaluate_sensors(record, split)
    return evaluate_ratios(record, Shares.from_settings(split))


def evaluate_sensors(record: Mapping[str, Any], split: SplitSettings) -> dg.AssetCheckResult:
    """Check that each split has its share of the sensors, rounded to whole sensors; few sensors cannot come closer."""
    sensors = record["sensors"]
    total = sum(sensors.values())
    expected = sensor_counts(split, total)
    passed = all(sensors[s] > 0 and abs(sensors[s] - expected[s]) <= 1 for s in SPLITS)
    return check_result(
        "Each split has its share of the sensors, rounded to whole sensors; the shares of the rows follow from it.",
        None if passed else messages.SENSOR_SHARES(sensors=sensors, expected=expected),
        {
            "sensors": sensors,
            "expected_sensors": expected,
            "shares_of_sensors": {s: sensors[s] / total for s in SPLITS},
            "expected": {s: getattr(Shares.from_settings(split), s) for s in SPLITS},
            "rows": record["counts"],
        },
    )


def evaluate_ratios(record: Mapping[str, Any], expected: Shares) -> dg.AssetCheckResult:
    """Check that the splits have their configured shares of the rows."""
    total = sum(record["counts"].values())
    shares = {split: record["counts"][split] / total if total else 0.0 for split in SPLITS}
    configured = {split: getattr(expected, split) for split in SPLITS}
    tolerance = {split: ratio_tolerance(configured[split], total) for split in SPLITS}
    passed = total > 0 and all(abs(shares[s] - configured[s]) <= tolerance[s] for s in SPLITS)
    rounded = {split: round(value, 4) for split, value in tolerance.items()}
    return check_result(
        "The shares of the rows are within one percentage point of the settings, or 4 standard errors for few rows.",
        None if passed else messages.ROW_SHARES(shares=shares, expected=configured, tolerance=rounded),
        {"shares": shares, "expected": configured, "allowed_distance": tolerance, "rows": total},
    )


def evaluate_shared_keys(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that every key is in its own split only, and every sensor too if whole sensors are split."""
    counts = {name: record[name] for name in ("shared_keys", "misplaced", "shared_sensors") if name in record}
    subject = "sensor" if "shared_sensors" in counts else "(sensor, timestamp)"
    return check_result(
        f"No {subject} is in two splits, and no row is in the wrong one.",
        messages.SHARED_KEYS(counts=counts) if any(counts.values()) else None,
        counts,
    )


def evaluate_nulls(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that the vector of the train rows is complete."""
    nulls = record["vector"]["nulls"]
    return check_result(
        "The vector has no null, NaN or infinity.",
        messages.INCOMPLETE_VECTOR(slots=nulls) if nulls else None,
        {"slots": nulls, "rows": record["vector"]["rows"]},
    )


def evaluate_standardization(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that the varying slots are standardized on the train rows; the metadata lists constant slots."""
    vector = record["vector"]
    if not record.get("scaled", True):
        return check_result("Not applicable: no enabled model needs a scaled vector.", None, {})
    if (scaler := record["features"]["preparation"]["scaler"]) != "standard":
        return check_result(f"Not applicable: the scaler is {scaler}.", None, {})
    mean, deviation = vector["worst_mean"], vector["worst_deviation"]
    passed = max(mean, deviation) <= STANDARDIZED_TOLERANCE
    failed = messages.NOT_STANDARDIZED(mean=mean, deviation=deviation, tolerance=STANDARDIZED_TOLERANCE)
    return check_result(
        "Varying columns have mean 0 and standard deviation 1 on the train rows.",
        None if passed else failed,
        {name: vector[name] for name in ("worst_mean", "worst_deviation", "constant")},
    )


def _record_check(
    name: str, asset: str, evaluate_record: Callable[[dict[str, Any]], dg.AssetCheckResult], settings: Settings
) -> dg.AssetChecksDefinition:
    """Return a blocking check on the record that an asset stored with this week's generation."""

    @dg.asset_check(
        asset=asset_key(asset),
        name=name,
        blocking=True,
        partitions_def=build_weekly_partitions(settings),
        description=DESCRIPTIONS[name],
    )
    @fails_with_code
    def check(context: dg.AssetCheckExecutionContext, hdfs: HdfsResource) -> dg.AssetCheckResult:
        with retried_connection_errors(hdfs.base_uri):
            current = hdfs.dataset(asset).current(context.partition_key)
        if current is None:
            return check_result("", messages.NOT_MATERIALIZED(asset=asset, week=context.partition_key), {})
        return evaluate_record(current.record)

    return check
