"""Each lane's registry entry, behind its gate.

Dagster stops a lane after a failed gate only in the same run, so the entry holds the stored metrics against the
targets once more. What a version is, and how it is published, is in `registry/`.
"""

from datetime import datetime
from typing import Any

import dagster as dg

from traffic_assets.assets.group import REGISTRY, TRAIN, AssetGroup
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane, lanes_of, model_folder
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.costs import Meter
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import weekly
from traffic_assets.registry.metadata import Training, VersionMetadata, code_version, library_versions
from traffic_assets.registry.store import ModelRegistry, NewVersion
from traffic_assets.retention import prune
from traffic_assets.settings import Settings
from traffic_assets.settings.target import DEFAULT_TARGET

GROUP = "registry"


def registry_of(hdfs: HdfsResource) -> ModelRegistry:
    """The registry of a deployment."""
    return ModelRegistry(hdfs.uri(*hdfs.locations[REGISTRY].split("/")), hdfs.filesystem)


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """The registry entry of a lane."""
    algorithm = algorithm_named(lane.model_name)
    thresholds = settings.get_thresholds(lane.target, lane.model_name)

    @dg.asset(
        key=asset_key(lane.registry_entry),
        group_name=GROUP,
        partitions_def=weekly(settings),
        ins={"evaluation": dg.AssetIn(asset_key(lane.evaluation))},
        description=f"{lane.title}: an immutable version of the model that passed its gate.",
        kinds={"hdfs"},
    )
    def registry_entry(
        context: dg.AssetExecutionContext, hdfs: HdfsResource, evaluation: AssetInput
    ) -> dg.MaterializeResult:
        from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
        from traffic_assets.ml.evaluation.scores import Evaluation
        from traffic_assets.ml.model_selection.trials import Trial

        meter = Meter()
        found = Evaluation.model_validate({k: evaluation.value[k] for k in Evaluation.model_fields})
        trial = Trial.model_validate(evaluation.value["cross_validation"])
        results = evaluate_thresholds(thresholds, found.test, trial, TARGETS[lane.target].unit)
        if missed := describe_missed(results):
            key = "thresholds" if lane.target == DEFAULT_TARGET else f"other_thresholds.{lane.target}"
            raise dg.Failure(
                f"{lane.id} is not registered, since it misses its targets: {'; '.join(missed)}. Train it again, or "
                f"change evaluation.{key}.{lane.model_name}.",
                allow_retries=False,
            )
        with retried_connection_errors(hdfs.base_uri):
            new = _new_version(context, hdfs, lane, algorithm, settings, evaluation, found, results)
            registry = registry_of(hdfs)
            metadata = registry.register(new)
            removed = prune(hdfs, registry, settings.persistence.keep_generations_hours, context.log.warning)
        if removed:
            context.log.info(f"{len(removed)} replaced generation(s) and other leftovers removed after their time")
        return dg.MaterializeResult(
            metadata={
                "version": metadata.version,
                "path": dg.MetadataValue.path(f"{registry.root}/{lane.id}/{metadata.version}"),
                "test_r2": found.test.r2,
                "test_rmse": found.test.rmse,
                "temporal_rmse": found.temporal.metrics.rmse,
                "model_bytes": metadata.model_bytes,
                **meter.read().metadata(),
            },
            data_version=dg.DataVersion(metadata.version),
        )

    return [registry_entry]


def _new_version(
    context: dg.AssetExecutionContext,
    hdfs: HdfsResource,
    lane: Lane,
    algorithm: Algorithm,
    settings: Settings,
    evaluation: AssetInput,
    found: Any,
    results: list[Any],
) -> NewVersion:
    """What is registered: the very generation that was evaluated, not whatever is current now."""
    week, model_uri = context.partition_key, evaluation.value["model_generation"]
    current = hdfs.dataset(lane.model).current(week)
    if current is None or current.uri != model_uri:
        raise dg.Failure(
            f"{lane.model} was trained again after {lane.evaluation} of {week}: evaluate it first, or run the job "
            f"train for this week again, whole.",
            allow_retries=False,
        )
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
            gap=found.gap,
            targets=[result.model_dump() for result in results],
            hyperparameters=record["hyperparameters"],
            importances=evaluation.value["importances"],
            facts=record["facts"],
            features=record["features"],
            slots=[slot["name"] for slot in record["slots"]],
            columns=record["schema"],
            training=Training(
                week=week,
                days=record["days"],
                sensor_tables=record["sensor_tables"],
                split_id=record["split_id"],
                splits=record["splits"],
                preprocessor=record["preprocessor"],
                model=model_uri,
                rows=record["counts"],
                seeds={"split": settings.training.seed, "folds": settings.training.seed, "fit": settings.training.seed},
                profile=settings.profile,
                run_id=current.run_id,
            ),
            model_bytes=evaluation.value["model_bytes"],
            training_minutes=record["training_minutes"],
            code_version=code_version(),
            libraries=library_versions(),
        )

    return NewVersion(lane.id, model_uri, bare, dict(evaluation.files), metadata, identity=model_uri)


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the registry entry of every lane."""
    return [asset for lane in lanes_of(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=GROUP, job=TRAIN, build=build, pruned=False)
