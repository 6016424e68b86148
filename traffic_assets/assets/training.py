"""The assets that a week's lanes share: the three splits and the fitted preprocessor.

The lanes themselves are in `lanes.py` and beside it; how rows are split and preprocessed is in `ml/`.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import DATE, FRAMES, MODELS, TRAIN, AssetGroup, Guard
from traffic_assets.assets.keys import asset_key, of_target
from traffic_assets.catalogue.lookup import all_features, feature_columns
from traffic_assets.dagster_hdfs.costs import Meter
from traffic_assets.dagster_hdfs.io_managers.base import DATA, SUBFOLDER, table_schema
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.reading import read_generations, recorded_schema
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.preprocessing.formulas import require_sources, without_source
from traffic_assets.ml.splits.shares import SPLIT, SPLITS, Shares
from traffic_assets.partitions import days_without_data, first_whole_week, training_window, weekly, window_mapping
from traffic_assets.settings import Settings
from traffic_assets.settings.persistence import TRAINING

_LOG = logging.getLogger(__name__)
GROUP = "training"
PREPROCESSOR = "fitted_preprocessor"
SPLIT_ASSETS = {split: f"{split}_split" for split in SPLITS}
LAYOUT_FINGERPRINT = "geometry"
"""In the record of a day's features: hash of what in the sensor table they depend on."""
FEATURES_ID = "features_storage_id"
"""Metadata of the splits: the newest materialisation of the features that they are sure to know."""
_PLACED = {"random": "by hash of their keys", "temporal": "in the order of time", "sensor": "whole sensors, by hash"}


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of the group."""
    return [_splits(settings), *(_preprocessor(target, settings) for target in settings.training.targets)]


def require_days(week: str, found: dict[str, Generation], settings: Settings) -> dict[str, Generation]:
    """The days of the window that hold readings, or a refusal.

    Raises:
        dagster.Failure: naming the days that are missing or empty, or that the data cannot have.
    """
    days = training_window(week, settings)
    filled = {day: found[day] for day in days if day in found and found[day].record["rows"]}
    required = settings.training.required_days
    if len(filled) >= required:
        return filled
    empty = [day for day in days if day in found and day not in filled]
    missing = [day for day in days if day not in found]
    reasons, remedies = _days_beyond_data(week, settings) if len(days) < required else ([], [])
    if missing or empty:
        reasons.append(f"not materialized: {', '.join(missing) or 'none'}; empty: {', '.join(empty) or 'none'}")
    if not remedies:
        remedies.append(f"materialize {FEATURE_TABLE} for them (job features)")
    raise dg.Failure(
        f"Week {week} has {len(filled)} of the {required} days it needs. {_sentence('; '.join(reasons))} "
        f"{_sentence(', '.join(remedies) + ', or allow fewer days by training.minimum_days')}",
        allow_retries=False,
    )


def different_geometries(days: dict[str, Generation]) -> str | None:
    """What to tell of days whose features do not wholly compare; None where they do.

    Positions are scaled, clustered and coded by the sensor table, and a new sensor moves all of that a little. It
    is told and not refused: a detector that is added must not stop every training until someone acts. Days that
    record no geometry (a ready-made table, or an earlier version) are taken as they are.
    """
    groups: dict[str, list[str]] = {}
    for day, generation in sorted(days.items()):
        if fingerprint := generation.record.get(LAYOUT_FINGERPRINT):
            groups.setdefault(fingerprint, []).append(day)
    if len(groups) < 2:
        return None
    newest = max(groups, key=lambda fingerprint: max(days[day].published_at for day in groups[fingerprint]))
    older = sorted(day for fingerprint, some in groups.items() if fingerprint != newest for day in some)
    listed = "; ".join(
        f"{fingerprint}{' (the newest)' if fingerprint == newest else ''}: {', '.join(some)}"
        for fingerprint, some in groups.items()
    )
    return (
        f"the days of the window were made from sensor tables that differ in box, centre, clusters, positions or "
        f"codes, so that their features do not wholly compare. By geometry: {listed}. Materialize {FEATURE_TABLE} "
        f"again (job features) for {', '.join(older)} to make them alike."
    )


def different_fills(days: dict[str, Generation], settings: Settings) -> str | None:
    """What to tell of days whose gaps were not filled as the settings say now; None where they all were.

    Days that record no fill (a ready-made table, or an earlier version) are taken as they are.
    """
    now = settings.data.fill.model_dump()
    others = sorted(day for day, generation in days.items() if generation.record.get("fill", now) != now)
    if not others:
        return None
    return (
        f"gaps were filled in another way than data.fill says now ({json.dumps(now)}) for {', '.join(others)}. "
        f"Materialize {FEATURE_TABLE} again (job features) for them."
    )


def split_id(settings: Settings, days: dict[str, Generation]) -> str:
    """What identifies a split: its kind, shares and seed, and the generations of the days that went in."""
    made_of = {
        "split": settings.training.split.model_dump(),
        "seed": settings.training.seed,
        "generations": {day: generation.id for day, generation in sorted(days.items())},
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _days_beyond_data(week: str, settings: Settings) -> tuple[list[str], list[str]]:
    """Why the data cannot have some days of a week's window, and what to do."""
    before, after = days_without_data(week, settings)
    reasons, remedies = [], []
    if before:
        reasons.append(f"before data.first_day ({settings.data.first_day}): {before[0]} to {before[-1]}")
        remedies.append(f"choose week {first_whole_week(settings)} or a later one, set an earlier data.first_day")
    if after:
        reasons.append(f"after data.last_day ({settings.data.last_day}): {after[0]} to {after[-1]}")
        remedies.append("choose an earlier week, set a later data.last_day")
    return reasons, remedies


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def newest_id(instance: dg.DagsterInstance, key: dg.AssetKey) -> int:
    """Storage id of an asset's newest materialisation, of whatever partition; 0 if there is none."""
    newest = instance.fetch_materializations(key, limit=1).records
    return newest[0].storage_id if newest else 0


def _splits(settings: Settings) -> dg.AssetsDefinition:
    weeks = weekly(settings)
    training = settings.training
    specs = [
        dg.AssetSpec(
            name,
            deps=[dg.AssetDep(FEATURE_TABLE, partition_mapping=window_mapping(settings))],
            group_name=GROUP,
            partitions_def=weeks,
            description=f"The {split} rows of the training window, {_PLACED[training.split.kind]}.",
            metadata={SUBFOLDER: f"{SPLIT}={split}"},
            kinds={"spark", "hdfs"},
        ).with_io_manager_key(FRAMES)
        for split, name in SPLIT_ASSETS.items()
    ]

    @dg.multi_asset(name="splits", specs=specs, can_subset=False)
    def splits(
        context: dg.AssetExecutionContext, spark: SparkResource, hdfs: HdfsResource, week_guard: Guard
    ) -> Iterator[dg.MaterializeResult]:
        """Three splits in one generation: nobody can rebuild the test rows alone."""
        from traffic_assets.assets.presentation import picture
        from traffic_assets.ml.plots.layout import plot_layout
        from traffic_assets.ml.splits.assign import split_column
        from traffic_assets.ml.splits.audit import audit_sensors, audit_splits
        from traffic_assets.ml.splits.layout import place_split

        meter = Meter()
        week = context.partition_key
        features, target = hdfs.dataset(FEATURE_TABLE, DATE), hdfs.dataset(SPLIT_ASSETS["train"])
        # before the pointers: a day that is published later may or may not be read here, and must not count as known
        features_id = newest_id(context.instance, dg.AssetKey(FEATURE_TABLE))
        with retried_connection_errors(hdfs.base_uri):
            days = require_days(week, features.current_generations(training_window(week, settings)), settings)
            difference, fills = different_geometries(days), different_fills(days, settings)
            for warning in filter(None, (difference, fills)):
                context.log.warning(warning)
            rows = read_generations(spark.session, list(days.values()))
            place = split_column(rows, training.split, training.seed)
            assigned = rows.withColumn(SPLIT, place)
            staged = target.stage(context.run.run_id)
            data = f"{staged}/{DATA}"
            try:
                assigned.write.partitionBy(SPLIT).parquet(data)
                written = spark.session.read.schema(assigned.schema).parquet(data)
                found = audit_splits(written, place)
                total = sum(found.counts.values())
                record: dict[str, Any] = {
                    "split_id": split_id(settings, days),
                    **found._asdict(),
                    "days": {day: generation.id for day, generation in days.items()},
                    "sensor_tables": sorted(
                        {g.record["sensor_table"] for g in days.values() if "sensor_table" in g.record}
                    ),
                    "rows": total,
                    "bytes": target.filesystem.size(data),
                    "schema": recorded_schema(rows.schema),
                }
                if training.split.kind == "sensor":
                    record["sensors"], record["shared_sensors"] = audit_sensors(written)
                placed = None
                if training.split.kind != "random":  # rows by hash would look like noise
                    placed = place_split(written, "", total, settings.evaluation.plot_points, training.seed)
                generation = target.publish(week, data, context.run.run_id, record)
            finally:
                target.discard(staged)
        drawn = {}
        if placed:
            figure = plot_layout(placed, f"The split of {len(placed.at)} of the {total} rows")
            drawn = {"picture": picture(figure)}
        expected = Shares.from_settings(training.split)
        cost = meter.read().metadata(record["rows"], len(SPLIT_ASSETS))
        for split, name in SPLIT_ASSETS.items():
            yield dg.MaterializeResult(
                asset_key=name,
                metadata={
                    "dagster/row_count": record["counts"][split],
                    "share": record["counts"][split] / max(record["rows"], 1),
                    "expected_share": getattr(expected, split),
                    **({"sensors": record["sensors"][split]} if "sensors" in record else {}),
                    "split_id": record["split_id"],
                    "days": len(days),
                    FEATURES_ID: features_id,
                    "path": dg.MetadataValue.path(f"{generation.uri}/{SPLIT}={split}"),
                    "generation": generation.id,
                    "bytes": record["bytes"],
                    "geometries": difference or "the same on every day",
                    "fills": fills or "as the settings say",
                    **drawn,
                    **cost,
                    "dagster/column_schema": table_schema(record["schema"]),
                },
            )

    return splits


def _preprocessor(target: str, settings: Settings) -> dg.AssetsDefinition:
    training = settings.training
    wanted = training.preprocessing.create
    columns = feature_columns(training.exclude_features, target, training.features)
    require_sources(wanted, all_features(), training.exclude_features, training.features)
    lacking = without_source(wanted, columns)
    not_made = [
        f"training.preprocessing.create: {formula} is not made for the target {target}, since {' and '.join(sources)} "
        f"is made from the very value that is predicted"
        for formula, sources in lacking.items()
    ]
    for warning in not_made:
        _LOG.warning(warning)
    # a pass over the rows for nothing, where scale is nothing to any lane
    scaled = not all(algorithm_named(name).scale_invariant for name in settings.enabled_models)

    @dg.asset(
        key=asset_key(of_target(PREPROCESSOR, target)),
        group_name=GROUP,
        partitions_def=weekly(settings),
        io_manager_key=MODELS,
        kinds={"spark"},
    )
    @storage_step
    def fitted_preprocessor(context: dg.AssetExecutionContext, train_split: AssetInput) -> AssetOutput:
        """From feature columns to a vector that a model can be fitted on, fitted on the train rows only."""
        from traffic_assets.ml.fitting.caching import cached_rows, vectors_to_fit
        from traffic_assets.ml.fitting.pipeline import fit_preprocessor, observed_rows
        from traffic_assets.ml.preprocessing.feature_set import Preparation, usable_features
        from traffic_assets.ml.preprocessing.pipeline import outlier_bounds, outlier_counts
        from traffic_assets.ml.preprocessing.slots import dropped_slots, slots, vector_report

        context.log.info(f"fitting the preprocessor on {train_split.record['counts']['train']} train rows")
        for warning in not_made:
            context.log.warning(warning)
        create = tuple(formula for formula in wanted if formula not in lacking)
        preparation = Preparation(**training.preprocessing.model_dump() | {"create": create, "seed": training.seed})
        with cached_rows(observed_rows(train_split.value, target), training.cache_partitions) as train:
            features = usable_features(train, columns, preparation, target)
            model = fit_preprocessor(train, features, scaled)
            named = slots(model, features)
            report = vector_report(vectors_to_fit(model, train), named)
            outliers = outlier_counts(train, features, outlier_bounds(train, features))
        if features.missing:
            context.log.warning(f"left out, since they hold no value in train: {', '.join(features.missing)}")
        dropped = [slot.name for slot in dropped_slots(model, features)]
        context.add_output_metadata(
            {
                "features": dg.MetadataValue.json(list(features.names)),
                "missing_features": dg.MetadataValue.json(list(features.missing)),
                "answer_features": dg.MetadataValue.json(list(features.leaky_features)),
                **_what_became_of(features, outliers, report.rows),
                "constant_slots": dg.MetadataValue.json(report.constant),
                "dropped_slots": dg.MetadataValue.json(dropped),
                "slots": len(named),
            }
        )
        return AssetOutput(
            model,
            kept=True,  # every model is stored with its stages and judged as loaded, so nothing goes unread
            rows=features.rows,
            record={
                "split_id": train_split.record["split_id"],
                "features": asdict(features),
                "answer_features": list(features.leaky_features),
                "slots": [asdict(slot) for slot in named],
                "dropped_slots": dropped,
                "scaled": scaled,
                "vector": asdict(report),
            },
        )

    return fitted_preprocessor


def _what_became_of(features: Any, outliers: dict[str, int], fitted: int) -> dict[str, Any]:
    """Counts of missing values and outliers, each under the name of what was done with them.

    Args:
        features: what is trained on (`ml.preprocessing.FeatureSet`).
        outliers: by feature, values beyond its bounds.
        fitted: rows that the preprocessor was fitted on.
    """
    preparation, nulls = features.preparation, features.nulls
    dropping = set(features.numeric) if preparation.missing == "drop" else set()
    action = "clipped" if preparation.outlier_action == "clip" else "dropped"
    shown: dict[str, Any] = {
        "imputed_nulls": dg.MetadataValue.json({n: count for n, count in nulls.items() if n not in dropping}),
        f"{action}_outliers": dg.MetadataValue.json(outliers),
    }
    if preparation.drops:
        shown["dropped_nulls"] = dg.MetadataValue.json({n: count for n, count in nulls.items() if n in dropping})
        shown["dropped_rows"] = features.rows - fitted
    return shown


ASSETS = AssetGroup(
    name=GROUP,
    job=TRAIN,
    build=build,
    pruned=True,
    locations=dict.fromkeys(SPLIT_ASSETS.values(), f"{TRAINING}/splits"),
)
