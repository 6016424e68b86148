"""The report of a week: numbers and figures of every model in one HTML page, stored with the week.

Like the comparison it depends on no gate, so it exists even if a gate fails. The page itself is rendered in
`traffic_assets/report/`.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from traffic_assets.assets.evaluation import COMPARISON, LOADED
from traffic_assets.assets.group import DOCUMENTS, TARGET_TAG, TRAIN, AssetGroup
from traffic_assets.assets.keys import add_target_prefix, asset_key, get_step_name
from traffic_assets.assets.lanes import EVALUATION, Lane, require_same_split
from traffic_assets.assets.requests import REQUESTED, require_same_request, restore_training
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets.settings import Settings
from traffic_assets.settings.target import Target
from traffic_assets.settings.training import TrainingSettings

REPORT = "training_report"
PAGE = "report.html"
_COSTS = ("wall_seconds", "cpu_seconds", "peak_memory_mb", "shuffle_bytes", "spill_bytes", "rows_per_second")


def page_uri(generation_uri: str) -> str:
    """Return the URI of the page of a stored report."""
    return join(generation_uri, Internal.FILES, PAGE)


def build(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return one report for each target, so that a failure of one target hides no other report."""
    return [_report(target, settings) for target in settings.training.targets]


def _report(target: Target, settings: Settings) -> dg.AssetsDefinition:
    train, comparison = SPLIT_ASSETS["train"], add_target_prefix(COMPARISON, target)
    lanes = [Lane(name, target) for name in settings.enabled_models]
    lane_inputs = [key for lane in lanes for key in (lane.cv_report, lane.diagnostics, lane.temporal_verdict)]
    names = (train, comparison, *lane_inputs)
    ins = {get_step_name(name): dg.AssetIn(asset_key(name), dagster_type=LOADED) for name in names}

    @storage_step
    def report(context: dg.AssetExecutionContext, **inputs: Any) -> AssetOutput:
        from traffic_assets.assets.presentation import summarize_report
        from traffic_assets.report import findings
        from traffic_assets.report.contents import Report
        from traffic_assets.report.page import render

        split = require_same_split(inputs)
        by_key = {name: inputs[get_step_name(name)] for name in names}
        request = require_same_request(
            context, settings, by_key, built_from={lane.diagnostics: lane.model for lane in lanes}
        )
        training = restore_training(settings, request)
        week, facts = context.partition_key, inputs[train].record
        content = Report(
            week=week,
            profile=settings.profile,
            made_at=datetime.now(UTC),
            run_id=context.run.run_id,
            split_id=split,
            days=sorted(facts["days"]),
            rows=facts["counts"],
            settings=_shown_settings(settings, training),
            time_zone=settings.data.time_zone,
            split_kind=training.split.kind,
            board=_board(context, target, settings, inputs),
        )
        page = render(content).encode()
        context.add_output_metadata({"summary": summarize_report(content, settings), "page_bytes": len(page)})
        value = {
            "week": week,
            "best": content.board.best.id,
            "headline": findings.headline(content.board),
            "page": PAGE,
        }
        return AssetOutput(value, record={"split_id": split, REQUESTED: request}, files={PAGE: page}, opened=PAGE)

    return dg.asset(
        report,
        key=asset_key(add_target_prefix(REPORT, target)),
        group_name=EVALUATION,
        partitions_def=build_weekly_partitions(settings),
        io_manager_key=DOCUMENTS,
        ins=ins,
        description=f"One HTML page for reading and sharing: leaderboard of the {target} models, with metrics, "
        f"figures, costs and caveats of each. Open it with `traffic-assets report <week> --open`.",
        tags={TARGET_TAG: target},
        kinds={"html"},
    )


def _board(context: dg.AssetExecutionContext, target: Target, settings: Settings, inputs: dict[str, AssetInput]) -> Any:
    """Return the models of a target in the order of its leaderboard."""
    from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
    from traffic_assets.ml.evaluation.significance import Comparison
    from traffic_assets.report.contents import Board

    compared = inputs[get_step_name(add_target_prefix(COMPARISON, target))]
    standings = [LeaderboardEntry.model_validate(row) for row in compared.value["leaderboard"]]
    return Board(
        target=target,
        unit=TARGETS[target].unit,
        primary_metric=settings.evaluation.primary_metric,
        significance_level=settings.evaluation.significance_level,
        lanes=[_lane_report(context, Lane(s.model, target), s, settings, inputs) for s in standings],
        differences=[Comparison.model_validate(row) for row in compared.value["differences"]],
        pictures=_pictures(compared),
    )


def _lane_report(
    context: dg.AssetExecutionContext, lane: Lane, standing: Any, settings: Settings, inputs: dict[str, AssetInput]
) -> Any:
    from traffic_assets.ml.evaluation.diagnostics import Diagnostics
    from traffic_assets.ml.evaluation.gates import evaluate_thresholds
    from traffic_assets.ml.evaluation.scores import Scores
    from traffic_assets.ml.model_selection.learning_curves import LearningCurve
    from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
    from traffic_assets.ml.model_selection.trials import Search
    from traffic_assets.report.contents import LaneReport

    keys = (lane.cv_report, lane.diagnostics, lane.temporal_verdict)
    cv_report, diagnosed, temporal = (inputs[get_step_name(key)] for key in keys)
    values, search = diagnosed.value, Search.model_validate(cv_report.value["search"])
    curve = cv_report.value.get("learning_curve")
    return LaneReport(
        id=lane.id,
        title=algorithm_named(lane.model_name).title,
        standing=standing,
        scores=Scores.model_validate({name: values[name] for name in Scores.model_fields}),
        diagnostics=Diagnostics.model_validate(values["diagnostics"]),
        temporal=TemporalEvaluation.model_validate(temporal.value),
        search=search,
        targets=evaluate_thresholds(
            settings.get_thresholds(lane.target, lane.model_name), standing.test, search.best, TARGETS[lane.target].unit
        ),
        model_bytes=values["model_bytes"],
        training_minutes=values["training_minutes"],
        learning_curve=LearningCurve.model_validate(curve) if curve else None,
        costs=_costs(context, lane, settings.deployment),
        pictures={**_pictures(cv_report), **_pictures(diagnosed)},
    )


def _pictures(stored: AssetInput) -> dict[str, bytes]:
    return {n.removesuffix(".png"): content for n, content in stored.files.items() if n.endswith(".png")}


def _costs(context: dg.AssetExecutionContext, lane: Lane, deployment: str) -> list[Any]:
    """Return the cost of the newest materialization of each step of a lane in this week, from its metadata."""
    from traffic_assets.report.contents import StepCost

    costs = []
    for key in (lane.cv_report, lane.model, lane.diagnostics, lane.temporal_verdict):
        newest = dg.AssetRecordsFilter(
            asset_key=add_key_prefix(key, deployment), asset_partitions=[context.partition_key]
        )
        for record in context.instance.fetch_materializations(newest, limit=1).records:
            metadata = record.asset_materialization.metadata if record.asset_materialization else {}
            spent = {name: metadata[f"cost_{name}"].value for name in _COSTS if f"cost_{name}" in metadata}
            costs.append(StepCost(step=key, **spent))
    return costs


def _shown_settings(settings: Settings, training: TrainingSettings) -> dict[str, str]:
    """Return the settings that influence the result, by label, without those of Spark: some contain secrets.

    Args:
        settings: Settings of the deployment.
        training: The section `training` that the inputs were run with.
    """
    from traffic_assets.ml.splits.shares import Shares
    from traffic_assets.registry.metadata import code_version, library_versions

    data = settings.data
    shares = Shares.from_settings(training.split)
    gap = f", {training.fold_gap_minutes} minutes apart" if training.fold_kind in ("expanding", "sliding") else ""
    preparation = ", ".join(f"{name} {value}" for name, value in training.preprocessing.model_dump().items())
    return {
        "input": f"{data.kind} at {settings.source_uri}",
        "split": f"{training.split.kind}: train {100 * shares.train:.15g}%, "
        f"validation {100 * shares.validation:.15g}%, test {100 * shares.test:.15g}%",
        "folds": f"{training.folds}, {training.fold_kind}{gap}",
        "temporal holdout": f"the last {1 - training.temporal_train_share:.0%} of the window's rows",
        "preprocessing": preparation,
        "features": ", ".join(training.features or []) or "all in the catalogue",
        "excluded features": ", ".join(training.exclude_features) or "none",
        "best by": f"{settings.evaluation.primary_metric} over the folds",
        "seed": str(training.seed),
        "versions": ", ".join(f"{n} {v}" for n, v in {"traffic_assets": code_version(), **library_versions()}.items()),
    }


ASSETS = AssetGroup(name=EVALUATION, job=TRAIN, build=build, pruned=True)
