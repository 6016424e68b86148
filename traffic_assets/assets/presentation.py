"""Results as the metadata of an asset: tables, thumbnails and numbers.

Dagster keeps every event forever, so the metadata of one has at most `EVENT_BYTES`: one thumbnail of limited size, and
tables of limited length. The full figures and tables are stored with the output. The functions of the assets import
this module when they run, because a code location must load without the packages that a fit needs.
"""

import base64
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import BaseModel

from traffic_assets.assets.thumbnail import make_thumbnail
from traffic_assets.dagster_hdfs.message import CODE
from traffic_assets.messages.search import TIME_LIMIT
from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.scores import Evaluation, Scores
from traffic_assets.ml.evaluation.significance import Comparison
from traffic_assets.ml.evaluation.slices import Slice, as_records, select_worst_slices
from traffic_assets.ml.metrics.metrics import UNDEFINED, Metrics, custom_metrics
from traffic_assets.ml.model_selection.learning_curves import LearningCurve
from traffic_assets.ml.model_selection.trials import Search, Trial
from traffic_assets.readings.ingestion import Ingested
from traffic_assets.report import findings
from traffic_assets.report.contents import Report
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import open_report
from traffic_assets.settings.plugins import DESCRIBING

EVENT_BYTES = 100_000
"""Maximum size of an asset's event in bytes."""
THUMBNAIL_BYTES = 30_000
"""Maximum size of a thumbnail (PNG) in bytes; its text in the event is a third longer."""
PICTURE_FILE = "picture_file"
"""Metadata key of the file of the figure that is shown inline."""
ROWS_SHOWN = 100
"""Maximum number of rows of a table in an event."""
TABLE_BYTES = 35_000
"""Maximum size of a table in an event, in bytes; further rows are counted."""


def dump_document(model: BaseModel) -> Any:
    """Return a pydantic model as JSON values, with NaN as null."""
    return json.loads(model.model_dump_json())


def show_number(value: float) -> float | str:
    """Return a number as metadata; the UI cannot show a table with NaN.

    >>> show_number(0.5), show_number(math.nan)
    (0.5, 'undefined')
    """
    return value if math.isfinite(value) else UNDEFINED


def embed_picture(content: bytes) -> dg.MarkdownMetadataValue:
    """Return the thumbnail of a PNG, which the UI shows inline; an event has room for one."""
    small = make_thumbnail(content, THUMBNAIL_BYTES)
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(small).decode()})")


def name_links(figures: Iterable[str], inline: str) -> dict[str, str]:
    """Return the file of each figure by metadata key: its name without extension, or `picture_file` for the inline one.

    >>> name_links(["folds.png", "fold_rows.png"], "folds.png")
    {'picture_file': 'folds.png', 'fold_rows': 'fold_rows.png'}
    """
    return {PICTURE_FILE if name == inline else name.removesuffix(".png"): name for name in figures}


def describe_day(ingested: Ingested, day: str) -> dict[str, Any]:
    """Return what was quarantined or missing on a day."""
    count = ingested.counts[day]
    return {
        "quarantined": count["quarantined"],
        "quarantine_reasons": dg.MetadataValue.json(count["reasons"]),
        "rows_without_target": count["without_target"],
        "missing_columns": dg.MetadataValue.json(ingested.missing_by_day[day]),
    }


def describe_cross_validation(search: Search) -> dict[str, Any]:
    """Return the folds of the chosen trial, the trials, and the numbers that the UI plots over weeks."""
    best = search.best
    return {
        "folds": _fold_table(best),
        **describe_search(search),
        **{
            f"cv_{m}_{k}": show_number(getattr(spread, k))
            for m, spread in best.summary.items()
            for k in ("mean", "std")
        },
        **_explain_undefined(*best.folds),
    }


def describe_search(search: Search) -> dict[str, Any]:
    """Return the trials of a search, their cost, and the reason if it ended early."""
    trials = _trial_records(search)
    shown = _select_fitting(trials)
    if len(shown) < len(trials):  # the chosen one first, since the table has no room for all
        shown = _select_fitting(sorted(trials, key=lambda row: row.data["chosen"] != "yes"))
    return {
        "trials": dg.MetadataValue.table(records=shown),
        "strategy": search.strategy,
        "fits": search.fits,
        "search_seconds": search.seconds,
        **({"trials_not_shown": len(trials) - len(shown)} if len(shown) < len(trials) else {}),
        **({"stopped": search.stopped, CODE: TIME_LIMIT.code} if search.stopped else {}),
    }


def describe_learning_curve(curve: LearningCurve) -> dict[str, Any]:
    """Return the learning curve as a table."""
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
    return {"learning_curve_points": dg.MetadataValue.table(records=rows)}


def describe_scores(scored: Scores) -> dict[str, Any]:
    """Return the metrics on test and train rows as numbers; the evaluation shows tables and figures."""
    return {
        **_show_numbers(_all_metrics(scored.test)),
        **{f"train_{m}": value for m, value in _show_numbers(scored.train.by_name).items()},
        **_explain_undefined(scored.test, scored.train),
    }


def describe_evaluation(evaluated: Evaluation) -> dict[str, Any]:
    """Return both holdout evaluations side by side, and the numbers that the UI plots over weeks."""
    top, weight = evaluated.importances.top
    return {
        "verdicts": _verdict_table(evaluated.test, evaluated.temporal.metrics),
        **describe_scores(evaluated),
        **{f"temporal_{m}": value for m, value in _show_numbers(evaluated.temporal.metrics.by_name).items()},
        **_explain_undefined(evaluated.test, evaluated.train, evaluated.temporal.metrics),
        "top_feature": top,
        "top_feature_importance": weight,
    }


def summarize_report(report: Report, settings: Settings) -> dg.MarkdownMetadataValue:
    """Return the headline and the table of a report, and the command that opens it.

    A browser follows no link from the Dagster UI to a local file.
    """
    board = report.board
    rows = [
        f"| {i} | {lane.title} | {findings.number(lane.standing.test.rmse)} | "
        f"{findings.number(lane.standing.temporal.rmse)} | {lane.standing.targets} |"
        for i, lane in enumerate(board.lanes, 1)
    ]
    head = f"| | model | test RMSE, {board.unit} | later RMSE, {board.unit} | thresholds |\n|---|---|---|---|---|"
    table = "\n".join([head, *rows])
    command = open_report(settings, report.week, board.target)
    return dg.MetadataValue.md(f"{findings.headline(board)}\n\n{table}\n\nOpen the report: `{command}`")


def describe_leaderboard(board: Sequence[LeaderboardEntry]) -> dg.TableMetadataValue:
    """Return the models of the week as a table, the best first."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "model": s.model,
                    "kind": s.kind,
                    "R²": show_number(round(s.test.r2, 6)),
                    "RMSE": round(s.test.rmse, 4),
                    "MAE": round(s.test.mae, 4),
                    "later R²": show_number(round(s.temporal.r2, 6)),
                    "later RMSE": round(s.temporal.rmse, 4),
                    **_get_custom_metrics(s.test),
                    **{f"later {label}": value for label, value in _get_custom_metrics(s.temporal).items()},
                    "thresholds": "; ".join(s.targets_missed) or s.targets,
                }
            )
            for s in board
        ]
    )


def _get_custom_metrics(metrics: Metrics) -> dict[str, float | str]:
    """Return the metrics of installed packages by label; a dash if the package was installed after the evaluation."""
    extra = metrics.extra
    return {
        m.label: show_number(round(extra[name], 6)) if name in extra else "–" for name, m in custom_metrics().items()
    }


def describe_comparisons(compared: Sequence[Comparison], level: float) -> dg.TableMetadataValue:
    """Return a table that compares every other model with the best, with the results of the tests."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "model": c.model,
                    "against": c.best,
                    "test": findings.test_title(c.test),
                    "difference": round(c.difference, 6),
                    "p": float(f"{c.p_value:.3g}"),
                    "p corrected": float(f"{c.adjusted:.3g}"),
                    "result": c.describe(level),
                }
            )
            for c in compared
        ],
        schema=_DIFFERENCES,
    )


def describe_diagnostics(diagnosed: Diagnostics) -> dict[str, Any]:
    """Return the worst slices, the slices by dimension, and intervals as numbers."""
    shown: dict[str, Any] = {}
    if diagnosed.slices:
        shown["worst_slices"] = _slice_table(select_worst_slices(diagnosed.slices, 10))
        shown["slices"] = _slice_table(diagnosed.slices)
        if hidden := len(diagnosed.slices) - len(shown["slices"].records):
            shown["slices_not_shown"] = hidden
    if diagnosed.interval:
        shown |= {
            "interval_asked": diagnosed.interval.coverage,
            "interval_covered": diagnosed.interval.covered,
            "interval_width": diagnosed.interval.width,
        }
    if diagnosed.confidence:
        for metric in ("rmse", "mae", "r2"):
            low, high = map(show_number, getattr(diagnosed.confidence, metric))
            shown |= {f"{metric}_low": low, f"{metric}_high": high}
        shown["confidence_blocks"] = f"{diagnosed.confidence.blocks} {diagnosed.confidence.block}s"
    if diagnosed.notes:
        shown["notes"] = "; ".join(diagnosed.notes)
    return shown


def _slice_table(slices: Sequence[Slice]) -> dg.TableMetadataValue:
    records = [dg.TableRecord(row) for row in as_records(list(slices[:ROWS_SHOWN]))]
    return dg.MetadataValue.table(records=_select_fitting(records), schema=_SLICES)


def _select_fitting(rows: Sequence[dg.TableRecord]) -> list[dg.TableRecord]:
    """Return the first rows that an event has room for."""
    sizes = itertools.accumulate(len(dg.serialize_value(row)) for row in rows[:ROWS_SHOWN])
    return [row for row, size in zip(rows, sizes, strict=False) if size <= TABLE_BYTES]


def _schema(**columns: str) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(name.replace("_", " "), kind) for name, kind in columns.items()])


# explicit, because Dagster cannot infer the columns of a table without rows
_SLICES = _schema(
    dimension="string", value="string", rows="int", rmse="float", mae="float", bias="float", p95="float",
    covered="string", own_width="string", own_covered="string",
)  # fmt: skip
_DIFFERENCES = _schema(
    model="string", against="string", test="string", difference="float", p="float", p_corrected="float",
    result="string",
)  # fmt: skip


def _fold_table(trial: Trial) -> dg.TableMetadataValue:
    rows = [dg.TableRecord({"fold": i + 1, "rows": f.rows, **_round_metrics(f)}) for i, f in enumerate(trial.folds)]
    return dg.MetadataValue.table(records=rows)


def _trial_records(search: Search) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "chosen": "yes" if i == search.chosen else "",
                **{name: str(value) for name, value in trial.hyperparameters.items()},
                "evaluated": "fitted" if trial.read_from is None else "read from a larger fit",
                "folds": len(trial.folds),
                "share of rows": round(trial.row_share, 4),
                **{f"{m}_mean": show_number(round(spread.mean, 6)) for m, spread in trial.summary.items()},
            }
        )
        for i, trial in enumerate(search.trials)
    ] + [
        dg.TableRecord(
            {
                "chosen": "",
                **{name: str(value) for name, value in left_out.hyperparameters.items()},
                "evaluated": f"by XGBoost on a sample, RMSE {left_out.rmse:.4g}: ranked too low",
                "folds": 0,
                "share of rows": 0.0,
                **dict.fromkeys((f"{m}_mean" for m in search.best.summary), UNDEFINED),
            }
        )
        for left_out in search.screened
    ]


def _verdict_table(test: Metrics, temporal: Metrics) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord({"evaluation": name, "rows": m.rows, **_round_metrics(m)})
        for name, m in (("test split", test), ("temporal holdout", temporal))
    ]
    return dg.MetadataValue.table(records=rows)


def _round_metrics(metrics: Metrics) -> dict[str, float | str]:
    return {m: show_number(round(value, 6)) for m, value in _all_metrics(metrics).items()}


def show_metrics(metrics: Metrics) -> dict[str, Any]:
    """Return the metrics that can choose a model as metadata, with the reason for each undefined one."""
    return {**_show_numbers(metrics.by_name), **_explain_undefined(metrics)}


def _show_numbers(metrics: Mapping[str, float]) -> dict[str, float | str]:
    return {name: show_number(value) for name, value in metrics.items()}


def _explain_undefined(*evaluated: Metrics) -> dict[str, Any]:
    """Return the reasons for undefined metrics; nothing if each one has a value."""
    reasons = {name: reason for metrics in evaluated for name, reason in metrics.undefined.items()}
    return {UNDEFINED: dg.MetadataValue.json(reasons)} if reasons else {}


def _all_metrics(metrics: Metrics) -> dict[str, float]:
    """Return the metrics that can choose a model, and those that only describe it."""
    return metrics.by_name | {name: getattr(metrics, name) for name in DESCRIBING}
