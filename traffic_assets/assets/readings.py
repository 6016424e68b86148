"""The assets of raw data: the sensor table and the validated readings of each day.

A deployment with a ready-made feature table has none of these assets. Not here: the features (`features.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from traffic_assets.assets.group import DAILY_FRAMES, FEATURES, FRAMES, AssetGroup, Guard
from traffic_assets.catalogue.fingerprint import (
    FINGERPRINT,
    readings_fingerprint,
    recorded_fingerprint,
    sensors_fingerprint,
)
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.failures import shorten
from traffic_assets.dagster_hdfs.io_managers.refusals import refusal_metadata
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.reading import read_generations
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.uris import Internal
from traffic_assets.dagster_hdfs.values import AssetOutput
from traffic_assets.messages import assets as messages
from traffic_assets.messages import readings as input_messages
from traffic_assets.partitions import build_daily_partitions
from traffic_assets.readings.completeness import COMPLETENESS, SENSORS, SENSORS_WITH_TARGET
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import rebuild_days, rebuild_template
from traffic_assets.settings.persistence import PROCESSED

GROUP = "readings"
SOURCE = "source"
"""Field of a record: where the files of a partition were, below the base URI or as a URI."""


def get_source(uri: str, settings: Settings, spark: SparkResource) -> Any:
    """Return the source files at a URI with the configured format and aliases (a `readings.readers.Source`)."""
    from traffic_assets.readings.readers import Source

    return Source(uri, filesystem_for(uri, lambda: spark.session), settings.data.format, settings.data.aliases)


def prepare_days(
    context: dg.AssetExecutionContext,
    settings: Settings,
    ingested: Any,
    rows: Any,
    days: list[str],
    completeness: Mapping[str, Any],
    describe_origin: Callable[[str], Mapping[str, Any]],
) -> AssetOutput:
    """Return validated days ready to publish, and report the quarantined rows in the log and the UI.

    Args:
        context: Context of the asset.
        settings: Settings of the deployment.
        ingested: Validated days (`readings.ingestion.Ingested`).
        rows: Rows to publish.
        days: Days of the run, ISO dates.
        completeness: Completeness of the rows to publish, by day (`readings.completeness.Completeness`).
        describe_origin: Function that returns the fingerprint of a day and the place of its files, for its record.
    """
    from traffic_assets.assets.presentation import describe_day

    records = {
        day: {
            **ingested.counts[day],
            **completeness[day].record,
            SENSORS_WITH_TARGET: ingested.target_completeness[day].sensors,
            "missing_columns": ingested.missing_by_day[day],
            **describe_origin(day),
        }
        for day in days
    }
    if ingested.cut_off:
        context.log.warning(input_messages.CUT_OFF_FILES(files=ingested.cut_off))
    for day, record in records.items():
        if day in ingested.refused:
            continue
        if not record["rows"]:
            context.log.warning(messages.EMPTY_DAY(day=day, command=rebuild_days(settings, day, day)))
        if record["quarantined"]:
            context.log.warning(
                messages.QUARANTINED_ROWS(day=day, rows=record["quarantined"], reasons=record["reasons"])
            )
        if record["without_day"]:
            context.log.warning(messages.ROWS_WITHOUT_DAY(day=day, rows=record["without_day"]))
        shown = {
            **describe_day(ingested, day),
            **{name: record[name] for name in (COMPLETENESS, SENSORS)},
            "quarantined_without_day": record["without_day"],
        }
        context.add_asset_metadata(shown, partition_key=day)
    return AssetOutput(
        rows,
        records=records,
        folders={Internal.QUARANTINE: ingested.quarantined},
        refused=ingested.refused,
        after=ingested.cached.unpersist,
    )


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of the group; none if the source is a ready-made feature table."""
    data = settings.data
    if data.kind != "readings":
        return []

    @dg.asset(
        group_name=GROUP,
        io_manager_key=FRAMES,
        # it has no partitions, but `--partition-range` refuses a job that has an asset without this policy
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=sensors_fingerprint(data).code_version,
        description="One row for each sensor: position, highway, lanes, cluster, codes and free-flow speed.",
        kinds={"spark", "hdfs"},
    )
    @storage_step
    def sensor_table(context: dg.AssetExecutionContext, spark: SparkResource, hdfs: HdfsResource) -> AssetOutput:
        from traffic_assets.features.sensors import SensorTable, build_sensor_table

        source = get_source(data.sensors_source or settings.source_uri, settings, spark)
        current = hdfs.dataset(context.asset_key).current(UNPARTITIONED)
        previous = (
            SensorTable(
                read_generations(spark.session, [current]),
                current.record["facts"],
                fingerprint=recorded_fingerprint(current.record),
            )
            if current
            else None
        )
        table = build_sensor_table(spark.session, source, data, previous)
        context.log.info(
            f"{table.record['sensors']} sensors, {table.record['sensors_without_position']} of them without a position"
        )
        for day, reason in sorted(table.refused.items()):
            context.log.warning(messages.DAY_NOT_IN_SENSOR_TABLE(day=day, reason=reason))
        for column, sensors in table.unknown.items():
            context.log.warning(messages.VALUES_LOST(column=column, count=len(sensors), sensors=sensors))
        context.add_output_metadata(
            {
                **{k: table.record[k] for k in ("sensors", "sensors_without_position", "clusters")},
                **refusal_metadata(table.refused),
                **({"unknown_values": dg.MetadataValue.json(shorten(table.unknown))} if table.unknown else {}),
            }
        )
        built_on = {UNPARTITIONED: current.id if current else None}  # two concurrent runs could assign a code twice
        record = {
            "facts": table.record,
            FINGERPRINT: table.fingerprint.to_json() if table.fingerprint else None,
            SOURCE: settings.describe_source(source.uri),
        }
        return AssetOutput(table.rows, record=record, built_on=built_on)

    @dg.asset(
        group_name=GROUP,
        partitions_def=build_daily_partitions(settings),
        io_manager_key=DAILY_FRAMES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=readings_fingerprint(data).code_version,
        description="Validated detector readings of a local day. Invalid rows are stored separately, with the reason.",
        kinds={"spark", "hdfs"},
    )
    @storage_step
    def sensor_readings(context: dg.AssetExecutionContext, spark: SparkResource, day_guard: Guard) -> AssetOutput:
        from traffic_assets.readings.ingestion import ingest_readings

        days = list(context.partition_keys)
        ingested = ingest_readings(spark.session, get_source(settings.source_uri, settings, spark), days, data)

        def describe_origin(day: str) -> dict[str, Any]:
            fingerprint = readings_fingerprint(data, ingested.formats.get(day)).to_json()
            return {FINGERPRINT: fingerprint, SOURCE: settings.describe_source(settings.source_uri)}

        return prepare_days(context, settings, ingested, ingested.rows, days, ingested.completeness, describe_origin)

    return [sensor_table, sensor_readings]


ASSETS = AssetGroup(
    name=GROUP,
    job=FEATURES,
    build=build,
    pruned=True,
    locations={"sensor_table": f"{PROCESSED}/sensors", "sensor_readings": f"{PROCESSED}/readings"},
    remedies=lambda settings: {
        # the next table extends this one, so materializing it again would fail too
        "sensor_table": "restore the files from a backup. Without one, delete processed/sensors/_pointers/all.json and "
        "build all days again, because sensors and codes may change",
        "sensor_readings": rebuild_template(settings),
    },
)
