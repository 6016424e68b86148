"""The registry entry of each lane, which depends on its gate.

Dagster stops a lane after a failed gate in the same run only, so the entry compares the stored metrics with the
thresholds again. Versions and their publication are in `registry/`.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from traffic_assets.assets.group import REGISTRY, TRAIN, AssetGroup
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lane_requests import infer_requests
from traffic_assets.assets.lanes import Lane, list_lanes, model_folder
from traffic_assets.assets.requests import (
    REQUESTED,
    find_differences,
    make_failure,
    require_same_request,
    restore_training,
)
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.applications import record_application
from traffic_assets.dagster_hdfs.costs import Meter
from traffic_assets.dagster_hdfs.failures import fails_with_code
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages import assets as messages
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.registry.metadata import Training, VersionMetadata, code_version, library_versions
from traffic_assets.registry.store import ModelRegistry, NewVersion
from traffic_assets.retention import prune
from traffic_assets.settings import Settings

GROUP = "registry"


def get_registry(hdfs: HdfsResource) -> ModelRegistry:
    """Return the registry of a deployment."""
    return ModelRegistry(hdfs.uri(*hdfs.locations[REGISTRY].split("/")), hdfs.filesystem)


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the registry entry of a lane."""
    algorithm = algorithm_named(lane.model_name)
    thresholds = settings.get_thresholds(lane.target, lane.model_name)

    @dg.asset(
        key=asset_key(lane.registry_entry),
        group_name=GROUP,
        partitions_def=build_weekly_partitions(settings),
        ins={"evaluation": dg.AssetIn(asset_key(lane.evaluation))},
        description=f"{lane.title}: an immutable version of the model that passed its gate, with metrics, figures, "
        f"features and provenance. Load it with ModelRegistry, or list it with `traffic-assets models list`.",
        tags=lane.tags,
        kinds={"hdfs"},
    )
    @fails_with_code
    def registry_entry(
        context: dg.AssetExecutionContext, hdfs: HdfsResource, evaluation: AssetInput
    ) -> dg.MaterializeResult:
        from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
        from traffic_assets.ml.evaluation.scores import Evaluation
        from traffic_assets.ml.model_selection.trials import Trial

        meter = Meter()
        evaluated = Evaluation.model_validate({k: evaluation.value[k] for k in Evaluation.model_fields})
        trial = Trial.model_validate(evaluation.value["cross_validation"])
        results = evaluate_thresholds(thresholds, evaluated.test, trial, TARGETS[lane.target].unit)
        if missed := describe_missed(results):
            text = messages.NOT_REGISTERED(lane=lane.id, missed=missed, setting=lane.thresholds_setting)
            raise dg.Failure(text, allow_retries=False)
        with retried_connection_errors(hdfs.base_uri):
            new = _new_version(context, hdfs, lane, algorithm, settings, evaluation, evaluated.gap, results)
            registry = get_registry(hdfs)
            metadata = registry.register(new)
            removed = prune(hdfs, registry, settings.persistence.keep_generations_hours, context.log.warning)
        if removed:
            context.log.info(f"pruned {len(removed)} replaced generations and other leftovers")
        return dg.MaterializeResult(
            metadata={
                **describe_version(metadata, registry),
                **record_application(context.instance, context.run.run_id, settings.spark.history_url),
                **meter.read().metadata(),
            },
            data_version=dg.DataVersion(metadata.version),
        )

    return [registry_entry]


def describe_version(metadata: VersionMetadata, registry: ModelRegistry) -> dict[str, Any]:
    """Return the metadata of a registered version for the Dagster UI."""
    from traffic_assets.ml.metrics.metrics import UNDEFINED

    test, temporal = metadata.metrics["test"], metadata.temporal["metrics"]
    r2 = test["r2"]
    return {
        "version": metadata.version,
        "path": dg.MetadataValue.path(f"{registry.root}/{metadata.lane}/{metadata.version}"),
        "test_r2": UNDEFINED if r2 is None or math.isnan(r2) else r2,
        "test_rmse": test["rmse"],
        "temporal_rmse": temporal["rmse"],
        "model_bytes": metadata.model_bytes,
    }


def _new_version(
    context: dg.AssetExecutionContext,
    hdfs: HdfsResource,
    lane: Lane,
    algorithm: Algorithm,
    settings: Settings,
    evaluation: AssetInput,
    gap: Mapping[str, float],
    results: list[Any],
) -> NewVersion:
    """Return the version to register, from the evaluated generation, or raise if that is not the current one."""
    week, model_uri = context.partition_key, evaluation.value["model_generation"]
    models = hdfs.dataset(lane.model)
    current = models.current(week)
    if current is None or current.uri != model_uri:
        text = messages.TRAINED_AGAIN(model=lane.model, week=week, evaluation=lane.evaluation)
        raise dg.Failure(text, allow_retries=False)
    models.require_whole([current])
    inputs = {lane.model: AssetInput(lambda: None, {week: current}), lane.evaluation: evaluation}
    require_same_request(context, settings, inputs, built_from={lane.evaluation: lane.diagnostics})
    if differences := find_differences(infer_requests(lane, evaluation.value, evaluation.value["temporal"])):
        again = [lane.model, lane.diagnostics, lane.temporal_verdict, lane.evaluation]
        raise make_failure(context, settings, differences, again)
    record = current.record
    bare = model_folder(model_uri, hdfs)

    def metadata(version: str, created_at: datetime) -> VersionMetadata:
        return VersionMetadata(
            lane=lane.id,
            version=version,
            kind=algorithm.kind,
            algorithm=algorithm.name,
            target=lane.target,
            model_class=algorithm.model_class,
            created_at=created_at,
            metrics={"train": evaluation.value["train"], "test": evaluation.value["test"]},
            temporal={name: value for name, value in evaluation.value["temporal"].items() if name != "search"},
            cross_validation=evaluation.value["cross_validation"],
            gap=dict(gap),
            targets=[result.model_dump() for result in results],
            hyperparameters=record["hyperparameters"],
            importances=evaluation.value["importances"],
            facts=record["facts"],
            features=record["features"],
            slots=[slot["name"] for slot in record["slots"]],
            columns=record["schema"],
            training=_origin(current, settings),
            model_bytes=evaluation.value["model_bytes"],
            training_minutes=record["training_minutes"],
            code_version=code_version(),
            libraries=library_versions(),
        )

    return NewVersion(lane.id, model_uri, bare, dict(evaluation.files), metadata, identity=model_uri)


def _origin(generation: Generation, settings: Settings) -> Training:
    """Return the inputs that a stored model was trained on."""
    record = generation.record
    seed = restore_training(settings, record.get(REQUESTED, {})).seed
    return Training(
        week=generation.partition,
        **{name: record[name] for name in ("days", "sensor_tables", "split_id", "splits", "preprocessor")},
        model=generation.uri,
        rows=record["counts"],
        seeds={"split": seed, "folds": seed, "fit": seed},
        profile=settings.profile,
        run_id=generation.run_id,
    )


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the registry entry of every lane."""
    return [asset for lane in list_lanes(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=GROUP, job=TRAIN, build=build, pruned=False)
