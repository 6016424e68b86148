"""Figure of a cross-validation: RMSE and R² of each fold."""

from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.ml.plots.figure import BLUE, ORANGE, new_figure, png, unit_label


def plot_folds(trial: Trial, title: str, target: str = TARGET) -> bytes:
    """Plot RMSE and R² of each fold."""
    figure = new_figure(8, 3.2)
    left, right = figure.subplots(1, 2)
    numbers = [str(i + 1) for i in range(len(trial.folds))]
    for axes, metric, label in ((left, "rmse", f"RMSE, {unit_label(target)}"), (right, "r2", "R²")):
        values = [getattr(fold, metric) for fold in trial.folds]
        axes.plot(numbers, values, "o", color=BLUE)
        axes.axhline(trial.summary[metric].mean, color=ORANGE, linewidth=1, label="mean")
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set(xlabel="fold", ylabel=label)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{title}: cross-validation")
    return png(figure)
