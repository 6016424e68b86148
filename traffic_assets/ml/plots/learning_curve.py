"""Figure of a learning curve."""

from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.model_selection.learning_curves import LearningCurve
from traffic_assets.ml.plots.figure import BLUE, ORANGE, new_figure, png, unit_label


def plot_learning_curve(curve: LearningCurve, title: str, target: str = TARGET) -> bytes:
    """Plot RMSE on the rows fitted on and on held-out rows, by the number of rows fitted on."""
    figure = new_figure(6.8, 4)
    axes = figure.add_subplot()
    rows = [p.rows for p in curve.points]
    axes.plot(rows, [p.validation_rmse for p in curve.points], "o-", color=ORANGE, label="held-out rows")
    axes.plot(rows, [p.train_rmse for p in curve.points], "o-", color=BLUE, label="rows fitted on")
    axes.set_xticks(rows, [f"{p.rows:,}\n{p.share:.0%}" for p in curve.points], fontsize=8)
    axes.set(
        xlabel="rows fitted on, and their share of the fold's train rows",
        ylabel=f"RMSE, {unit_label(target)} (lower is better)",
        title=f"{title}: learning curve\nevaluated on {curve.judged_rows:,} rows held out by {curve.fold}",
        ylim=(0, 1.12 * max(max(p.train_rmse, p.validation_rmse) for p in curve.points) or 1),
    )
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
