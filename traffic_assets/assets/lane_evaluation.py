"""A lane's judging steps: diagnostics, temporal verdict -> evaluation.

The diagnostics look at the model once and stand behind no gate, so that comparison and report see every model; the
evaluation puts them beside the temporal verdict, and the gate on it decides about the registry entry. What is made of
all lanes together is in `evaluation.py`.
"""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, TRAIN, AssetGroup
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import EVALUATION, Lane, lanes_of, model_folder, require_same_split, scratch_folder
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.partitions import weekly
from traffic_assets.settings import Settings


def build_lane(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of a lane from its temporal verdict to its evaluation."""
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
        partitions_def=weekly(settings),
        io_manager_key=DOCUMENTS,
        ins={
            PREPROCESSOR: dg.AssetIn(asset_key(lane.preprocessor)),
            "cv_report": dg.AssetIn(asset_key(lane.cv_report)),
        },
        description=f"{lane.title}: a second fit on the first part of the window's time, judged on the rest.",
        kinds={"spark"},
    )
    @storage_step
    def verdict(
        context: dg.AssetExecutionContext,
        hdfs: HdfsResource,
        train_split: AssetInput,
        validation_split: AssetInput,
        test_split: AssetInput,
        fitted_preprocessor: AssetInput,
        cv_report: AssetInput,
    ) -> AssetOutput:
        from traffic_assets.assets.presentation import document, searched
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.model_selection.temporal import evaluate_temporal_holdout
        from traffic_assets.ml.preprocessing.feature_set import FeatureSet
        from traffic_assets.ml.search.from_settings import rows_from_settings, search_from_settings

        split = require_same_split(
            {
                "train_split": train_split,
                "validation_split": validation_split,
                "test_split": test_split,
                lane.preprocessor: fitted_preprocessor,
                lane.cv_report: cv_report,
            }
        )
        requested = algorithm.hyperparameters.model_validate(cv_report.value["requested"])
        tune = cv_report.value["tuned"]

        def choose(earlier: Any, features: FeatureSet) -> Any:
            if not tune:
                return requested
            with scratch_folder(context, hdfs, lane) as scratch:
                return search_from_settings(
                    earlier, features, algorithm, settings, requested, tune, scratch, notify=context.log.info
                )

        every = train_split.value.unionByName(validation_split.value).unionByName(test_split.value)
        features = FeatureSet.from_dict(fitted_preprocessor.record["features"])
        with rows_from_settings(observed_rows(every, lane.target), features, algorithm, settings, requested) as rows:
            found = evaluate_temporal_holdout(
                rows,
                features,
                algorithm,
                choose,
                share=training.temporal_train_share,
                seed=training.seed,
                notify=context.log.info,
            )
        context.add_output_metadata(
            {
                "boundary": found.boundary.isoformat(),
                **found.metrics.by_name,
                "hyperparameters": dg.MetadataValue.json(found.hyperparameters),
                **(searched(found.search) if found.search else {}),
            }
        )
        return AssetOutput(document(found), record={"split_id": split}, rows=sum(train_split.record["counts"].values()))

    return verdict


def _diagnostics(lane: Lane, algorithm: Algorithm, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(lane.diagnostics),
        group_name=EVALUATION,
        partitions_def=weekly(settings),
        io_manager_key=DOCUMENTS,
        ins={"model": dg.AssetIn(asset_key(lane.model))},
        description=f"{lane.title}, as loaded from storage, on train and test: metrics, where it fails, how sure "
        f"it is, with pictures. Behind no gate.",
        kinds={"spark"},
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
        from traffic_assets.assets.presentation import document, scores
        from traffic_assets.ml.evaluation.diagnostics import diagnose, predicted_rows
        from traffic_assets.ml.evaluation.scores import sample_points, score_model
        from traffic_assets.ml.fitting.caching import cached_rows
        from traffic_assets.ml.fitting.pipeline import observed_rows
        from traffic_assets.ml.plots.diagnostics import plot_diagnostics
        from traffic_assets.ml.preprocessing.slots import Slot

        split = require_same_split(
            {
                lane.model: model,
                "train_split": train_split,
                "validation_split": validation_split,
                "test_split": test_split,
            }
        )
        slots = [Slot(**slot) for slot in model.record["slots"]]
        training, asked, target = settings.training, settings.evaluation, lane.target
        train, validation, test = (
            observed_rows(given.value, target) for given in (train_split, validation_split, test_split)
        )
        with cached_rows(predicted_rows(model.value, test, target), training.cache_partitions) as predicted:
            found = score_model(model.value, train, predicted, algorithm, slots, target)
            points = sample_points(predicted, found.test.rows, asked.plot_points, training.seed, target)
            errors = diagnose(
                model.value, predicted, validation, settings.data.zone, training.seed, asked.diagnostics, target
            )
        context.log.info(f"{lane.title}: test RMSE {found.test.rmse:.3f}, R² {found.test.r2:.5f}")
        context.add_output_metadata(scores(found))
        value = {
            **document(found),
            "diagnostics": document(errors),
            "cross_validation": model.record["cross_validation"],
            "model_generation": model.generation.uri,
            "model_bytes": hdfs.filesystem.size(model_folder(model.generation.uri, hdfs)),
            "training_minutes": model.record["training_minutes"],
        }
        return AssetOutput(
            value,
            record={"split_id": split, "model_generation": model.generation.uri},
            files=plot_diagnostics(points, found, errors, lane.title, settings.data.time_zone, target),
            rows=found.train.rows + found.test.rows,
        )

    return diagnostics


def _evaluation(lane: Lane, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(lane.evaluation),
        group_name=EVALUATION,
        partitions_def=weekly(settings),
        io_manager_key=DOCUMENTS,
        ins={
            "diagnosed": dg.AssetIn(asset_key(lane.diagnostics)),
            "verdict": dg.AssetIn(asset_key(lane.temporal_verdict)),
        },
        description=f"{lane.title}: what the stored model does, under both verdicts; the gate sits here.",
    )
    @storage_step
    def evaluation(context: dg.AssetExecutionContext, diagnosed: AssetInput, verdict: AssetInput) -> AssetOutput:
        from traffic_assets.assets.presentation import diagnostics, picture
        from traffic_assets.assets.presentation import evaluation as shown
        from traffic_assets.ml.evaluation.diagnostics import Diagnostics
        from traffic_assets.ml.evaluation.scores import Evaluation

        split = require_same_split({lane.diagnostics: diagnosed, lane.temporal_verdict: verdict})
        value = {**diagnosed.value, "temporal": verdict.value}
        found = Evaluation.model_validate({name: value[name] for name in Evaluation.model_fields})
        context.add_output_metadata(
            {
                **shown(found),
                **diagnostics(Diagnostics.model_validate(value["diagnostics"])),
                "model_bytes": value["model_bytes"],
                **{name.removesuffix(".png"): picture(content) for name, content in diagnosed.files.items()},
            }
        )
        # the pictures go on into the registry with the version
        record = {"split_id": split, "model_generation": value["model_generation"]}
        return AssetOutput(value, record=record, files=diagnosed.files)

    return evaluation


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of every lane."""
    return [asset for lane in lanes_of(settings) for asset in build_lane(lane, settings)]


ASSETS = AssetGroup(name=EVALUATION, job=TRAIN, build=build, pruned=True)
