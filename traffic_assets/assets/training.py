"""The assets that the lanes of a week share: the three splits, and one fitted preprocessor for each target.

The lanes are in `lanes.py` and the modules next to it; splitting and preprocessing are in `ml/`.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from traffic_assets.assets import requests
from traffic_assets.assets.day_settings import compare_days, rebuild_commands
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import DATE, FRAMES, MODELS, TARGET_TAG, TRAIN, AssetGroup, Guard
from traffic_assets.assets.keys import add_target_prefix, asset_key
from traffic_assets.assets.requests import REQUESTED, request_shared, require_same_request
from traffic_assets.catalogue.fingerprint import short_hash
from traffic_assets.catalogue.lookup import all_features, feature_columns
from traffic_assets.dagster_hdfs.applications import record_application
from traffic_assets.dagster_hdfs.costs import Meter
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.generation import join_timestamp_ranges
from traffic_assets.dagster_hdfs.io_managers.base import DATA, SUBFOLDER, table_schema
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.reading import read_generations, recorded_schema
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.messages import assets as messages
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.preprocessing.formulas import require_sources, without_source
from traffic_assets.ml.splits.shares import SPLIT, SPLITS, Shares
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import (
    build_weekly_partitions,
    days_without_data,
    first_whole_week,
    training_window,
    window_mapping,
)
from traffic_assets.readings.completeness import limit_as_percent, list_incomplete
from traffic_assets.settings import Settings
from traffic_assets.settings.persistence import TRAINING
from traffic_assets.settings.training import TrainingSettings

_LOG = logging.getLogger(__name__)
GROUP = "training"
PREPROCESSOR = "fitted_preprocessor"
SPLIT_ASSETS = {split: f"{split}_split" for split in SPLITS}
FEATURES_ID = "features_storage_id"
"""Metadata of the splits: newest materialization of the features that they certainly include."""
_SPLIT_BY = {"random": "a hash of their keys", "temporal": "time", "sensor": "sensor, each as a whole"}
_ROLES = {
    "train": "the models are fitted on them",
    "validation": "they stop fits early and calibrate prediction intervals",
    "test": "they are used only to evaluate the fitted models",
}
SPLIT_FIGURE = "split.png"


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of the group."""
    return [_splits(settings), *(_preprocessor(target, settings) for target in settings.training.targets)]


def require_days(week: str, published: dict[str, Generation], settings: Settings) -> dict[str, Generation]:
    """Return the days of the window that have enough readings, or raise if they are too few.

    Args:
        week: Monday of the week, ISO date.
        published: Current generation of each day of the window that has one.
        settings: Settings of the deployment.

    Raises:
        dagster.Failure: If days are missing, empty or incomplete, or are outside data.first_day and data.last_day.
    """
    days = training_window(week, settings)
    incomplete = _list_incomplete_days(published, settings)
    filled = {
        day: published[day]
        for day in days
        if day in published and published[day].record["rows"] and day not in incomplete
    }
    required = settings.training.required_days
    if len(filled) >= required:
        return filled
    facts: dict[str, Any] = {
        "week": week,
        "available": len(filled),
        "required": required,
        "missing": [day for day in days if day not in published],
        "empty": [day for day in days if day in published and not published[day].record["rows"]],
        "incomplete": {day: share for day, share in incomplete.items() if day in days},
        "minimum": limit_as_percent(settings.data.minimum_completeness),
    }
    before, after = days_without_data(week, settings) if len(days) < required else ([], [])
    if before:
        facts |= {"first_day": str(settings.data.first_day), "before": f"{before[0]} to {before[-1]}"}
    if after:
        facts |= {"last_day": str(settings.data.last_day), "after": f"{after[0]} to {after[-1]}"}
    if before and after:
        text = messages.DAYS_BEYOND_DATA(**facts)
    elif before:
        text = messages.DAYS_BEFORE_DATA(**facts, first_week=first_whole_week(settings))
    elif after:
        text = messages.DAYS_AFTER_DATA(**facts)
    else:
        commands = rebuild_commands((day for day in days if day not in filled), settings)
        text = messages.DAYS_MISSING(**facts, commands=commands)
    raise dg.Failure(text, allow_retries=False)


def incomplete_days(published: Mapping[str, Generation], settings: Settings) -> CodedText | None:
    """Return the warning for incomplete days, which a training leaves out; None without any."""
    days = _list_incomplete_days(published, settings)
    minimum = limit_as_percent(settings.data.minimum_completeness)
    commands = rebuild_commands(days, settings)
    return messages.INCOMPLETE_DAYS_LEFT_OUT(days=days, minimum=minimum, commands=commands) if days else None


def _list_incomplete_days(published: Mapping[str, Generation], settings: Settings) -> dict[str, str]:
    records = {day: generation.record for day, generation in sorted(published.items())}
    return list_incomplete(records, settings.data.minimum_completeness)


def split_id(settings: Settings, days: dict[str, Generation]) -> str:
    """Return the id of a split: a hash of its kind, shares and seed, and of the generations of its days."""
    parts = {
        "split": settings.training.split.model_dump(),
        "seed": settings.training.seed,
        "generations": {day: generation.id for day, generation in sorted(days.items())},
    }
    return short_hash(parts)


def newest_id(instance: dg.DagsterInstance, key: dg.AssetKey) -> int:
    """Return the storage id of the newest materialization of an asset, of any partition; 0 without one."""
    newest = instance.fetch_materializations(key, limit=1).records
    return newest[0].storage_id if newest else 0


def _splits(settings: Settings) -> dg.AssetsDefinition:
    weeks = build_weekly_partitions(settings)
    specs = [
        dg.AssetSpec(
            name,
            deps=[dg.AssetDep(FEATURE_TABLE, partition_mapping=window_mapping(settings))],
            group_name=GROUP,
            partitions_def=weeks,
            description=f"The {split} rows of the week's training window, split by "
            f"{_SPLIT_BY[settings.training.split.kind]}; {_ROLES[split]}.",
            metadata={SUBFOLDER: f"{SPLIT}={split}"},
            kinds={"spark", "hdfs"},
        ).with_io_manager_key(FRAMES)
        for split, name in SPLIT_ASSETS.items()
    ]

    @dg.multi_asset(name="splits", specs=specs, can_subset=False)
    def splits(
        context: dg.AssetExecutionContext, spark: SparkResource, hdfs: HdfsResource, week_guard: Guard
    ) -> Iterator[dg.MaterializeResult]:
        """Publish the three splits in one generation, so that the test rows cannot be rebuilt separately."""
        yield from _publish_splits(context, spark, hdfs, settings)

    return splits


@fails_with_code
def _publish_splits(
    context: dg.AssetExecutionContext, spark: SparkResource, hdfs: HdfsResource, settings: Settings
) -> list[dg.MaterializeResult]:
    """Split the rows of a week's window, publish them, and return the results of the three assets."""
    from traffic_assets.ml.splits.assign import split_column

    meter, week, training = Meter(), context.partition_key, settings.training
    features, target = hdfs.dataset(FEATURE_TABLE, DATE), hdfs.dataset(SPLIT_ASSETS["train"])
    # read before the pointers: a day that is published later may be missing here, and must not count as included
    features_id = newest_id(context.instance, add_key_prefix(FEATURE_TABLE, settings.deployment))
    with retried_connection_errors(hdfs.base_uri):
        published = features.current_generations(training_window(week, settings))
        days = require_days(week, published, settings)
        comparison = compare_days(days, settings)
        if comparison.mixed and training.mixed_settings == "refuse":
            raise dg.Failure(comparison.mixed, allow_retries=False)
        incomplete = incomplete_days(published, settings)
        for warning in filter(None, (incomplete, *comparison.warnings, comparison.mixed)):
            context.log.warning(warning)
        rows = read_generations(spark.session, list(days.values()))
        place = split_column(rows, training.split, training.seed)
        assigned = rows.withColumn(SPLIT, place)
        staged = target.stage(context.run.run_id)
        data = f"{staged}/{DATA}"
        try:
            assigned.write.partitionBy(SPLIT).parquet(data)
            written = spark.session.read.schema(assigned.schema).parquet(data)
            record = _split_record(written, place, days, settings)
            if figure := _split_figure(written, record["rows"], settings):
                target.filesystem.write_new(join(data, Internal.FILES, SPLIT_FIGURE), figure)
            record |= {"schema": recorded_schema(rows.schema), **join_timestamp_ranges(list(days.values()))}
            generation = target.publish(week, data, context.run.run_id, record)
        finally:
            target.discard(staged)
    shared = {
        FEATURES_ID: features_id,
        "geometries": comparison.layouts or "the same on every day",
        "settings": comparison.mixed or comparison.unknown or "the same on every day",
        **_figure_metadata(figure, generation, hdfs),
        **record_application(context.instance, context.run.run_id, spark.history_url),
        **meter.read().metadata(record["rows"], len(SPLIT_ASSETS)),
    }
    return [
        dg.MaterializeResult(
            asset_key=add_key_prefix(name, settings.deployment),
            metadata=describe_split(split, generation, hdfs, training) | shared,
        )
        for split, name in SPLIT_ASSETS.items()
    ]


def _split_record(written: Any, place: Any, days: dict[str, Generation], settings: Settings) -> dict[str, Any]:
    """Return the record of the splits.

    Args:
        written: Rows as stored, with the column `split`.
        place: Column expression of the split that a row belongs to.
        days: Generations of the features of each day.
        settings: Settings of the deployment.

    Raises:
        ValueError: If a split has no rows: Spark writes no folder for it, so later steps could not read it.
    """
    from traffic_assets.ml.splits.audit import audit_sensors, audit_splits, require_split_rows

    audit = audit_splits(written, place)
    require_split_rows(audit.counts)
    record: dict[str, Any] = {
        "split_id": split_id(settings, days),
        REQUESTED: request_shared(settings, requests.SPLIT),
        **audit._asdict(),
        "days": {day: generation.id for day, generation in days.items()},
        "sensor_tables": sorted({g.record["sensor_table"] for g in days.values() if "sensor_table" in g.record}),
        "rows": sum(audit.counts.values()),
    }
    if settings.training.split.kind == "sensor":
        record["sensors"], record["shared_sensors"] = audit_sensors(written)
    return record


def _split_figure(written: Any, total: int, settings: Settings) -> bytes | None:
    """Return the figure of the splits in time and by sensor; None for random splits, which would look like noise."""
    from traffic_assets.ml.plots.layout import plot_layout
    from traffic_assets.ml.splits.layout import place_split

    training = settings.training
    if training.split.kind == "random":
        return None
    placement = place_split(written, "", total, settings.evaluation.plot_points, training.seed)
    return plot_layout(placement, f"Split of {len(placement.at)} of the {total} rows")


def _figure_metadata(figure: bytes | None, generation: Generation, hdfs: HdfsResource) -> dict[str, Any]:
    from traffic_assets.assets.presentation import PICTURE_FILE, embed_picture

    if figure is None:
        return {}
    uri = join(generation.uri, Internal.FILES, SPLIT_FIGURE)
    return {"picture": embed_picture(figure), PICTURE_FILE: hdfs.describe_file(uri)}


def describe_split(
    split: str, generation: Generation, hdfs: HdfsResource, training: TrainingSettings
) -> dict[str, Any]:
    """Return the metadata of a published split that follows from its record."""
    record = generation.record
    return {
        "split_id": record["split_id"],
        "days": len(record["days"]),
        "generation": generation.id,
        "bytes": record["bytes"],
        "dagster/column_schema": table_schema(record["schema"], hdfs.column_descriptions),
        "dagster/row_count": record["counts"][split],
        "share": record["counts"][split] / max(record["rows"], 1),
        "expected_share": getattr(Shares.from_settings(training.split), split),
        **({"sensors": record["sensors"][split]} if "sensors" in record else {}),
        "path": dg.MetadataValue.path(f"{generation.uri}/{SPLIT}={split}"),
    }


def _preprocessor(target: str, settings: Settings) -> dg.AssetsDefinition:
    training = settings.training
    columns = feature_columns(training.exclude_features, target, training.features)
    configured = training.preprocessing.create
    require_sources(configured, all_features(), training.exclude_features, training.features)
    unusable = without_source(configured, columns)
    create = tuple(formula for formula in configured if formula not in unusable)
    warnings = [
        messages.FORMULA_FROM_TARGET(formula=formula, target=target, sources=sources)
        for formula, sources in unusable.items()
    ]
    for warning in warnings:
        _LOG.warning(warning)
    # the scaler would cost one pass over the rows
    scaled = not all(algorithm_named(name).scale_invariant for name in settings.enabled_models)

    @dg.asset(
        key=asset_key(add_target_prefix(PREPROCESSOR, target)),
        group_name=GROUP,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=MODELS,
        description=f"Spark pipeline that turns feature columns into the vector for the {target} models: imputed, "
        f"encoded and, if a model needs it, scaled. It is fitted on the train rows only.",
        tags={TARGET_TAG: target},
        kinds={"spark"},
    )
    @storage_step
    def fitted_preprocessor(context: dg.AssetExecutionContext, train_split: AssetInput) -> AssetOutput:
        from traffic_assets.ml.fitting.caching import cached_rows, vectors_to_fit
        from traffic_assets.ml.fitting.pipeline import fit_preprocessor, observed_rows
        from traffic_assets.ml.preprocessing.feature_set import Preparation, usable_features
        from traffic_assets.ml.preprocessing.pipeline import outlier_bounds, outlier_counts
        from traffic_assets.ml.preprocessing.slots import dropped_slots, slots, vector_report

        request = request_shared(settings, requests.SPLIT, requests.PREPARATION)
        require_same_request(context, settings, {"train_split": train_split}, request)
        context.log.info(f"fitting the preprocessor on {train_split.record['counts']['train']} train rows")
        for warning in warnings:
            context.log.warning(warning)
        preparation = Preparation(**training.preprocessing.model_dump() | {"create": create, "seed": training.seed})
        with cached_rows(observed_rows(train_split.value, target), training.cache_partitions) as train:
            features = usable_features(train, columns, preparation, target)
            model = fit_preprocessor(train, features, scaled)
            named = slots(model, features)
            report = vector_report(vectors_to_fit(model, train), named)
            outliers = outlier_counts(train, features, outlier_bounds(train, features))
        if features.missing:
            context.log.warning(messages.FEATURES_WITHOUT_VALUES(features=list(features.missing)))
        dropped = [slot.name for slot in dropped_slots(model, features)]
        context.add_output_metadata(
            {
                "features": dg.MetadataValue.json(list(features.names)),
                "missing_features": dg.MetadataValue.json(list(features.missing)),
                "answer_features": dg.MetadataValue.json(list(features.leaky_features)),
                **_treated_values(features, outliers, report.rows),
                "constant_slots": dg.MetadataValue.json(report.constant),
                "dropped_slots": dg.MetadataValue.json(dropped),
                "slots": len(named),
            }
        )
        return AssetOutput(
            model,
            kept=True,  # the models are stored with its stages and read again for their evaluation
            rows=features.rows,
            record={
                "split_id": train_split.record["split_id"],
                REQUESTED: request,
                "features": asdict(features),
                "answer_features": list(features.leaky_features),
                "slots": [asdict(slot) for slot in named],
                "dropped_slots": dropped,
                "scaled": scaled,
                "vector": asdict(report),
            },
        )

    return fitted_preprocessor


def _treated_values(features: Any, outliers: dict[str, int], fitted: int) -> dict[str, Any]:
    """Return the counts of missing values and outliers, under names that state their treatment.

    Args:
        features: Features to train on (`ml.preprocessing.FeatureSet`).
        outliers: Number of values beyond the bounds, by feature.
        fitted: Number of rows that the preprocessor was fitted on.
    """
    preparation, nulls = features.preparation, features.nulls
    dropping = set(features.numeric) if preparation.missing == "drop" else set()
    action = "clipped" if preparation.outlier_action == "clip" else "dropped"
    metadata: dict[str, Any] = {
        "imputed_nulls": dg.MetadataValue.json({n: count for n, count in nulls.items() if n not in dropping}),
        f"{action}_outliers": dg.MetadataValue.json(outliers),
    }
    if preparation.drops:
        metadata["dropped_nulls"] = dg.MetadataValue.json({n: count for n, count in nulls.items() if n in dropping})
        metadata["dropped_rows"] = features.rows - fitted
    return metadata


ASSETS = AssetGroup(
    name=GROUP,
    job=TRAIN,
    build=build,
    pruned=True,
    locations=dict.fromkeys(SPLIT_ASSETS.values(), f"{TRAINING}/splits"),
)
