"""The assets of raw data: the sensor table and the validated readings of each day.

Not here: the features (`features.py`); a deployment with a ready-made feature table has none of these assets.
"""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import DAILY_FRAMES, FEATURES, FRAMES, AssetGroup, Guard
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.reading import read_generations
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.uris import Internal
from traffic_assets.dagster_hdfs.values import AssetOutput
from traffic_assets.partitions import daily
from traffic_assets.settings import Settings
from traffic_assets.settings.persistence import PROCESSED

GROUP = "readings"


def source_of(uri: str, settings: Settings, spark: SparkResource) -> Any:
    """The users' files at a URI, as the settings say they are to be read (a `features.readers.Source`)."""
    from traffic_assets.readings.readers import Source

    return Source(uri, filesystem_for(uri, lambda: spark.session), settings.data.format, settings.data.aliases)


def publishable(context: dg.AssetExecutionContext, ingested: Any, rows: Any, days: list[str]) -> AssetOutput:
    """Validated days (`features.ingestion.Ingested`) ready to publish, with what was found told to log and UI."""
    from traffic_assets.assets.presentation import ingested_day

    records = {day: {**ingested.counts[day], "missing_columns": ingested.missing_columns} for day in days}
    for day, record in records.items():
        if day in ingested.refused:
            continue
        if not record["rows"]:
            context.log.warning(f"{day}: no rows; the day is published empty and counts as missing")
        if record["quarantined"]:
            context.log.warning(f"{day}: {record['quarantined']} rows quarantined: {record['reasons']}")
        if record["without_day"]:
            context.log.warning(
                f"{record['without_day']} of these rows have a timestamp that cannot be read, and may be of any day of "
                f"the source: they do not count against {day}"
            )
        shown = {**ingested_day(ingested, day), "quarantined_without_day": record["without_day"]}
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
        # without partitions, but `--partition-range` refuses a job that has an asset without this policy
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"spark", "hdfs"},
    )
    @storage_step
    def sensor_table(context: dg.AssetExecutionContext, spark: SparkResource, hdfs: HdfsResource) -> AssetOutput:
        """One row a sensor: position, highway, lanes, and what is fixed for it (codes, cluster, free flow)."""
        from traffic_assets.features.sensors import SensorTable, build_sensor_table

        source = source_of(data.sensors_source or settings.source_uri, settings, spark)
        current = hdfs.dataset(context.asset_key).current(UNPARTITIONED)
        previous = SensorTable(read_generations(spark.session, [current]), current.record["facts"]) if current else None
        table = build_sensor_table(spark.session, source, data, previous)
        context.log.info(
            f"{table.record['sensors']} sensors, {table.record['sensors_without_position']} of them without a position"
        )
        for day, reason in sorted(table.refused.items()):
            context.log.warning(f"{day}: its folder is left out of the sensor table: {reason}")
        context.add_output_metadata(
            {
                **{k: table.record[k] for k in ("sensors", "sensors_without_position", "clusters")},
                "refused": dg.MetadataValue.json(dict(table.refused)),
            }
        )
        built_on = {UNPARTITIONED: current.id if current else None}  # two at once would give a code twice
        return AssetOutput(table.rows, record={"facts": table.record}, built_on=built_on)

    @dg.asset(
        group_name=GROUP,
        partitions_def=daily(settings),
        io_manager_key=DAILY_FRAMES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"spark", "hdfs"},
    )
    @storage_step
    def sensor_readings(context: dg.AssetExecutionContext, spark: SparkResource, day_guard: Guard) -> AssetOutput:
        """Validated detector readings of a local day, with the quarantined rows beside them."""
        from traffic_assets.readings.ingestion import ingest_readings

        days = list(context.partition_keys)
        ingested = ingest_readings(spark.session, source_of(settings.source_uri, settings, spark), days, data)
        return publishable(context, ingested, ingested.rows, days)

    return [sensor_table, sensor_readings]


ASSETS = AssetGroup(
    name=GROUP,
    job=FEATURES,
    build=build,
    pruned=True,
    locations={"sensor_table": f"{PROCESSED}/sensors", "sensor_readings": f"{PROCESSED}/readings"},
)
