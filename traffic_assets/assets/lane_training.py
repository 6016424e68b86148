"""A lane's training steps: the cross-validation report, and the model fitted with what it chose.

Nothing here is written once per model; what differs between models is in `ml/algorithms`.
"""

import time

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, MODELS, TRAIN, AssetGroup, Guard
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import TRAINING, Lane, lanes_of, require_same_split, require_scaler, scratch_folder
from traffic_assets.assets.launchpad import TUNE, config_class
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import weekly
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import ModelSettings


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """The cross-validation report and the model of a lane."""
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
        partitions_def=weekly(settings),
        io_manager_key=DOCUMENTS,
        ins={PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor))},
        description=f"{lane.title}: cross-validation on train, trials, and the hyperparameters chosen.",
        kinds={"spark"},
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
        from traffic_assets.assets.presentation import cross_validation, document, learning, picture
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.plots.folds import plot_folds
        from traffic_assets.ml.plots.layout import plot_layout
        from traffic_assets.ml.plots.learning_curve import plot_learning_curve
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet
        from traffic_assets.ml.search.from_settings import (
            folds_from_settings,
            learning_curve_from_settings,
            rows_from_settings,
            search_from_settings,
        )
        from traffic_assets.ml.splits.layout import place_folds

        given = config.model_dump()  # type: ignore[attr-defined]
        tune = given.pop(TUNE)
        requested = model_settings.override_hyperparameters(given)
        split = require_same_split({"train_split": train_split, lane.preprocessor: fitted_preprocessor})
        require_scaler(lane, fitted_preprocessor)
        rows = observed_rows(train_split.value, lane.target)
        features = FeatureSet.from_dict(fitted_preprocessor.record["features"])
        with rows_from_settings(rows, features, algorithm, settings, requested) as train:
            with scratch_folder(context, hdfs, lane) as scratch:
                search = search_from_settings(
                    train, features, algorithm, settings, requested, tune, scratch, notify=context.log.info
                )
            curve = learning_curve_from_settings(train, features, algorithm, settings, search, notify=context.log.info)
            total, shown = train_split.record["counts"]["train"], settings.evaluation.plot_points
            placed = None
            if training.fold_kind != "random":  # rows by hash would look like noise
                placed = place_folds(train, folds_from_settings(train, training), total, shown, training.seed)
        best = search.best
        files = {"folds.png": plot_folds(best, lane.title, lane.target)}
        if placed:
            files["fold_rows.png"] = plot_layout(placed, f"{lane.title}: what each fold fits and judges")
        if curve:
            files["learning_curve.png"] = plot_learning_curve(curve, lane.title, lane.target)
        context.add_output_metadata(
            {
                "effective": dg.MetadataValue.json(best.hyperparameters),
                "profile": dg.MetadataValue.json(model_settings.hyperparameters.model_dump()),
                "tuned": tune,
                **cross_validation(search),
                "picture": picture(files["folds.png"]),
                **({"fold_rows": picture(files["fold_rows.png"])} if placed else {}),
                **(learning(curve, files["learning_curve.png"]) if curve else {}),
            }
        )
        value = {
            "requested": requested.model_dump(),
            "tuned": tune,
            "search": document(search),
            "learning_curve": document(curve) if curve else None,
        }
        return AssetOutput(value, record={"split_id": split}, files=files, rows=total)

    return cv_report


def _model(lane: Lane, algorithm: Algorithm, settings: Settings) -> dg.AssetsDefinition:
    training = settings.training

    @dg.asset(
        key=asset_key(lane.model),
        group_name=TRAINING,
        partitions_def=weekly(settings),
        io_manager_key=MODELS,
        ins={
            PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor)),
            "cv_report": dg.AssetIn(asset_key(lane.cv_report)),
        },
        description=f"{lane.title}: preprocessor and model, fitted on train with the chosen hyperparameters.",
        kinds={"spark"},
    )
    @storage_step
    def model(
        context: dg.AssetExecutionContext,
        train_split: AssetInput,
        validation_split: AssetInput,
        fitted_preprocessor: AssetInput,
        cv_report: AssetInput,
    ) -> AssetOutput:
        from traffic_assets.assets.presentation import document
        from traffic_assets.ml.fitting.final import fit_final_model
        from traffic_assets.ml.fitting.pipeline import get_model
        from traffic_assets.ml.model_selection.trials import Search
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet

        split = require_same_split(
            {
                "train_split": train_split,
                "validation_split": validation_split,
                lane.preprocessor: fitted_preprocessor,
                lane.cv_report: cv_report,
            }
        )
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
        return AssetOutput(
            pipeline,
            rows=train_split.record["counts"]["train"],
            record={
                "split_id": split,
                "algorithm": algorithm.name,
                "target": lane.target,
                "hyperparameters": chosen.model_dump(),
                "cross_validation": document(search.best),
                "training_minutes": minutes,
                "facts": facts,
                "features": fitted_preprocessor.record["features"],
                "slots": fitted_preprocessor.record["slots"],
                "preprocessor": fitted_preprocessor.generation.uri,
                "splits": train_split.generation.uri,
                "days": train_split.record["days"],
                "sensor_tables": train_split.record["sensor_tables"],
                "schema": train_split.record["schema"],
                "counts": train_split.record["counts"],
            },
        )

    return model


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of every lane."""
    return [asset for lane in lanes_of(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=TRAINING, job=TRAIN, build=build, pruned=True)
