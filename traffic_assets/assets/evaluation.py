"""The comparison of a week's models: leaderboard, significance tests and figure.

It reads the diagnostics of every model and is not downstream of a gate, so a failed gate never hides it. The evaluation
of each model is in `lane_evaluation.py`.
"""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, TARGET_TAG, TRAIN, AssetGroup
from traffic_assets.assets.keys import add_target_prefix, asset_key, get_step_name
from traffic_assets.assets.lanes import EVALUATION, Lane, require_same_split
from traffic_assets.assets.requests import REQUESTED, require_same_request
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings
from traffic_assets.settings.target import Target

COMPARISON = "model_comparison"
PICTURE = "comparison.png"


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets of the group that belong to no lane: one comparison for each target."""
    return [_comparison(target, settings) for target in settings.training.targets]


def _comparison(target: Target, settings: Settings) -> dg.AssetsDefinition:
    lanes = [Lane(name, target) for name in settings.enabled_models]
    # the number of inputs depends on the settings, so the function collects them by name
    names = [key for lane in lanes for key in (lane.diagnostics, lane.temporal_verdict)]
    ins = {get_step_name(name): dg.AssetIn(asset_key(name), dagster_type=LOADED) for name in names}

    @storage_step
    def compare(context: dg.AssetExecutionContext, **inputs: Any) -> AssetOutput:
        from traffic_assets.assets import presentation
        from traffic_assets.ml.evaluation.comparison import compare_models
        from traffic_assets.ml.evaluation.leaderboard import rank_models
        from traffic_assets.ml.evaluation.significance import CORRECTION
        from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
        from traffic_assets.ml.model_selection.trials import Trial
        from traffic_assets.ml.plots.comparison import plot_comparison

        split = require_same_split(inputs)
        by_key = {name: inputs[get_step_name(name)] for name in names}
        request = require_same_request(
            context, settings, by_key, built_from={lane.diagnostics: lane.model for lane in lanes}
        )
        metric, unit = settings.evaluation.primary_metric, TARGETS[target].unit
        entries, trials, temporal = {}, {}, {}
        for lane in lanes:
            name, diagnosed = lane.model_name, inputs[get_step_name(lane.diagnostics)].value
            trials[name] = Trial.model_validate(diagnosed["cross_validation"])
            temporal[name] = TemporalEvaluation.model_validate(inputs[get_step_name(lane.temporal_verdict)].value)
            entries[name] = _entry(lane, diagnosed, trials[name], temporal[name].metrics, settings)
            test, later = entries[name].test.rmse, temporal[name].metrics.rmse
            context.log.info(f"{lane.title}: test RMSE {test:.3f} {unit}, temporal holdout RMSE {later:.3f} {unit}")
        board = rank_models(entries, metric)
        compared = compare_models(board[0].model, trials, temporal, metric)
        figure = plot_comparison(board, target)
        context.add_output_metadata(
            {
                "leaderboard": presentation.describe_leaderboard(board),
                "differences": presentation.describe_comparisons(compared, settings.evaluation.significance_level),
                "correction": CORRECTION,
                "picture": presentation.embed_picture(figure),
                "best": board[0].model,
            }
        )
        return AssetOutput(
            {
                "leaderboard": [presentation.dump_document(s) for s in board],
                "differences": [presentation.dump_document(c) for c in compared],
            },
            record={"split_id": split, REQUESTED: request},
            files={PICTURE: figure},
            links=presentation.name_links([PICTURE], PICTURE),
        )

    return dg.asset(
        compare,
        key=asset_key(add_target_prefix(COMPARISON, target)),
        group_name=EVALUATION,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins=ins,
        description=f"Leaderboard of the week's models that predict the {target}: metrics on the random and on the "
        f"temporal holdout, whether each model meets its thresholds, and significance tests against the best model. "
        f"It exists even if a gate fails.",
        tags={TARGET_TAG: target},
        kinds={"json"},
    )


def _entry(lane: Lane, diagnosed: Any, trial: Any, later: Any, settings: Settings) -> Any:
    """Return a model's line of the leaderboard.

    Args:
        lane: Lane of the model.
        diagnosed: Document of its diagnostics.
        trial: Chosen trial (`ml.model_selection.trials.Trial`).
        later: Metrics on the temporal holdout (`ml.metrics.Metrics`).
        settings: Settings of the deployment.
    """
    from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
    from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
    from traffic_assets.ml.metrics.metrics import Metrics

    test = Metrics.model_validate(diagnosed["test"])
    thresholds = settings.get_thresholds(lane.target, lane.model_name)
    results = evaluate_thresholds(thresholds, test, trial, TARGETS[lane.target].unit)
    return LeaderboardEntry(
        model=lane.model_name,
        kind=algorithm_named(lane.model_name).kind,
        test=test,
        temporal=later,
        targets_asked=len(results),
        targets_missed=describe_missed(results),
        folds=trial.over_folds(settings.evaluation.primary_metric),
    )


LOADED = dg.PythonObjectDagsterType(AssetInput)


ASSETS = AssetGroup(name=EVALUATION, job=TRAIN, build=build, pruned=True)
