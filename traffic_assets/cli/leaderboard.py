"""The leaderboard of a week as a table in the terminal."""

import math
from typing import TYPE_CHECKING

from rich.text import Text

from traffic_assets.cli.console import UNDEFINED_MARK, format_number, new_table, out, show_decimals
from traffic_assets.settings import Settings

if TYPE_CHECKING:
    from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry


def show_leaderboard(settings: Settings, week: str, run_id: str) -> None:
    """Print the leaderboards of a week that a run has stored."""
    import json

    from traffic_assets.assets.evaluation import COMPARISON
    from traffic_assets.assets.keys import add_target_prefix
    from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
    from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
    from traffic_assets.resources import build_resources

    hdfs = build_resources(settings)["hdfs"]
    for target in settings.training.targets:
        comparisons = hdfs.dataset(add_target_prefix(COMPARISON, target))
        current = comparisons.current(week)
        if current is not None and current.run_id == run_id:
            comparisons.require_whole([current])
            document = hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}")
            board = [LeaderboardEntry.model_validate(row) for row in json.loads(document)["leaderboard"]]
            print_leaderboard(board, week, target)


def print_leaderboard(board: "list[LeaderboardEntry]", week: str, target: str) -> None:
    """Print the models of a week, the best first."""
    from traffic_assets.catalogue.targets import TARGETS
    from traffic_assets.ml.metrics.metrics import custom_metrics
    from traffic_assets.report.findings import get_title

    title = f"Week {week}: {target}"
    added = custom_metrics()
    more = [f"{later}{metric.label}" for metric in added.values() for later in ("", "later ")]
    table = new_table("model", "R²", "RMSE", "MAE", "later R²", "later RMSE", *more, "thresholds", title=title)
    colours = {"missed": "red", "met": "green"}
    for standing in board:
        test, later = standing.test, standing.temporal
        table.add_row(
            standing.model,
            show_decimals(test.r2, 5),
            show_decimals(test.rmse, 3),
            show_decimals(test.mae, 3),
            show_decimals(later.r2, 5),
            show_decimals(later.rmse, 3),
            *(format_number(metrics.extra.get(name, math.nan)) for name in added for metrics in (test, later)),
            Text(standing.targets, colours.get(standing.targets, "dim")),
        )
    out.print(table)
    reasons = {name: reason for s in board for m in (s.test, s.temporal) for name, reason in m.undefined.items()}
    for name, reason in reasons.items():
        out.print(f"{UNDEFINED_MARK} {get_title(name)} is undefined: {reason}")
    out.print(f"RMSE and MAE in {TARGETS[target].unit} on the test split; later: on the temporal holdout")
