"""Figure that compares the models of a week."""

from collections.abc import Sequence

import numpy as np

from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.plots.figure import BLUE, ORANGE, new_figure, png, unit_label


def plot_comparison(entries: Sequence[LeaderboardEntry], target: str = TARGET) -> bytes:
    """Plot the RMSE of every model on the test split and on the temporal holdout."""
    figure = new_figure(7.5, 0.6 * len(entries) + 1.6)
    axes = figure.add_subplot()
    names = [s.model for s in entries][::-1]
    at = np.arange(len(names))
    test = axes.barh(at + 0.2, [s.test.rmse for s in entries][::-1], 0.36, color=BLUE, label="test split")
    temporal = axes.barh(
        at - 0.2, [s.temporal.rmse for s in entries][::-1], 0.36, color=ORANGE, label="temporal holdout"
    )
    for bars in (test, temporal):
        axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.15)
    axes.set(
        yticks=at, yticklabels=names, xlabel=f"RMSE, {unit_label(target)} (lower is better)", title="Models of the week"
    )
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
