"""One model's lane, built from its algorithm: cv report -> model -> diagnostics, temporal verdict -> evaluation.

The diagnostics look at the model once and stand behind no gate, so that comparison and report see every model; the
evaluation puts them beside the temporal verdict, and the gate on it decides about the registry entry.

A lane returns its assets and its checks from one object, so that no gate can name an asset that is not there.
Nothing here is written once per model; what differs between models is in `ml/algorithms`.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import dagster as dg

from traffic_assets.assets.keys import asset_key, of_target
from traffic_assets.assets.launchpad import CV_REPORT, TUNE, config_class
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.stored import Loaded, Stored
from traffic_assets.ml.algorithms import Algorithm, algorithm_named
from traffic_assets.partitions import weekly
from traffic_assets.resources import DOCUMENTS, MODELS, Guard
from traffic_assets.settings import Settings
from traffic_assets.settings.hyperparameters import Hyperparameters, ModelSettings
from traffic_assets.settings.target import DEFAULT_TARGET, Target

TRAINING, EVALUATION = "training", "evaluation"


@dataclass(frozen=True)
class Lane:
    """One model of one target, and the keys of its assets.

    Attributes:
        model_name: of the algorithm.
        target: what it predicts; the default target has no prefix, ever.
    """

    model_name: str
    target: Target = DEFAULT_TARGET

    @property
    def id(self) -> str:
        """`[<target>/]<model>`: in asset keys, storage paths and on the command line."""
        return of_target(self.model_name, self.target)

    @property
    def title(self) -> str:
        """Its name for people."""
        title = algorithm_named(self.model_name).title
        return title if self.target == DEFAULT_TARGET else f"{title} of the {self.target}"

    def key(self, what: str) -> str:
        """The key of one of its assets: `<lane>_<what>`."""
        return f"{self.id}_{what}"

    @property
    def preprocessor(self) -> str:
        """Key of the preprocessor that the lanes of its target share."""
        return of_target(PREPROCESSOR, self.target)

    @property
    def cv_report(self) -> str:
        """Key of the cross-validation report."""
        return self.key(CV_REPORT)

    @property
    def model(self) -> str:
        """Key of the fitted model."""
        return self.key("model")

    @property
    def temporal_verdict(self) -> str:
        """Key of the temporal verdict."""
        return self.key("temporal_verdict")

    @property
    def diagnostics(self) -> str:
        """Key of what the stored model does on train and test rows, behind no gate."""
        return self.key("diagnostics")

    @property
    def evaluation(self) -> str:
        """Key of the evaluation, on which the gate sits."""
        return self.key("evaluation")

    @property
    def registry_entry(self) -> str:
        """Key of the registry entry, behind the gate."""
        return self.key("registry_entry")


def lanes_of(settings: Settings) -> list[Lane]:
    """Every lane of a deployment: each enabled model for each target."""
    return [Lane(name, target) for target in settings.training.targets for name in settings.enabled_models]


def build(lane: Lane, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of a lane up to its evaluation."""
    algorithm, model_settings = algorithm_named(lane.model_name), settings.enabled_models[lane.model_name]
    return [
        _cv_report(lane, algorithm, model_settings, settings),
        _model(lane, algorithm, settings),
        _temporal_verdict(lane, algorithm, settings),
        _diagnostics(lane, algorithm, settings),
        _evaluation(lane, settings),
    ]


def require_same_split(inputs: dict[str, Loaded]) -> str:
    """The split that all inputs were made from.

    Raises:
        dagster.Failure: naming the split of each, where they differ.
    """
    ids = {name: stored.record["split_id"] for name, stored in inputs.items()}
    if len(set(ids.values())) > 1:
        listed = ", ".join(f"{name} {split}" for name, split in ids.items())
        raise dg.Failure(
            f"made from different splits: {listed}. Run the job train for this week again, whole.", allow_retries=False
        )
    return next(iter(ids.values()))


def require_scaler(lane: Lane, fitted_preprocessor: Loaded) -> None:
    """Refuse a preprocessor that was fitted when no lane asked for a scaled vector, where this one does.

    Raises:
        dagster.Failure: saying what to run.
    """
    if not algorithm_named(lane.model_name).scale_free and not fitted_preprocessor.record.get("scaled", True):
        raise dg.Failure(
            f"{lane.preprocessor} of this week was fitted without a scaler, since no lane asked for one then, and "
            f"{lane.title} does. Run the job train for this week again, whole.",
            allow_retries=False,
        )


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
        train_split: Loaded,
        fitted_preprocessor: Loaded,
        week_guard: Guard,
    ) -> Stored:
        from traffic_assets.assets.presentation import cross_validation, document, learning, picture
        from traffic_assets.ml import plots
        from traffic_assets.ml.placement import placement_of_folds
        from traffic_assets.ml.preprocessing import FeatureSet
        from traffic_assets.ml.search.asked import asked_folds, asked_learning_curve, asked_rows, asked_search
        from traffic_assets.ml.training import observed_rows

        given = config.model_dump()  # type: ignore[attr-defined]
        tune = given.pop(TUNE)
        requested = model_settings.requested(given)
        split = require_same_split({"train_split": train_split, lane.preprocessor: fitted_preprocessor})
        require_scaler(lane, fitted_preprocessor)
        rows = observed_rows(train_split.value, lane.target)
        features = FeatureSet.of(fitted_preprocessor.record["features"])
        with asked_rows(rows, features, algorithm, settings, requested) as train:
            with _scratch(context, hdfs, lane) as scratch:
                search = asked_search(
                    train, features, algorithm, settings, requested, tune, scratch, notify=context.log.info
                )
            curve = asked_learning_curve(train, features, algorithm, settings, search, notify=context.log.info)
            total, shown = train_split.record["counts"]["train"], settings.evaluation.plot_points
            placed = None
            if training.fold_kind != "random":  # rows by hash would look like noise
                placed = placement_of_folds(train, asked_folds(train, training), total, shown, training.seed)
        best = search.best
        files = {"folds.png": plots.folds(best, lane.title, lane.target)}
        if placed:
            files["fold_rows.png"] = plots.placement(placed, f"{lane.title}: what each fold fits and judges")
        if curve:
            files["learning_curve.png"] = plots.learning_curve(curve, lane.title, lane.target)
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
        return Stored(value, record={"split_id": split}, files=files, rows=total)

    return cv_report


@contextmanager
def _scratch(context: dg.AssetExecutionContext, hdfs: HdfsResource, lane: Lane) -> Iterator[str]:
    """A folder for what a search saves on the way; removed in the end."""
    dataset = hdfs.dataset(lane.cv_report)
    staged = dataset.stage(context.run_id)
    try:
        yield f"{staged}/models"
    finally:
        dataset.discard(staged)


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
        train_split: Loaded,
        validation_split: Loaded,
        fitted_preprocessor: Loaded,
        cv_report: Loaded,
    ) -> Stored:
        from traffic_assets.assets.presentation import document
        from traffic_assets.ml.fold_tasks import in_tasks
        from traffic_assets.ml.preprocessing import FeatureSet, unscaled
        from traffic_assets.ml.search.trials import Search
        from traffic_assets.ml.training import (
            cached_vectors,
            fit_model,
            listed_vectors,
            observed_rows,
            pipeline_of,
            placed_rows,
            with_validation_rows,
        )

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
        preprocessing = unscaled(fitted_preprocessor.value) if algorithm.scale_free else fitted_preprocessor.value
        rows = train_split.value
        if algorithm.stops_early(chosen):
            rows = with_validation_rows(rows, validation_split.value, training.seed)
        train, features = observed_rows(rows, lane.target), FeatureSet.of(fitted_preprocessor.record["features"])
        if in_tasks(algorithm, [chosen], features.preparation):  # and puts its rows in order itself
            made: AbstractContextManager[Any] = nullcontext(listed_vectors(preprocessing, train, features))
        else:
            placed = placed_rows(train, training.cache_partitions)
            made = cached_vectors(preprocessing, placed, lane.target, again=not algorithm.reads_once)
        with made as vectors:
            # rows of the validation split come on top where they end the fit
            number = None if algorithm.stops_early(chosen) else features.rows
            fitted = fit_model(vectors, algorithm, chosen, training.seed, lane.target, number)
        minutes = (time.monotonic() - started) / 60
        context.add_output_metadata(
            {
                "hyperparameters": dg.MetadataValue.json(chosen.model_dump()),
                "training_minutes": minutes,
                **algorithm.describe(fitted),
            }
        )
        return Stored(
            pipeline_of(preprocessing, fitted),
            rows=train_split.record["counts"]["train"],
            record={
                "split_id": split,
                "algorithm": algorithm.name,
                "target": lane.target,
                "hyperparameters": chosen.model_dump(),
                "cross_validation": document(search.best),
                "training_minutes": minutes,
                "facts": algorithm.describe(fitted),
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
        train_split: Loaded,
        validation_split: Loaded,
        test_split: Loaded,
        fitted_preprocessor: Loaded,
        cv_report: Loaded,
    ) -> Stored:
        from traffic_assets.assets.presentation import document
        from traffic_assets.ml.preprocessing import FeatureSet
        from traffic_assets.ml.search.asked import asked_rows, asked_search
        from traffic_assets.ml.temporal import temporal_verdict
        from traffic_assets.ml.training import observed_rows

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

        def choose(earlier: Any, features: FeatureSet) -> Hyperparameters:
            if not tune:
                return requested
            with _scratch(context, hdfs, lane) as scratch:
                found = asked_search(
                    earlier, features, algorithm, settings, requested, tune, scratch, notify=context.log.info
                )
            return algorithm.hyperparameters.model_validate(found.best.hyperparameters)

        every = train_split.value.unionByName(validation_split.value).unionByName(test_split.value)
        features = FeatureSet.of(fitted_preprocessor.record["features"])
        with asked_rows(observed_rows(every, lane.target), features, algorithm, settings, requested) as rows:
            found = temporal_verdict(
                rows,
                features,
                algorithm,
                choose,
                share=training.temporal_train_share,
                seed=training.seed,
                notify=context.log.info,
            )
        context.add_output_metadata({"boundary": found.boundary.isoformat(), **found.metrics.by_name})
        return Stored(document(found), record={"split_id": split}, rows=sum(train_split.record["counts"].values()))

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
        model: Loaded,
        train_split: Loaded,
        validation_split: Loaded,
        test_split: Loaded,
    ) -> Stored:
        from traffic_assets.assets.presentation import document, scores
        from traffic_assets.ml import plots
        from traffic_assets.ml.diagnostics import diagnose, predicted_rows
        from traffic_assets.ml.evaluation import sample_points, score_model
        from traffic_assets.ml.preprocessing import Slot
        from traffic_assets.ml.training import cached_rows, observed_rows

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
        return Stored(
            value,
            record={"split_id": split, "model_generation": model.generation.uri},
            files=plots.of_diagnostics(points, found, errors, lane.title, settings.data.time_zone, target),
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
    def evaluation(context: dg.AssetExecutionContext, diagnosed: Loaded, verdict: Loaded) -> Stored:
        from traffic_assets.assets.presentation import diagnostics, picture
        from traffic_assets.assets.presentation import evaluation as shown
        from traffic_assets.ml.diagnostics import Diagnostics
        from traffic_assets.ml.evaluation import Evaluation

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
        return Stored(value, record=record, files=diagnosed.files)

    return evaluation


def model_folder(pipeline_uri: str, hdfs: HdfsResource) -> str:
    """Where the bare model lies inside a stored pipeline: the last stage."""
    stages = hdfs.filesystem.list(f"{pipeline_uri}/stages")
    return max(stages, key=lambda entry: int(entry.name.split("_", 1)[0])).uri
