"""The figure of a learning curve."""

from typing import TYPE_CHECKING

from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.model_selection.learning_curves import LearningCurve

if TYPE_CHECKING:
    pass
from traffic_assets.ml.plots.figure import BLUE, ORANGE, new_figure, png, unit_label


def plot_learning_curve(found: LearningCurve, title: str, target: str = TARGET) -> bytes:
    """RMSE on the rows fitted and on held-out rows, over the number of rows fitted."""
    figure = new_figure(6.8, 4)
    axes = figure.add_subplot()
    rows = [p.rows for p in found.points]
    axes.plot(rows, [p.validation_rmse for p in found.points], "o-", color=ORANGE, label="rows held out of the fit")
    axes.plot(rows, [p.train_rmse for p in found.points], "o-", color=BLUE, label="rows fitted")
    axes.set_xticks(rows, [f"{p.rows:,}\n{p.share:.0%}" for p in found.points], fontsize=8)
    axes.set(
        xlabel="rows fitted, and their share of the fold's train rows",
        ylabel=f"RMSE, {unit_label(target)} (less is better)",
        title=f"{title}: learning curve\njudged on {found.judged_rows:,} rows held out by {found.fold}",
        ylim=(0, 1.12 * max(max(p.train_rmse, p.validation_rmse) for p in found.points) or 1),
    )
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
