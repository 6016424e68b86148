"""The asset checks: gates that stop a lane, and warnings that only tell.

One factory a kind; what is measured is computed by the assets and stored with them, so a check reads a record and
computes nothing. Every check is partitioned like its asset.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from traffic_assets.assets.keys import asset_key, of_target
from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.training import PREPROCESSOR, SPLIT_ASSETS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.ml.splits.shares import SPLITS, Shares, sensor_counts
from traffic_assets.partitions import weekly
from traffic_assets.settings import Settings
from traffic_assets.settings.training import SplitSettings

GATE = "meets_targets"
RATIO_TOLERANCE = 0.01
STANDARDISED_TOLERANCE = 1e-6
PRIMARY = "random_forest"


def ratio_tolerance(share: float, rows: int) -> float:
    """How far a split's share may lie from the asked one: one point, or 4 standard errors of a share of few rows.

    A row is placed by a hash, so a share varies like that of a fair draw; from 26,000 rows on one point rules.
    """
    return max(RATIO_TOLERANCE, 4 * math.sqrt(share * (1 - share) / max(rows, 1)))


def build(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks on what all lanes share."""
    train, split = SPLIT_ASSETS["train"], settings.training.split
    preprocessors = [of_target(PREPROCESSOR, target) for target in settings.training.targets]
    return [
        _record_check("split_ratios_hold", train, lambda record: judge_split(record, split), settings),
        _record_check("no_shared_key", train, judge_shared_keys, settings),
        *(_record_check("no_null_in_vector", key, judge_nulls, settings) for key in preprocessors),
        *(_record_check("standardised", key, judge_standardised, settings) for key in preprocessors),
    ]


def judge_split(record: Mapping[str, Any], split: SplitSettings) -> dg.AssetCheckResult:
    """Whether the splits have the shares that the settings ask for: of the sensors, where whole sensors are split."""
    return judge_sensors(record, split) if split.kind == "sensor" else judge_ratios(record, Shares.from_settings(split))


def judge_sensors(record: Mapping[str, Any], split: SplitSettings) -> dg.AssetCheckResult:
    """Whether each split has the sensors that its share amounts to; few sensors cannot come within one point of it."""
    found = record["sensors"]
    total = sum(found.values())
    expected = sensor_counts(split, total)
    return _result(
        all(found[s] > 0 and abs(found[s] - expected[s]) <= 1 for s in SPLITS),
        "each split has its share of the sensors, as near as whole sensors allow (rounded, at least one); the shares "
        "of the rows follow from the sensors and are not judged",
        {
            "sensors": found,
            "expected_sensors": expected,
            "shares_of_sensors": {s: found[s] / total for s in SPLITS},
            "expected": {s: getattr(Shares.from_settings(split), s) for s in SPLITS},
            "rows": record["counts"],
        },
    )


def judge_ratios(record: Mapping[str, Any], expected: Shares) -> dg.AssetCheckResult:
    """Whether the splits have the shares that the settings ask for."""
    total = sum(record["counts"].values())
    shares = {split: record["counts"][split] / total if total else 0.0 for split in SPLITS}
    allowed = {split: ratio_tolerance(getattr(expected, split), total) for split in SPLITS}
    far = [s for s in SPLITS if abs(shares[s] - getattr(expected, s)) > allowed[s]]
    return _result(
        total > 0 and not far,
        "shares of the rows lie within one point of the settings (or what chance allows, where rows are few)",
        {
            "shares": shares,
            "expected": {s: getattr(expected, s) for s in SPLITS},
            "allowed_distance": allowed,
            "rows": total,
        },
    )


def judge_shared_keys(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Whether every key lies in one split only, its own, and every sensor where whole sensors are split."""
    counted = {name: record[name] for name in ("shared_keys", "misplaced", "shared_sensors") if name in record}
    what = "no sensor" if "shared_sensors" in counted else "no (sensor, timestamp)"
    return _result(not any(counted.values()), f"{what} lies in two splits, no row in another than its own", counted)


def judge_nulls(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Whether the vector of the train rows is complete."""
    vector = record["vector"]
    what = "no null, NaN or infinity in the vector"
    return _result(not vector["nulls"], what, {"slots": vector["nulls"], "rows": vector["rows"]})


def judge_standardised(record: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Whether the slots that vary were standardised on train; constant ones are listed."""
    vector = record["vector"]
    if not record.get("scaled", True):
        return _result(True, "no lane asks for a scaled vector: mean and deviation are not asked for", {})
    if (scaler := record["features"]["preparation"]["scaler"]) != "standard":
        return _result(True, f"the scaler is {scaler}: mean and deviation are not asked for", {})
    worst = max(vector["worst_mean"], vector["worst_deviation"])
    return _result(
        worst <= STANDARDISED_TOLERANCE,
        "columns that vary have mean 0 and deviation 1 on train",
        {name: vector[name] for name in ("worst_mean", "worst_deviation", "constant")},
    )


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The gate and the warnings of a lane; what is expected of the forest's size and features is of the speed."""
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
        partitions_def=weekly(settings),
        description=f"{lane.title} meets its targets on the test split.",
    )
    def gate(context: dg.AssetCheckExecutionContext, evaluation: AssetInput) -> dg.AssetCheckResult:
        from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
        from traffic_assets.ml.metrics.metrics import Metrics
        from traffic_assets.ml.model_selection.trials import Trial

        results = evaluate_thresholds(
            thresholds,
            Metrics.model_validate(evaluation.value["test"]),
            Trial.model_validate(evaluation.value["cross_validation"]),
            TARGETS[lane.target].unit,
        )
        missed = describe_missed(results)
        if missed:  # the run's own error names the check, not what it measured
            context.log.error(f"{lane.id} misses its targets: {'; '.join(missed)}")
        rows = [dg.TableRecord({**r.model_dump(), "passed": "yes" if r.passed else "NO"}) for r in results]
        return dg.AssetCheckResult(
            passed=not missed,
            description="; ".join(missed) or ("all targets met" if results else "no target is set for this lane"),
            metadata={"targets": dg.MetadataValue.table(records=rows)} if rows else {},
        )

    return gate


def _training_time(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    limit = settings.evaluation.max_training_minutes

    def judge_time(value: dict[str, Any]) -> dg.AssetCheckResult:
        minutes = value["training_minutes"]
        return _result(minutes <= limit, f"the fit took at most {limit:g} minutes", {"minutes": minutes}, warn=True)

    return _warning("training_time", lane, judge_time, settings)


def _top_feature(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    asked, band = settings.evaluation.top_feature, settings.evaluation.top_feature_importance

    def judge_top(value: dict[str, Any]) -> dg.AssetCheckResult:
        name, weight = next(iter(value["importances"]["features"].items()))
        good = name == asked and band.low <= weight <= band.high
        return _result(
            good,
            f"{asked} is the most important feature, with {band.low:g} to {band.high:g}",
            {"top_feature": name, "importance": weight},
            warn=True,
        )

    return _warning("top_feature", lane, judge_top, settings)


def _model_size(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    band = settings.evaluation.model_size_mb
    assert band is not None

    def judge_size(value: dict[str, Any]) -> dg.AssetCheckResult:
        megabytes = value["model_bytes"] / 1e6
        return _result(
            band.low <= megabytes <= band.high,
            f"the stored model has {band.low:g} to {band.high:g} MB",
            {"megabytes": megabytes},
            warn=True,
        )

    return _warning("model_size", lane, judge_size, settings)


def _record_check(
    name: str, asset: str, judge_record: Callable[[dict[str, Any]], dg.AssetCheckResult], settings: Settings
) -> dg.AssetChecksDefinition:
    """A blocking check on the record that an asset stored with this week's generation."""

    @dg.asset_check(asset=asset_key(asset), name=name, blocking=True, partitions_def=weekly(settings))
    def check(context: dg.AssetCheckExecutionContext, hdfs: HdfsResource) -> dg.AssetCheckResult:
        with retried_connection_errors(hdfs.base_uri):
            current = hdfs.dataset(asset).current(context.partition_key)
        if current is None:
            return _result(False, f"{asset} is materialized for {context.partition_key}", {})
        return judge_record(current.record)

    return check


def _warning(
    name: str, lane: Lane, judge_value: Callable[[dict[str, Any]], dg.AssetCheckResult], settings: Settings
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset_key(lane.evaluation), name=name, partitions_def=weekly(settings))
    def check(evaluation: AssetInput) -> dg.AssetCheckResult:
        return judge_value(evaluation.value)

    return check


def _result(passed: bool, what: str, metadata: dict[str, Any], warn: bool = False) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=bool(passed),
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=what if passed else f"it does not hold that {what}",
        metadata={k: dg.MetadataValue.json(v) if isinstance(v, dict | list) else v for k, v in metadata.items()},
    )
