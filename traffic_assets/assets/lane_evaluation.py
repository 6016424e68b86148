"""A lane's evaluation steps: diagnostics, temporal holdout -> evaluation.

The diagnostics score the stored model once and depend on no gate, so comparison and report include every model. The
evaluation joins them with the temporal holdout, and its gate decides on the registry entry. The comparison of all lanes
is in `evaluation.py`.
"""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, TRAIN, AssetGroup
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lane_requests import infer_requests, request_lane
from traffic_assets.assets.lanes import EVALUATION, Lane, list_lanes, model_folder, require_same_split, scratch_folder
from traffic_assets.assets.requests import (
    FOLDS,
    HOLDOUT,
    PREPARATION,
    REQUESTED,
    SPLIT,
    merge_requests,
    request_shared,
    require_same_request,
)
from traffic_assets.assets.training import PREPROCESSOR, SPLIT_ASSETS
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings

THUMBNAIL = "predicted_against_actual"
"""Figure of an evaluation that the UI shows inline; the others are links."""


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of a lane from its temporal holdout to its evaluation."""
    algorithm = algorithm_named(lane.model_name)
    return [
        _temporal_verdict(lane, algorithm, settings),
        _diagnostics(lane, algorithm, settings),
        _evaluation(lane, settings),
    ]


def _temporal_verdict(lane: Lane, algorithm: Algorithm, settings: Settings) -> dg.AssetsDefinition:
    training = settings.training

    @dg.asset(
        key=asset_key(lane.temporal_verdict),
        group_name=EVALUATION,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins={
            PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor)),
            "cv_report": dg.AssetIn(asset_key(lane.cv_report)),
        },
        description=f"{lane.title}: metrics on the temporal holdout. A second model is fitted on the first part of the "
        f"window and evaluated on the rest, which shows how well the approach predicts later data.",
        tags=lane.tags,
        kinds={"spark", "json"},
    )
    @storage_step
    def temporal_verdict(
        context: dg.AssetExecutionContext,
        hdfs: HdfsResource,
        train_split: AssetInput,
        validation_split: AssetInput,
        test_split: AssetInput,
        fitted_preprocessor: AssetInput,
        cv_report: AssetInput,
    ) -> AssetOutput:
        from traffic_assets.assets.presentation import describe_search, dump_document, show_metrics
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.model_selection.temporal import evaluate_temporal_holdout
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet
        from traffic_assets.ml.search.from_settings import rows_from_settings, search_from_settings

        splits = _by_split(train_split, validation_split, test_split)
        inputs = {**splits, lane.preprocessor: fitted_preprocessor, lane.cv_report: cv_report}
        split = require_same_split(inputs)
        tuned = cv_report.value["tuned"]
        requested = algorithm.hyperparameters.model_validate(cv_report.value["requested"])
        request = merge_requests(
            request_shared(settings, SPLIT, PREPARATION, HOLDOUT, *([FOLDS] if tuned else [])),
            request_lane(settings, lane, requested, tuned),
        )
        require_same_request(context, settings, inputs, request)

        def search(earlier: Any, features: FeatureSet) -> Any:
            with scratch_folder(context, hdfs, lane) as scratch:
                return search_from_settings(
                    earlier, features, algorithm, settings, requested, True, scratch, notify=context.log.info
                )

        window = train_split.value.unionByName(validation_split.value).unionByName(test_split.value)
        features = FeatureSet.from_dict(fitted_preprocessor.record["features"])
        with rows_from_settings(observed_rows(window, lane.target), features, algorithm, settings, requested) as rows:
            result = evaluate_temporal_holdout(
                rows,
                features,
                algorithm,
                search if tuned else lambda *_: requested,
                share=training.temporal_train_share,
                seed=training.seed,
                notify=context.log.info,
            )
        context.add_output_metadata(
            {
                "boundary": result.boundary.isoformat(),
                **show_metrics(result.metrics),
                "hyperparameters": dg.MetadataValue.json(result.hyperparameters),
                **(describe_search(result.search) if result.search else {}),
            }
        )
        record = {"split_id": split, REQUESTED: request}
        return AssetOutput(dump_document(result), record=record, rows=sum(train_split.record["counts"].values()))

    return temporal_verdict


def _diagnostics(lane: Lane, algorithm: Algorithm, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(lane.diagnostics),
        group_name=EVALUATION,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins={"model": dg.AssetIn(asset_key(lane.model))},
        description=f"{lane.title}: metrics of the stored model on train and test rows, errors by slice, prediction "
        f"intervals, importances and figures. Depends on no gate.",
        tags=lane.tags,
        kinds={"spark", "json"},
    )
    @storage_step
    def diagnostics(
        context: dg.AssetExecutionContext,
        hdfs: HdfsResource,
        model: AssetInput,
        train_split: AssetInput,
        validation_split: AssetInput,
        test_split: AssetInput,
    ) -> AssetOutput:
        from traffic_assets.assets.presentation import describe_scores, dump_document
        from traffic_assets.ml.evaluation.diagnostics import diagnose, predicted_rows
        from traffic_assets.ml.evaluation.scores import sample_points, score_model
        from traffic_assets.ml.fitting.caching import cached_rows
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.metrics.metrics import format_r2
        from traffic_assets.ml.plots.diagnostics import plot_diagnostics
        from traffic_assets.ml.preprocessing.slots import Slot

        inputs = {lane.model: model, **_by_split(train_split, validation_split, test_split)}
        split = require_same_split(inputs)
        request = require_same_request(context, settings, inputs, request_shared(settings, SPLIT))
        slots = [Slot(**slot) for slot in model.record["slots"]]
        training, evaluation, target = settings.training, settings.evaluation, lane.target
        train, validation, test = (
            observed_rows(rows.value, target) for rows in (train_split, validation_split, test_split)
        )
        with cached_rows(predicted_rows(model.value, test, target), training.cache_partitions) as predicted:
            scored = score_model(model.value, train, predicted, algorithm, slots, target)
            points = sample_points(predicted, scored.test.rows, evaluation.plot_points, training.seed, target)
            errors = diagnose(
                model.value, predicted, validation, settings.data.zone, training.seed, evaluation.diagnostics, target
            )
        context.log.info(f"{lane.title}: test RMSE {scored.test.rmse:.3f}, R² {format_r2(scored.test.r2)}")
        context.add_output_metadata(describe_scores(scored))
        value = {
            **dump_document(scored),
            "diagnostics": dump_document(errors),
            "cross_validation": model.record["cross_validation"],
            "model_generation": model.generation.uri,
            "model_bytes": hdfs.filesystem.size(model_folder(model.generation.uri, hdfs)),
            "training_minutes": model.record["training_minutes"],
        }
        return AssetOutput(
            value,
            record={"split_id": split, REQUESTED: request, "model_generation": model.generation.uri},
            files=plot_diagnostics(points, scored, errors, lane.title, settings.data.time_zone, target),
            rows=scored.train.rows + scored.test.rows,
        )

    return diagnostics


def _evaluation(lane: Lane, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(lane.evaluation),
        group_name=EVALUATION,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins={
            "diagnosed": dg.AssetIn(asset_key(lane.diagnostics)),
            "temporal": dg.AssetIn(asset_key(lane.temporal_verdict)),
        },
        description=f"{lane.title}: metrics of the model on the random and on the temporal holdout, with diagnostics "
        f"and figures. The gate meets_targets on this asset decides whether the model is registered.",
        tags=lane.tags,
        kinds={"json"},
    )
    @storage_step
    def evaluation(context: dg.AssetExecutionContext, diagnosed: AssetInput, temporal: AssetInput) -> AssetOutput:
        from traffic_assets.assets import presentation
        from traffic_assets.ml.evaluation.diagnostics import Diagnostics
        from traffic_assets.ml.evaluation.scores import Evaluation

        inputs = {lane.diagnostics: diagnosed, lane.temporal_verdict: temporal}
        split = require_same_split(inputs)
        built_from, inferred = {lane.diagnostics: lane.model}, infer_requests(lane, diagnosed.value, temporal.value)
        request = require_same_request(context, settings, inputs, built_from=built_from, inferred=inferred)
        value = {**diagnosed.value, "temporal": temporal.value}
        evaluated = Evaluation.model_validate({name: value[name] for name in Evaluation.model_fields})
        figures = diagnosed.files
        context.add_output_metadata(
            {
                **presentation.describe_evaluation(evaluated),
                **presentation.describe_diagnostics(Diagnostics.model_validate(value["diagnostics"])),
                "model_bytes": value["model_bytes"],
                THUMBNAIL: presentation.embed_picture(figures[f"{THUMBNAIL}.png"]),
            }
        )
        # the registry stores the figures with the version
        record = {"split_id": split, REQUESTED: request, "model_generation": value["model_generation"]}
        links = presentation.name_links(figures, f"{THUMBNAIL}.png")
        return AssetOutput(value, record=record, files=figures, links=links)

    return evaluation


def _by_split(train: AssetInput, validation: AssetInput, test: AssetInput) -> dict[str, AssetInput]:
    return dict(zip(SPLIT_ASSETS.values(), (train, validation, test), strict=True))


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of every lane."""
    return [asset for lane in list_lanes(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=EVALUATION, job=TRAIN, build=build, pruned=True)
