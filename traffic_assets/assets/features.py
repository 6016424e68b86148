"""The feature table: one row for each reading with a speed, one partition for each local day.

This module selects the days and records what went into them; the features are computed in `features/engineering.py`.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from traffic_assets.assets.group import DAILY_FRAMES, DATE, AssetGroup, Guard
from traffic_assets.assets.group import FEATURES as FEATURES_JOB
from traffic_assets.assets.readings import SOURCE, get_source, prepare_days
from traffic_assets.catalogue.clock import previous_day
from traffic_assets.catalogue.fingerprint import (
    FINGERPRINT,
    Fingerprint,
    features_fingerprint,
    ready_made_fingerprint,
    recorded_fingerprint,
)
from traffic_assets.catalogue.lookup import all_features, column_versions
from traffic_assets.dagster_hdfs.io_managers.base import LOOKBACK
from traffic_assets.dagster_hdfs.resources import SparkResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.messages import assets as messages
from traffic_assets.partitions import build_daily_partitions
from traffic_assets.readings.completeness import (
    COMPLETENESS,
    SENSORS,
    SENSORS_WITH_TARGET,
    Completeness,
    as_percent,
    is_complete,
    limit_as_percent,
)
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import rebuild_days, rebuild_template
from traffic_assets.settings.data import DataSettings, FillSettings
from traffic_assets.settings.persistence import PROCESSED

GROUP = "features"
FEATURE_TABLE = "feature_table"
SENSORS_SOURCE = "sensors_source"
"""Field of a record: where the files behind the sensor table were, as `SOURCE`."""


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the feature table, computed from readings or taken from a ready-made table."""
    return [_build_from_readings(settings) if settings.data.kind == "readings" else _build_ready_made(settings)]


def _build_from_readings(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        name=FEATURE_TABLE,
        group_name=GROUP,
        partitions_def=build_daily_partitions(settings),
        io_manager_key=DAILY_FRAMES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # the end of the day before, for lags; a partition mapping would split backfills in two
        ins={"sensor_readings": dg.AssetIn(metadata={LOOKBACK: 1})},
        code_version=features_fingerprint(settings.data, column_versions()).code_version,
        description="Features, speed and flow of every reading of a local day: one row for each sensor and time.",
        kinds={"spark", "hdfs"},
    )
    @storage_step
    def feature_table(
        context: dg.AssetExecutionContext, sensor_readings: AssetInput, sensor_table: AssetInput, day_guard: Guard
    ) -> AssetOutput:
        from traffic_assets.features.engineering import build_features, unknown_sensors

        days = [day for day in context.partition_keys if day not in sensor_readings.refused]
        rows = build_features(sensor_readings.value, sensor_table.value, days, settings.data)
        unknown = unknown_sensors(sensor_readings.value, sensor_table.value, days, settings.data)
        for day, rows_of_day in sorted(unknown.items()):
            context.log.warning(
                messages.UNKNOWN_SENSORS(day=day, rows=rows_of_day, command=rebuild_days(settings, day, day))
            )
        records = {
            day: {
                **_record(day, sensor_readings, sensor_table),
                **_completeness(sensor_readings.records[day]),
                "rows_of_unknown_sensors": unknown.get(day, 0),
                "fill": settings.data.fill.model_dump(),
                **_origin(day, sensor_readings, sensor_table, settings.data),
            }
            for day in days
        }
        for day, record in records.items():
            shown = _metadata(record, sensor_table.record["facts"], settings.data.fill)
            context.add_asset_metadata(shown, partition_key=day)
        _warn_of_incomplete_days(context, records, settings)
        return AssetOutput(rows, records=records, refused=sensor_readings.refused)

    return feature_table


def _build_ready_made(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        name=FEATURE_TABLE,
        group_name=GROUP,
        partitions_def=build_daily_partitions(settings),
        io_manager_key=DAILY_FRAMES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=ready_made_fingerprint(settings.data).code_version,
        description="Rows of a local day from a ready-made feature table, validated by type and range.",
        kinds={"spark", "hdfs"},
        metadata={"source": settings.source_uri},
    )
    @storage_step
    def feature_table(context: dg.AssetExecutionContext, spark: SparkResource, day_guard: Guard) -> AssetOutput:
        from traffic_assets.readings.ingestion import ingest_feature_table

        days = list(context.partition_keys)
        source = get_source(settings.source_uri, settings, spark)
        ingested = ingest_feature_table(spark.session, source, days, settings.data)
        with_target = ingested.rows.where("speed IS NOT NULL")

        def describe_origin(day: str) -> dict[str, Any]:
            columns = [name for name in with_target.columns if name not in (DATE, *ingested.missing_by_day[day])]
            fingerprint = ready_made_fingerprint(settings.data, columns, ingested.formats.get(day)).to_json()
            return {FINGERPRINT: fingerprint, SOURCE: settings.describe_source(settings.source_uri)}

        completeness = ingested.target_completeness
        output = prepare_days(context, settings, ingested, with_target, days, completeness, describe_origin)
        published = {day: record for day, record in output.records.items() if day not in output.refused}
        _warn_of_incomplete_days(context, published, settings)
        return output

    return feature_table


def _record(day: str, readings: AssetInput, sensors: AssetInput) -> dict[str, Any]:
    """Return the record of a day: the generations that it comes from, and what they lack."""
    facts, readings_record = sensors.record["facts"], readings.records[day]
    return {
        "sensor_table": sensors.generation.id,
        "geometry": facts["geometry"],
        "sensor_readings": readings.generations[day].id,
        "lookback": _find_day_before(day, readings),
        "rows_without_target": readings_record["without_target"],
        "missing_columns": readings_record["missing_columns"],
        "missing_features": _missing_features(readings_record["missing_columns"], facts),
        "sensors_without_lanes": facts["sensors_without_lanes"],
        "sensors_known": facts["sensors"],
        "sensors_seen": readings_record.get(SENSORS),
    }


def _origin(day: str, readings: AssetInput, sensors: AssetInput, data: DataSettings) -> dict[str, Any]:
    """Return the fingerprint of a day, and the places of the files behind it."""
    of_readings, of_sensors = readings.records[day], sensors.record
    unknown = Fingerprint()
    before = _find_day_before(day, readings)
    fingerprint = features_fingerprint(
        data,
        column_versions(),
        recorded_fingerprint(of_readings) or unknown,
        recorded_fingerprint(of_sensors) or unknown,
        (recorded_fingerprint(readings.records[before]) if before else None) or unknown,
    )
    return {
        FINGERPRINT: fingerprint.to_json(),
        SOURCE: of_readings.get(SOURCE),
        SENSORS_SOURCE: of_sensors.get(SOURCE),
    }


def _completeness(readings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the completeness of the readings with a speed; nothing for a day that an earlier version stored."""
    if SENSORS_WITH_TARGET not in readings:
        return {}
    rows = readings["rows"] - readings["without_target"]
    return Completeness(rows, readings[SENSORS_WITH_TARGET], readings["intervals"]).record


def _warn_of_incomplete_days(
    context: dg.AssetExecutionContext, records: Mapping[str, Mapping[str, Any]], settings: Settings
) -> None:
    minimum = settings.data.minimum_completeness
    for day, record in records.items():
        if record.get(SENSORS) and not is_complete(record[COMPLETENESS], minimum):
            facts = {name: record[name] for name in (SENSORS, "intervals")}
            shares = {COMPLETENESS: as_percent(record[COMPLETENESS]), "minimum": limit_as_percent(minimum)}
            context.log.warning(
                messages.INCOMPLETE_DAY(day=day, **facts, **shares, command=rebuild_days(settings, day, day))
            )


def _metadata(record: Mapping[str, Any], facts: Mapping[str, Any], fill: FillSettings) -> dict[str, Any]:
    """Return the metadata of a day for the UI, from its record."""
    return {
        "lookback": record["lookback"] or "none: the lags of the first hour are null",
        "rows_without_target": record["rows_without_target"],
        "rows_of_unknown_sensors": record["rows_of_unknown_sensors"],
        "missing_features": dg.MetadataValue.json(record["missing_features"]),
        "lanes": _lanes(facts),
        "gaps_filled": _fills(fill),
        **{name: record[name] for name in (COMPLETENESS, SENSORS) if name in record},
        "sensors_known": facts["sensors"],
    }


def _find_day_before(day: str, readings: AssetInput) -> str | None:
    before = previous_day(day)
    return before if before in readings.generations else None


def _missing_features(missing_columns: list[str], facts: Mapping[str, Any]) -> list[str]:
    """Return the features that are null in every row, because readings or sensors lack their source columns."""
    missing = set(missing_columns)
    if facts["clusters"] == 0:
        missing |= {"latitude", "longitude"}
    if not facts["highway_codes"]:
        missing.add("highway")
    return [c.name for c in all_features() if missing & set(c.source)]


def _fills(fill: FillSettings) -> str:
    ways = [way for way, on in (("interpolation", fill.interpolation), ("forward fill", fill.forward_fill)) if on]
    return f"by {', then '.join(ways)}, up to {fill.longest_gap_minutes} minutes" if ways else "no"


def _lanes(facts: Mapping[str, Any]) -> str:
    unknown = facts["sensors_without_lanes"]
    return f"one assumed for {unknown} of {facts['sensors']} sensors, for flow_rate" if unknown else "known"


ASSETS = AssetGroup(
    name=GROUP,
    job=FEATURES_JOB,
    build=build,
    pruned=True,
    locations={FEATURE_TABLE: f"{PROCESSED}/ml-features"},
    remedies=lambda settings: {FEATURE_TABLE: rebuild_template(settings)},
)
