"""A lane's training steps: the cross-validation report, and the model fitted with the chosen hyperparameters.

The steps are the same for every model; the differences between models are in `ml/algorithms`.
"""

import time
from typing import Any

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, MODELS, TRAIN, AssetGroup, Guard
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lane_requests import request_lane
from traffic_assets.assets.lanes import TRAINING, Lane, list_lanes, require_same_split, require_scaler, scratch_folder
from traffic_assets.assets.launchpad import TUNE, config_class
from traffic_assets.assets.requests import (
    FOLDS,
    PREPARATION,
    REQUESTED,
    SPLIT,
    merge_requests,
    request_shared,
    require_same_request,
)
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import ModelSettings

FOLDS_FIGURE = "folds.png"


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the cross-validation report and the model of a lane."""
    algorithm, model_settings = algorithm_named(lane.model_name), settings.enabled_models[lane.model_name]
    return [_cv_report(lane, algorithm, model_settings, settings), _model(lane, algorithm, settings)]


def _cv_report(
    lane: Lane, algorithm: Algorithm, model_settings: ModelSettings, settings: Settings
) -> dg.AssetsDefinition:
    config_type = config_class(algorithm, model_settings)
    training = settings.training

    @dg.asset(
        key=asset_key(lane.cv_report),
        group_name=TRAINING,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins={PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor))},
        description=f"{lane.title}: metrics of each fold of the train rows, the trials of a search, and the chosen "
        f"hyperparameters. The Launchpad accepts other hyperparameters for a single run.",
        tags=lane.tags,
        kinds={"spark", "json"},
    )
    @storage_step
    def cv_report(
        context: dg.AssetExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        hdfs: HdfsResource,
        train_split: AssetInput,
        fitted_preprocessor: AssetInput,
        week_guard: Guard,
    ) -> AssetOutput:
        from traffic_assets.assets import presentation
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet
        from traffic_assets.ml.search.from_settings import (
            folds_from_settings,
            learning_curve_from_settings,
            rows_from_settings,
            search_from_settings,
        )
        from traffic_assets.ml.splits.layout import place_folds

        values = config.model_dump()  # type: ignore[attr-defined]
        tune = values.pop(TUNE)
        requested = model_settings.override_hyperparameters(values)
        inputs = {"train_split": train_split, lane.preprocessor: fitted_preprocessor}
        split = require_same_split(inputs)
        request = merge_requests(
            request_shared(settings, SPLIT, PREPARATION, FOLDS),
            request_lane(settings, lane, requested, tune),
        )
        require_same_request(context, settings, inputs, request)
        require_scaler(lane, fitted_preprocessor)
        rows = observed_rows(train_split.value, lane.target)
        features = FeatureSet.from_dict(fitted_preprocessor.record["features"])
        with rows_from_settings(rows, features, algorithm, settings, requested) as train:
            with scratch_folder(context, hdfs, lane) as scratch:
                search = search_from_settings(
                    train, features, algorithm, settings, requested, tune, scratch, notify=context.log.info
                )
            curve = learning_curve_from_settings(train, features, algorithm, settings, search, notify=context.log.info)
            rows_fitted, points = train_split.record["counts"]["train"], settings.evaluation.plot_points
            placement = None
            if training.fold_kind != "random":  # a hash scatters the rows, so a figure would show noise
                placement = place_folds(train, folds_from_settings(train, training), rows_fitted, points, training.seed)
        files = _fold_figures(lane, search, placement, curve)
        context.add_output_metadata(
            {
                "effective": dg.MetadataValue.json(search.best.hyperparameters),
                "profile": dg.MetadataValue.json(model_settings.hyperparameters.model_dump()),
                "tuned": tune,
                **presentation.describe_cross_validation(search),
                "picture": presentation.embed_picture(files[FOLDS_FIGURE]),
                **(presentation.describe_learning_curve(curve) if curve else {}),
            }
        )
        value = {
            "requested": requested.model_dump(),
            "tuned": tune,
            "search": presentation.dump_document(search),
            "learning_curve": presentation.dump_document(curve) if curve else None,
        }
        links = presentation.name_links(files, FOLDS_FIGURE)
        record = {"split_id": split, REQUESTED: request}
        return AssetOutput(value, record=record, files=files, links=links, rows=rows_fitted)

    return cv_report


def _fold_figures(lane: Lane, search: Any, placement: Any, curve: Any) -> dict[str, bytes]:
    """Return the figures of a cross-validation by file name.

    Args:
        lane: Lane of the model.
        search: Search with the chosen trial (`ml.model_selection.trials.Search`).
        placement: Rows by fold (`ml.splits.layout.Placement`); None for random folds.
        curve: Learning curve (`ml.model_selection.learning_curves.LearningCurve`); None if not configured.
    """
    from traffic_assets.ml.plots.folds import plot_folds
    from traffic_assets.ml.plots.layout import plot_layout
    from traffic_assets.ml.plots.learning_curve import plot_learning_curve

    figures = {FOLDS_FIGURE: plot_folds(search.best, lane.title, lane.target)}
    if placement:
        figures["fold_rows.png"] = plot_layout(placement, f"{lane.title}: train and test rows of each fold")
    if curve:
        figures["learning_curve.png"] = plot_learning_curve(curve, lane.title, lane.target)
    return figures


def _model(lane: Lane, algorithm: Algorithm, settings: Settings) -> dg.AssetsDefinition:
    training = settings.training

    @dg.asset(
        key=asset_key(lane.model),
        group_name=TRAINING,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=MODELS,
        ins={
            PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor)),
            "cv_report": dg.AssetIn(asset_key(lane.cv_report)),
        },
        description=f"{lane.title}: Spark pipeline of preprocessor and model, fitted on the train rows with the chosen "
        f"hyperparameters. The registry publishes this pipeline if it passes the gate.",
        tags=lane.tags,
        kinds={"spark"},
    )
    @storage_step
    def model(
        context: dg.AssetExecutionContext,
        train_split: AssetInput,
        validation_split: AssetInput,
        fitted_preprocessor: AssetInput,
        cv_report: AssetInput,
        week_guard: Guard,
    ) -> AssetOutput:
        from traffic_assets.ml.fitting.final import fit_final_model
        from traffic_assets.ml.fitting.pipeline import get_model
        from traffic_assets.ml.model_selection.trials import Search
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet

        inputs = {
            "train_split": train_split,
            "validation_split": validation_split,
            lane.preprocessor: fitted_preprocessor,
            lane.cv_report: cv_report,
        }
        split = require_same_split(inputs)
        requested = algorithm.hyperparameters.model_validate(cv_report.value["requested"])
        own = merge_requests(
            request_shared(settings, SPLIT, PREPARATION),
            request_lane(settings, lane, requested, cv_report.value["tuned"]),
        )
        request = require_same_request(context, settings, inputs, own)
        require_scaler(lane, fitted_preprocessor)
        search = Search.model_validate(cv_report.value["search"])
        chosen = algorithm.hyperparameters.model_validate(search.best.hyperparameters)
        context.log.info(f"{lane.title}: fitting on train with {chosen.model_dump()}")
        started = time.monotonic()
        pipeline = fit_final_model(
            fitted_preprocessor.value,
            train_split.value,
            validation_split.value,
            FeatureSet.from_dict(fitted_preprocessor.record["features"]),
            algorithm,
            chosen,
            seed=training.seed,
            partitions=training.cache_partitions,
        )
        minutes = (time.monotonic() - started) / 60
        facts = algorithm.describe(get_model(pipeline))
        context.add_output_metadata(
            {
                "hyperparameters": dg.MetadataValue.json(chosen.model_dump()),
                "training_minutes": minutes,
                **facts,
            }
        )
        record = {
            "split_id": split,
            REQUESTED: request,
            "algorithm": algorithm.name,
            "target": lane.target,
            "hyperparameters": chosen.model_dump(),
            "training_minutes": minutes,
            "facts": facts,
            **_origin(search, fitted_preprocessor, train_split),
        }
        return AssetOutput(pipeline, rows=train_split.record["counts"]["train"], record=record)

    return model


def _origin(search: Any, fitted_preprocessor: AssetInput, train_split: AssetInput) -> dict[str, Any]:
    """Return the provenance in a model's record: trial, features and rows."""
    from traffic_assets.assets.presentation import dump_document

    return {
        "cross_validation": dump_document(search.best),
        **{name: fitted_preprocessor.record[name] for name in ("features", "slots")},
        "preprocessor": fitted_preprocessor.generation.uri,
        "splits": train_split.generation.uri,
        **{name: train_split.record[name] for name in ("days", "sensor_tables", "schema", "counts")},
    }


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of every lane."""
    return [asset for lane in list_lanes(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=TRAINING, job=TRAIN, build=build, pruned=True)
