"""The asset checks: gates that stop a lane, and checks that only warn.

The assets compute and store every measure, so a check reads a record and computes nothing. Every check is partitioned
like its asset.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from traffic_assets.assets.day_settings import (
    current_fingerprint,
    find_outdated,
    rebuild_commands,
    summarize_days,
)
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.keys import add_target_prefix, asset_key
from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.training import PREPROCESSOR, SPLIT_ASSETS
from traffic_assets.catalogue.fingerprint import Fingerprint
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.failures import fails_with_code, shorten
from traffic_assets.dagster_hdfs.message import CodedText, code_metadata
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Generation
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages import checks as messages
from traffic_assets.ml.splits.shares import SPLITS, Shares, sensor_counts
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings
from traffic_assets.settings.training import SplitSettings

GATE = "meets_targets"
CURRENT_SETTINGS = "built_with_current_settings"
RATIO_TOLERANCE = 0.01
STANDARDIZED_TOLERANCE = 1e-6
PRIMARY = "random_forest"
DESCRIPTIONS = {
    CURRENT_SETTINGS: "The stored partitions were built with the current settings and code. Only warns.",
    "split_ratios_hold": "The splits have their configured shares of the rows, or of the sensors if whole sensors are "
    "split.",
    "no_shared_key": "No row is in two splits, nor is any sensor if training.split.kind is sensor.",
    "no_null_in_vector": "The vector that models are fitted on has no null, NaN or infinity.",
    "standardised": "Varying columns of the vector have mean 0 and standard deviation 1 on the train rows.",
    GATE: "The model meets its thresholds on the test split; otherwise it is not registered.",
    "training_time": "The final fit takes at most evaluation.max_training_minutes. Only warns.",
    "top_feature": "evaluation.top_feature is the most important feature of the random forest. Only warns.",
    "model_size": "The size of the stored random forest is within evaluation.model_size_mb. Only warns.",
}
"""Description of each check in the Dagster UI, by name."""


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
        *(_current_settings(asset, settings) for asset in _data_assets(settings)),
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
    return _result(
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
    return _result(
        "The shares of the rows are within one percentage point of the settings, or 4 standard errors for few rows.",
        None if passed else messages.ROW_SHARES(shares=shares, expected=configured, tolerance=rounded),
        {"shares": shares, "expected": configured, "allowed_distance": tolerance, "rows": total},
    )


def evaluate_shared_keys(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that every key is in its own split only, and every sensor too if whole sensors are split."""
    counts = {name: record[name] for name in ("shared_keys", "misplaced", "shared_sensors") if name in record}
    subject = "sensor" if "shared_sensors" in counts else "(sensor, timestamp)"
    return _result(
        f"No {subject} is in two splits, and no row is in the wrong one.",
        messages.SHARED_KEYS(counts=counts) if any(counts.values()) else None,
        counts,
    )


def evaluate_nulls(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that the vector of the train rows is complete."""
    nulls = record["vector"]["nulls"]
    return _result(
        "The vector has no null, NaN or infinity.",
        messages.INCOMPLETE_VECTOR(slots=nulls) if nulls else None,
        {"slots": nulls, "rows": record["vector"]["rows"]},
    )


def evaluate_standardization(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Check that the varying slots are standardized on the train rows; the metadata lists constant slots."""
    vector = record["vector"]
    if not record.get("scaled", True):
        return _result("Not applicable: no enabled model needs a scaled vector.", None, {})
    if (scaler := record["features"]["preparation"]["scaler"]) != "standard":
        return _result(f"Not applicable: the scaler is {scaler}.", None, {})
    mean, deviation = vector["worst_mean"], vector["worst_deviation"]
    passed = max(mean, deviation) <= STANDARDIZED_TOLERANCE
    failed = messages.NOT_STANDARDIZED(mean=mean, deviation=deviation, tolerance=STANDARDIZED_TOLERANCE)
    return _result(
        "Varying columns have mean 0 and standard deviation 1 on the train rows.",
        None if passed else failed,
        {name: vector[name] for name in ("worst_mean", "worst_deviation", "constant")},
    )


def evaluate_settings(asset: str, generations: Mapping[str, Generation], current: Fingerprint) -> dg.AssetCheckResult:
    """Check that partitions were built with the current settings and code.

    Args:
        asset: Name of the asset.
        generations: Current generation by partition.
        current: Fingerprint that a partition would have if it were built now.
    """
    outdated, unknown = find_outdated(generations, current)
    shown = {
        name: f"{json.dumps(stored)}, now {json.dumps(now)}"
        for differences in outdated.values()
        for name, (stored, now) in differences.items()
    }
    failed = None
    if outdated and UNPARTITIONED in generations:
        failed = messages.OUTDATED_TABLE(asset=asset, settings=shown)
    elif outdated:
        days, commands = summarize_days(outdated), rebuild_commands(outdated)
        failed = messages.OUTDATED(asset=asset, partitions=days, settings=shown, commands=commands)
    metadata = {
        "outdated": shorten({key: sorted(differences) for key, differences in outdated.items()}),
        "settings_not_recorded": shorten(unknown),
    }
    passed = "Every partition was built with the current settings and code, as far as its record tells."
    return _result(passed, failed, metadata, warn=True)


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Return the gate and the warnings of a lane.

    Size and top feature are configured for the random forest of the default target.
    """
    warnings = [_training_time(lane, settings)]
    if lane.id == PRIMARY:
        if settings.evaluation.top_feature:
            warnings.append(_top_feature(lane, settings))
        if settings.evaluation.model_size_mb:
            warnings.append(_model_size(lane, settings))
    return [_gate(lane, settings), *warnings]


def _gate(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    thresholds = settings.get_thresholds(lane.target, lane.model_name)

    @dg.asset_check(
        asset=asset_key(lane.evaluation),
        name=GATE,
        blocking=True,
        partitions_def=build_weekly_partitions(settings),
        description=DESCRIPTIONS[GATE],
    )
    @fails_with_code
    def gate(context: dg.AssetCheckExecutionContext, evaluation: AssetInput) -> dg.AssetCheckResult:
        from traffic_assets.assets.presentation import show_number
        from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
        from traffic_assets.ml.metrics.metrics import Metrics
        from traffic_assets.ml.model_selection.trials import Trial

        results = evaluate_thresholds(
            thresholds,
            Metrics.model_validate(evaluation.value["test"]),
            Trial.model_validate(evaluation.value["cross_validation"]),
            TARGETS[lane.target].unit,
        )
        rows = [
            dg.TableRecord(
                {**r.model_dump(), "measured": show_number(r.measured), "passed": "yes" if r.passed else "NO"}
            )
            for r in results
        ]
        table = {"targets": dg.MetadataValue.table(records=rows)} if rows else {}
        missed = describe_missed(results)
        if not missed:
            description = "The model meets all its thresholds." if results else "This lane has no thresholds."
            return _result(description, None, table)
        text = messages.MISSED_THRESHOLDS(lane=lane.id, missed=missed, setting=lane.thresholds_setting)
        context.log.error(text)  # the error of the run names the check, but not what it measured
        return _result("", text, table)

    return gate


def _training_time(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    limit = settings.evaluation.max_training_minutes

    def evaluate_time(value: dict[str, Any]) -> dg.AssetCheckResult:
        minutes = value["training_minutes"]
        slow = None if minutes <= limit else messages.SLOW_TRAINING(minutes=minutes, limit=limit)
        return _result(f"The final fit took at most {limit:g} minutes.", slow, {"minutes": minutes}, warn=True)

    return _warning("training_time", lane, evaluate_time, settings)


def _top_feature(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    expected, band = settings.evaluation.top_feature, settings.evaluation.top_feature_importance

    def evaluate_top(value: dict[str, Any]) -> dg.AssetCheckResult:
        name, weight = next(iter(value["importances"]["features"].items()))
        passed = name == expected and band.low <= weight <= band.high
        failed = messages.TOP_FEATURE(feature=name, importance=weight, expected=expected, low=band.low, high=band.high)
        return _result(
            f"{expected} is the most important feature, with an importance of {band.low:g} to {band.high:g}.",
            None if passed else failed,
            {"top_feature": name, "importance": weight},
            warn=True,
        )

    return _warning("top_feature", lane, evaluate_top, settings)


def _model_size(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    band = settings.evaluation.model_size_mb
    assert band is not None

    def evaluate_size(value: dict[str, Any]) -> dg.AssetCheckResult:
        megabytes = value["model_bytes"] / 1e6
        passed = band.low <= megabytes <= band.high
        failed = messages.MODEL_SIZE(megabytes=megabytes, low=band.low, high=band.high)
        return _result(
            f"The stored model is {band.low:g} to {band.high:g} MB in size.",
            None if passed else failed,
            {"megabytes": megabytes},
            warn=True,
        )

    return _warning("model_size", lane, evaluate_size, settings)


def _data_assets(settings: Settings) -> list[str]:
    """Return the assets whose partitions have fingerprints."""
    return ["sensor_table", "sensor_readings", FEATURE_TABLE] if settings.data.kind == "readings" else [FEATURE_TABLE]


def _current_settings(asset: str, settings: Settings) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset_key(asset), name=CURRENT_SETTINGS, description=DESCRIPTIONS[CURRENT_SETTINGS])
    @fails_with_code
    def check(context: dg.AssetCheckExecutionContext, hdfs: HdfsResource) -> dg.AssetCheckResult:
        with retried_connection_errors(hdfs.base_uri):
            generations = hdfs.dataset(asset).current_generations()
            sensors = None
            if settings.data.kind == "readings":
                sensors = hdfs.dataset("sensor_table").current(UNPARTITIONED)
        center = sensors.record["facts"].get("mean_position") if sensors else None
        return evaluate_settings(asset, generations, current_fingerprint(asset, settings, center))

    return check


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
            return _result("", messages.NOT_MATERIALIZED(asset=asset, week=context.partition_key), {})
        return evaluate_record(current.record)

    return check


def _warning(
    name: str, lane: Lane, evaluate_value: Callable[[dict[str, Any]], dg.AssetCheckResult], settings: Settings
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(lane.evaluation),
        name=name,
        partitions_def=build_weekly_partitions(settings),
        description=DESCRIPTIONS[name],
    )
    @fails_with_code
    def check(evaluation: AssetInput) -> dg.AssetCheckResult:
        return evaluate_value(evaluation.value)

    return check


def _result(
    passed: str, failed: CodedText | None, metadata: Mapping[str, Any], warn: bool = False
) -> dg.AssetCheckResult:
    """Return the result of a check.

    Args:
        passed: Description if the check passes.
        failed: Message if the check fails; None if it passes. Its code is in the metadata.
        metadata: Measured and expected values.
        warn: True if a failure only warns.
    """
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    shown = {k: dg.MetadataValue.json(v) if isinstance(v, dict | list) else v for k, v in metadata.items()}
    if failed is None:
        return dg.AssetCheckResult(passed=True, severity=severity, description=passed, metadata=shown)
    shown |= code_metadata(failed)
    return dg.AssetCheckResult(passed=False, severity=severity, description=failed, metadata=shown)
