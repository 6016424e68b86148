"""The comparison of a week's models: leaderboard and picture.

It reads each model's diagnostics and is not downstream of any gate, so that a failed gate never hides it. Each
model's own evaluation is in `lane_evaluation.py`.
"""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import DOCUMENTS, TRAIN, AssetGroup
from traffic_assets.assets.keys import asset_key, of_target, step_of
from traffic_assets.assets.lanes import EVALUATION, Lane, require_same_split
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.partitions import weekly
from traffic_assets.settings import Settings
from traffic_assets.settings.target import Target

COMPARISON = "model_comparison"


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of the group that belong to no lane: a comparison for each target."""
    return [_comparison(target, settings) for target in settings.training.targets]


def _comparison(target: Target, settings: Settings) -> dg.AssetsDefinition:
    lanes = {name: Lane(name, target) for name in settings.enabled_models}
    # one input for each lane's diagnostics and verdict, whatever their number: the parameters are collected by name
    names = [key for lane in lanes.values() for key in (lane.diagnostics, lane.temporal_verdict)]
    ins = {step_of(name): dg.AssetIn(asset_key(name), dagster_type=LOADED) for name in names}

    @storage_step
    def compare(context: dg.AssetExecutionContext, **inputs: Any) -> AssetOutput:
        """The leaderboard of the week, under both verdicts."""
        from traffic_assets.assets import presentation
        from traffic_assets.ml.evaluation.comparison import compare_models
        from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
        from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry, rank_models
        from traffic_assets.ml.evaluation.significance import CORRECTION
        from traffic_assets.ml.metrics.metrics import Metrics
        from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
        from traffic_assets.ml.model_selection.trials import Trial
        from traffic_assets.ml.plots.comparison import plot_comparison

        split = require_same_split(inputs)
        metric, unit = settings.evaluation.primary_metric, TARGETS[target].unit
        entries, trials, verdicts = {}, {}, {}
        for name, lane in lanes.items():
            found = inputs[step_of(lane.diagnostics)].value
            verdict = TemporalEvaluation.model_validate(inputs[step_of(lane.temporal_verdict)].value)
            metrics = Metrics.model_validate(found["test"])
            trial = trials[name] = Trial.model_validate(found["cross_validation"])
            verdicts[name] = verdict
            results = evaluate_thresholds(settings.get_thresholds(target, name), metrics, trial, unit)
            entries[name] = LeaderboardEntry(
                model=name,
                kind=algorithm_named(name).kind,
                test=metrics,
                temporal=verdict.metrics,
                targets_asked=len(results),
                targets_missed=describe_missed(results),
                folds=trial.over_folds(metric),
            )
            later = verdict.metrics.rmse
            context.log.info(f"{lane.title}: test RMSE {metrics.rmse:.3f} {unit}, later in time {later:.3f} {unit}")
        board = rank_models(entries, metric)
        compared = compare_models(board[0].model, trials, verdicts, metric)
        figure = plot_comparison(board, target)
        context.add_output_metadata(
            {
                "leaderboard": presentation.leaderboard(board),
                "differences": presentation.differences(compared, settings.evaluation.significance_level),
                "correction": CORRECTION,
                "picture": presentation.picture(figure),
                "best": board[0].model,
            }
        )
        return AssetOutput(
            {
                "leaderboard": [presentation.document(s) for s in board],
                "differences": [presentation.document(c) for c in compared],
            },
            record={"split_id": split},
            files={"comparison.png": figure},
        )

    return dg.asset(
        compare,
        key=asset_key(of_target(COMPARISON, target)),
        group_name=EVALUATION,
        partitions_def=weekly(settings),
        io_manager_key=DOCUMENTS,
        ins=ins,
    )


LOADED = dg.PythonObjectDagsterType(AssetInput)


ASSETS = AssetGroup(name=EVALUATION, job=TRAIN, build=build, pruned=True)
