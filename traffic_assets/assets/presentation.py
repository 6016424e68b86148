"""How results look in the UI: tables, pictures and flat numbers for an asset's metadata.

Imported inside the assets' functions, since it needs what a fit needs and a code location must load without it.
"""

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import BaseModel

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.scores import Evaluation, Scores
from traffic_assets.ml.evaluation.significance import Comparison
from traffic_assets.ml.evaluation.slices import Slice, as_records, select_worst_slices
from traffic_assets.ml.metrics.metrics import Metrics, custom_metrics
from traffic_assets.ml.model_selection.learning_curves import LearningCurve
from traffic_assets.ml.model_selection.trials import Search, Trial
from traffic_assets.readings.ingestion import Ingested
from traffic_assets.report import findings
from traffic_assets.report.contents import Report
from traffic_assets.settings.plugins import DESCRIBING
from traffic_assets.settings.target import DEFAULT_TARGET


def document(model: BaseModel) -> Any:
    """A pydantic model as what JSON can hold (NaN as null)."""
    return json.loads(model.model_dump_json())


def picture(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG as the UI shows it."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(content).decode()})")


def ingested_day(ingested: Ingested, day: str) -> dict[str, Any]:
    """What was quarantined or missing on a day."""
    count = ingested.counts[day]
    return {
        "quarantined": count["quarantined"],
        "quarantine_reasons": dg.MetadataValue.json(count["reasons"]),
        "rows_without_target": count["without_target"],
        "missing_columns": dg.MetadataValue.json(ingested.missing_columns),
    }


def cross_validation(search: Search) -> dict[str, Any]:
    """The folds of the chosen trial, every trial, and the numbers that the UI plots over weeks."""
    best = search.best
    return {
        "folds": _fold_table(best),
        **searched(search),
        **{f"cv_{m}_{k}": getattr(spread, k) for m, spread in best.summary.items() for k in ("mean", "std")},
    }


def searched(search: Search) -> dict[str, Any]:
    """Every trial of a search, what it cost, and why it ended early where it did."""
    return {
        "trials": _trial_table(search),
        "strategy": search.strategy,
        "fits": search.fits,
        "search_seconds": search.seconds,
        **({"stopped": search.stopped} if search.stopped else {}),
    }


def learning(curve: LearningCurve, figure: bytes) -> dict[str, Any]:
    """The learning curve, drawn and as a table."""
    rows = [
        dg.TableRecord(
            {
                "share": point.share,
                "rows": point.rows,
                "RMSE on them": round(point.train_rmse, 6),
                "RMSE on held-out rows": round(point.validation_rmse, 6),
            }
        )
        for point in curve.points
    ]
    return {"learning_curve": picture(figure), "learning_curve_points": dg.MetadataValue.table(records=rows)}


def scores(found: Scores) -> dict[str, Any]:
    """Metrics on test and train rows as flat numbers; tables and pictures are shown by the evaluation."""
    return {
        **_every(found.test),
        **{f"train_{m}": value for m, value in found.train.by_name.items()},
    }


def evaluation(found: Evaluation) -> dict[str, Any]:
    """Both verdicts side by side, and the numbers that the UI plots over weeks."""
    top, weight = found.importances.top
    return {
        "verdicts": _verdict_table(found.test, found.temporal.metrics),
        **scores(found),
        **{f"temporal_{m}": value for m, value in found.temporal.metrics.by_name.items()},
        "top_feature": top,
        "top_feature_importance": weight,
    }


def report_summary(report: Report) -> dg.MarkdownMetadataValue:
    """The report's first lines, and how to open the whole of it: a browser follows no link from here to a file."""
    board = report.board
    rows = [
        f"| {i} | {lane.title} | {findings.number(lane.standing.test.rmse)} | "
        f"{findings.number(lane.standing.temporal.rmse)} | {lane.standing.targets} |"
        for i, lane in enumerate(board.lanes, 1)
    ]
    head = f"| | model | test RMSE, {board.unit} | later RMSE, {board.unit} | targets |\n|---|---|---|---|---|"
    table = "\n".join([head, *rows])
    asked = "" if board.target == DEFAULT_TARGET else f" --target {board.target}"
    whole = f"traffic-assets report {report.week}{asked} --open"
    return dg.MetadataValue.md(f"{findings.headline(board)}\n\n{table}\n\nThe whole report: `{whole}`")


def leaderboard(board: Sequence[LeaderboardEntry]) -> dg.TableMetadataValue:
    """The models of the week, best first."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "model": s.model,
                    "kind": s.kind,
                    "R²": round(s.test.r2, 6),
                    "RMSE": round(s.test.rmse, 4),
                    "MAE": round(s.test.mae, 4),
                    "later R²": round(s.temporal.r2, 6),
                    "later RMSE": round(s.temporal.rmse, 4),
                    **_custom(s.test),
                    **{f"later {label}": value for label, value in _custom(s.temporal).items()},
                    "targets": "; ".join(s.targets_missed) or s.targets,
                }
            )
            for s in board
        ]
    )


def _custom(metrics: Metrics) -> dict[str, float]:
    """The metrics of installed packages by label; NaN where they were not known yet when these were computed."""
    return {m.label: round(metrics.extra.get(name, math.nan), 6) for name, m in custom_metrics().items()}


def differences(compared: Sequence[Comparison], level: float) -> dg.TableMetadataValue:
    """Every model against the best, with what the tests say."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "model": c.model,
                    "against": c.best,
                    "test": c.test,
                    "difference": round(c.difference, 6),
                    "p": float(f"{c.p_value:.3g}"),
                    "p corrected": float(f"{c.adjusted:.3g}"),
                    "verdict": c.describe(level),
                }
            )
            for c in compared
        ],
        schema=_DIFFERENCES,
    )


def diagnostics(found: Diagnostics) -> dict[str, Any]:
    """Worst slices first, then every slice; intervals as flat numbers."""
    shown: dict[str, Any] = {}
    if found.slices:
        shown["worst_slices"] = _slice_table(select_worst_slices(found.slices, 10))
        shown["slices"] = _slice_table(found.slices)
    if found.interval:
        shown |= {
            "interval_asked": found.interval.coverage,
            "interval_covered": found.interval.covered,
            "interval_width": found.interval.width,
        }
    if found.confidence:
        for metric in ("rmse", "mae", "r2"):
            low, high = getattr(found.confidence, metric)
            shown |= {f"{metric}_low": low, f"{metric}_high": high}
        shown["confidence_blocks"] = f"{found.confidence.blocks} {found.confidence.block}s"
    if found.notes:
        shown["notes"] = "; ".join(found.notes)
    return shown


def _slice_table(slices: Sequence[Slice]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(records=[dg.TableRecord(row) for row in as_records(list(slices))], schema=_SLICES)


def _schema(**columns: str) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(name.replace("_", " "), kind) for name, kind in columns.items()])


# said outright, since Dagster cannot guess the columns of a table without rows
_SLICES = _schema(
    dimension="string", value="string", rows="int", rmse="float", mae="float", bias="float", p95="float",
    covered="string", own_width="string", own_covered="string",
)  # fmt: skip
_DIFFERENCES = _schema(
    model="string", against="string", test="string", difference="float", p="float", p_corrected="float",
    verdict="string",
)  # fmt: skip


def _fold_table(trial: Trial) -> dg.TableMetadataValue:
    rows = [dg.TableRecord({"fold": i + 1, "rows": f.rows, **_rounded(f)}) for i, f in enumerate(trial.folds)]
    return dg.MetadataValue.table(records=rows)


def _trial_table(search: Search) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord(
            {
                "chosen": "yes" if i == search.chosen else "",
                **{name: str(value) for name, value in trial.hyperparameters.items()},
                "judged": "fitted" if trial.read_from is None else "read from a larger fit",
                "folds": len(trial.folds),
                "share of rows": round(trial.row_share, 4),
                **{f"{m}_mean": round(spread.mean, 6) for m, spread in trial.summary.items()},
            }
        )
        for i, trial in enumerate(search.trials)
    ] + [
        dg.TableRecord(
            {
                "chosen": "",
                **{name: str(value) for name, value in left_out.hyperparameters.items()},
                "judged": f"by XGBoost on a sample, RMSE {left_out.rmse:.4g}: not let through",
                "folds": 0,
                "share of rows": 0.0,
                **{f"{m}_mean": float("nan") for m in search.best.summary},
            }
        )
        for left_out in search.screened
    ]
    return dg.MetadataValue.table(records=rows)


def _verdict_table(test: Metrics, temporal: Metrics) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord({"verdict": name, "rows": m.rows, **_rounded(m)})
        for name, m in (("test split", test), ("later in time", temporal))
    ]
    return dg.MetadataValue.table(records=rows)


def _rounded(metrics: Metrics) -> dict[str, float]:
    return {m: round(value, 6) for m, value in _every(metrics).items()}


def _every(metrics: Metrics) -> dict[str, float]:
    """Those that can choose a model, and those that only describe it."""
    return metrics.by_name | {name: getattr(metrics, name) for name in DESCRIBING}
