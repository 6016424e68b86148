"""The checks on the sensor table, the readings and the features: warnings, unless `data.blocking_checks` names them.

One step evaluates all checks of an asset, and every day of the run on its own. Dagster itself stores one result without
a day for a run over a range of days. Not here: refusing a day before it is published (`readings/ingestion.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.keys import asset_key
from traffic_assets.checks.results import check_result
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.history import fetch_by_id, latest_ids
from traffic_assets.messages import checks as messages
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import build_daily_partitions
from traffic_assets.readings.completeness import COMPLETENESS, SENSORS, as_percent, is_complete, limit_as_percent
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import rebuild_days

SENSOR_TABLE, SENSOR_READINGS = "sensor_table", "sensor_readings"
HAS_ROWS, COMPLETE, FEW_QUARANTINED = "has_rows", "complete", "few_quarantined"
NO_UNKNOWN_SENSOR, NO_MISSING_COLUMN, SENSORS_REPORT = "no_unknown_sensor", "no_missing_column", "sensors_report"
QUARANTINED_SHARE = 0.01
"""Share of quarantined rows up to which the check passes; a day above `data.max_bad_share` is not published."""
DESCRIPTIONS = {
    HAS_ROWS: "The day has rows, or the table has sensors.",
    COMPLETE: "The rows are at least data.minimum_completeness of sensors x intervals of the day. Otherwise the day "
    "does not count for training.",
    FEW_QUARANTINED: f"At most {QUARANTINED_SHARE:.0%} of the day's rows are in quarantine.",
    NO_UNKNOWN_SENSOR: "Every sensor of the day is in the sensor table.",
    NO_MISSING_COLUMN: "The input has every column that the features need.",
    SENSORS_REPORT: "At least data.minimum_completeness of the sensors in the sensor table have a reading. Only warns, "
    "because the table keeps sensors that were taken down.",
}


@dataclass(frozen=True)
class Stored:
    """The record of a published partition.

    Attributes:
        asset: Key of the asset.
        day: Local day, ISO date; empty for the sensor table.
        record: Facts that were stored with the partition.
        command: Command that builds the day again; empty for the sensor table.
    """

    asset: str
    day: str
    record: Mapping[str, Any]
    command: str

    @property
    def place(self) -> dict[str, str]:
        """The values of a message that locate the record."""
        return {"asset": self.asset, "day": self.day}


Evaluate = Callable[[Stored], dg.AssetCheckResult]


def build_days(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Return the checks on sensors, readings and features."""
    minimum = settings.data.minimum_completeness
    days = build_daily_partitions(settings)
    every: dict[str, Evaluate] = {
        HAS_ROWS: evaluate_rows,
        COMPLETE: partial(evaluate_completeness, minimum=minimum),
        FEW_QUARANTINED: evaluate_quarantine,
        NO_MISSING_COLUMN: evaluate_columns,
    }
    if settings.data.kind == "features":
        return [_checks_on(FEATURE_TABLE, every, settings, days)]
    features = {name: evaluate for name, evaluate in every.items() if name != FEW_QUARANTINED} | {
        NO_UNKNOWN_SENSOR: evaluate_unknown_sensors,
        SENSORS_REPORT: partial(evaluate_sensors, minimum=minimum),
    }
    table: dict[str, Evaluate] = {HAS_ROWS: evaluate_sensor_table, NO_MISSING_COLUMN: evaluate_descriptions}
    return [
        _checks_on(SENSOR_TABLE, table, settings, None),
        _checks_on(SENSOR_READINGS, every, settings, days),
        _checks_on(FEATURE_TABLE, features, settings, days),
    ]


def evaluate_rows(stored: Stored) -> dg.AssetCheckResult:
    """Check that a day has rows."""
    rows = stored.record["rows"]
    empty = messages.NO_ROWS(**stored.place, command=stored.command)
    return check_result("The day has rows.", None if rows else empty, {"rows": rows})


def evaluate_completeness(stored: Stored, minimum: float) -> dg.AssetCheckResult:
    """Check that a day's rows are enough for its sensors and intervals."""
    record = stored.record
    if COMPLETENESS not in record:
        return check_result("Not applicable: the day was stored by an earlier version.", None, {})
    facts = {"rows": record["rows"], SENSORS: record[SENSORS], "intervals": record["intervals"]}
    shares = {COMPLETENESS: as_percent(record[COMPLETENESS]), "minimum": limit_as_percent(minimum)}
    incomplete = messages.INCOMPLETE(**stored.place, **facts, **shares, command=stored.command)
    return check_result(
        f"The rows are {shares[COMPLETENESS]} of sensors x intervals.",
        None if is_complete(record[COMPLETENESS], minimum) else incomplete,
        {COMPLETENESS: record[COMPLETENESS], "minimum": minimum, **facts},
    )


def evaluate_quarantine(stored: Stored) -> dg.AssetCheckResult:
    """Check that few rows of a day are in quarantine."""
    record = stored.record
    bad = record["quarantined"]
    total = bad + record["rows"]
    share = bad / total if total else 0.0
    facts = {"quarantined": bad, "rows": total, "reasons": record["reasons"]}
    many = messages.MANY_QUARANTINED(**stored.place, **facts, share=as_percent(share), limit=QUARANTINED_SHARE)
    return check_result(
        f"{as_percent(share)} of the rows are in quarantine.",
        None if share <= QUARANTINED_SHARE else many,
        {"share": share, **facts},
    )


def evaluate_unknown_sensors(stored: Stored) -> dg.AssetCheckResult:
    """Check that the sensor table has every sensor of a day."""
    rows = stored.record["rows_of_unknown_sensors"]
    unknown = messages.UNKNOWN_SENSORS(**stored.place, rows=rows, command=stored.command)
    return check_result("Every sensor is in the sensor table.", unknown if rows else None, {"rows": rows})


def evaluate_columns(stored: Stored) -> dg.AssetCheckResult:
    """Check that a day lacks no column of the readings, or no feature."""
    missing = stored.record.get("missing_features", stored.record["missing_columns"])
    text = messages.MISSING_COLUMNS(**stored.place, columns=missing, command=stored.command)
    return check_result("No column is missing.", text if missing else None, {"columns": missing})


def evaluate_sensors(stored: Stored, minimum: float) -> dg.AssetCheckResult:
    """Check that enough of the known sensors have a reading on a day."""
    seen, known = stored.record.get("sensors_seen"), stored.record.get("sensors_known")
    if seen is None or known is None:
        return check_result("Not applicable: the day was stored by an earlier version.", None, {})
    if not seen:
        return check_result(f"Not applicable: the day has no rows, which the check {HAS_ROWS} reports.", None, {})
    few = messages.FEW_SENSORS(**stored.place, sensors=seen, known=known, minimum=limit_as_percent(minimum))
    return check_result(
        f"{seen} of {known} known sensors have a reading.",
        None if seen >= minimum * known else few,
        {"sensors_seen": seen, "sensors_known": known},
    )


def evaluate_sensor_table(stored: Stored) -> dg.AssetCheckResult:
    """Check that the sensor table has sensors."""
    sensors = stored.record["facts"]["sensors"]
    return check_result("The table has sensors.", None if sensors else messages.NO_SENSORS(), {"sensors": sensors})


def evaluate_descriptions(stored: Stored) -> dg.AssetCheckResult:
    """Check that some sensor has a position, a highway and a number of lanes."""
    facts = stored.record["facts"]
    without = {
        "latitude, longitude": facts["sensors_without_position"],
        "lanes": facts["sensors_without_lanes"],
        "highway": 0 if facts["highway_codes"] else facts["sensors"],
    }
    missing = [name for name, sensors in without.items() if 0 < facts["sensors"] == sensors]
    text = messages.MISSING_DESCRIPTIONS(columns=missing)
    return check_result("No column is missing.", text if missing else None, {"sensors_without": without})


def _checks_on(
    asset: str, evaluations: Mapping[str, Evaluate], settings: Settings, days: dg.DailyPartitionsDefinition | None
) -> dg.AssetChecksDefinition:
    """Return the step that evaluates the checks of an asset.

    Args:
        asset: Key of the asset.
        evaluations: Function of each check, by name.
        settings: Settings of the deployment.
        days: Partitions of the asset; None for the sensor table.
    """
    blocking = settings.data.blocking_checks
    own_key = add_key_prefix(asset, settings.deployment)
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=asset_key(asset),
            description=DESCRIPTIONS[name],
            blocking=name in blocking,
            partitions_def=days,
        )
        for name in evaluations
    ]

    @dg.multi_asset_check(name=f"{asset}_checks", specs=specs, can_subset=True)
    def evaluate(
        context: dg.AssetCheckExecutionContext, hdfs: HdfsResource
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        keys = days.get_partition_keys_in_range(context.partition_key_range) if days else [UNPARTITIONED]
        names = {key.name for key in context.selected_asset_check_keys}
        selected = [spec for spec in specs if spec.name in names]
        chosen = {spec.name: evaluations[spec.name] for spec in selected}
        results = _evaluate(context, hdfs, settings, asset, keys, chosen)
        targets = _find_materializations(context.instance, own_key, keys if days else None)
        for spec in selected:
            for key in keys:
                result = results[key][spec.name]
                failed: CodedText | None = result.description if isinstance(result.description, CodedText) else None
                if spec.blocking and failed:  # the error of the run names the check, but not what it measured
                    context.log.error(failed)
                yield _as_evaluation(result, spec, own_key, key if days else None, targets.get(key))
            yield dg.Output(None, spec.get_python_identifier())

    return evaluate


@fails_with_code
def _evaluate(
    context: dg.AssetCheckExecutionContext,
    hdfs: HdfsResource,
    settings: Settings,
    asset: str,
    keys: Sequence[str],
    evaluations: Mapping[str, Evaluate],
) -> dict[str, dict[str, dg.AssetCheckResult]]:
    """Return the result of each check by partition and name, from the records of an asset."""
    with retried_connection_errors(hdfs.base_uri):
        published = hdfs.dataset(asset).current_generations(keys)
    results: dict[str, dict[str, dg.AssetCheckResult]] = {}
    for key in keys:
        day = "" if key == UNPARTITIONED else key
        command = rebuild_days(settings, day, day) if day else ""
        if key in published:
            stored = Stored(asset, day, published[key].record, command)
            results[key] = {name: evaluate(stored) for name, evaluate in evaluations.items()}
        else:
            day_absent = messages.NOT_PUBLISHED(asset=asset, day=day, command=command)
            absent = day_absent if day else messages.TABLE_NOT_PUBLISHED(asset=asset)
            results[key] = dict.fromkeys(evaluations, check_result("", absent, {}))
    return results


def _as_evaluation(
    result: dg.AssetCheckResult,
    spec: dg.AssetCheckSpec,
    asset: dg.AssetKey,
    partition: str | None,
    target: AssetCheckEvaluationTargetMaterializationData | None,
) -> dg.AssetCheckEvaluation:
    """Return the event of a result for one partition; Dagster knows no results of single partitions of a range."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=spec.name,
        passed=bool(result.passed),
        metadata=result.metadata,
        target_materialization_data=target,
        severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
        description=result.description,
        blocking=spec.blocking,
        partition=partition,
    )


def _find_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, days: Sequence[str] | None
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """Return the latest materialization of each partition, which the UI compares with the check's."""
    if days is None:
        records = instance.fetch_materializations(key, limit=1).records
    else:
        records = list(fetch_by_id(instance, key, latest_ids(instance, key, days).values()))
    return {
        record.partition_key or UNPARTITIONED: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
    }
