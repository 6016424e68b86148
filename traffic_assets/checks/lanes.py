"""The checks on the evaluation of a lane: its gate, and warnings."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.checks.results import check_result
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages import checks as messages
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings

GATE = "meets_targets"
PRIMARY = "random_forest"
DESCRIPTIONS = {
    GATE: "The model meets its thresholds on the test split; otherwise it is not registered.",
    "training_time": "The final fit takes at most evaluation.max_training_minutes. Only warns.",
    "top_feature": "evaluation.top_feature is the most important feature of the random forest. Only warns.",
    "model_size": "The size of the stored random forest is within evaluation.model_size_mb. Only warns.",
}


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
            return check_result(description, None, table)
        text = messages.MISSED_THRESHOLDS(lane=lane.id, missed=missed, setting=lane.thresholds_setting)
        context.log.error(text)  # the error of the run names the check, but not what it measured
        return check_result("", text, table)

    return gate


def _training_time(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    limit = settings.evaluation.max_training_minutes

    def evaluate_time(value: dict[str, Any]) -> dg.AssetCheckResult:
        minutes = value["training_minutes"]
        slow = None if minutes <= limit else messages.SLOW_TRAINING(minutes=minutes, limit=limit)
        return check_result(f"The final fit took at most {limit:.15g} minutes.", slow, {"minutes": minutes}, warn=True)

    return _warning("training_time", lane, evaluate_time, settings)


def _top_feature(lane: Lane, settings: Settings) -> dg.AssetChecksDefinition:
    expected, band = settings.evaluation.top_feature, settings.evaluation.top_feature_importance

    def evaluate_top(value: dict[str, Any]) -> dg.AssetCheckResult:
        name, weight = next(iter(value["importances"]["features"].items()))
        passed = name == expected and band.low <= weight <= band.high
        failed = messages.TOP_FEATURE(feature=name, importance=weight, expected=expected, low=band.low, high=band.high)
        return check_result(
            f"{expected} is the most important feature, with an importance of {band.low:.15g} to {band.high:.15g}.",
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
        return check_result(
            f"The stored model is {band.low:.15g} to {band.high:.15g} MB in size.",
            None if passed else failed,
            {"megabytes": megabytes},
            warn=True,
        )

    return _warning("model_size", lane, evaluate_size, settings)


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
