"""Pictures of an evaluation, as PNG bytes. No state, no window: matplotlib's object interface only."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from traffic_assets.features.catalogue import TARGETS
from traffic_assets.ml.evaluation import Points, Standing
from traffic_assets.ml.importances import Importances
from traffic_assets.ml.metrics import TARGET
from traffic_assets.ml.search.trials import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
_SHOWN_FEATURES = 15


def predicted_against_actual(points: Points, title: str, target: str = TARGET) -> bytes:
    """Predicted over observed, with the diagonal on which a perfect model lies."""
    figure = _figure(5.2, 4.8)
    axes = figure.add_subplot()
    both = np.concatenate([points.actual, points.predicted])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, label="perfect")
    axes.scatter(points.actual, points.predicted, s=6, alpha=0.35, color=BLUE, linewidths=0)
    axes.set(
        xlabel=f"observed {target}, {_unit(target)}",
        ylabel=f"predicted {target}, {_unit(target)}",
        title=f"{title}: predicted against actual\n{points.actual.size:,} rows of the test split",
    )
    axes.set_aspect("equal", adjustable="box")
    axes.legend(loc="upper left", frameon=False)
    return _png(figure)


def residuals(points: Points, title: str, target: str = TARGET) -> bytes:
    """How the residuals are distributed, and how they lie over what was predicted."""
    figure = _figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    error = points.predicted - points.actual
    left.hist(error, bins=60, color=BLUE)
    left.set(xlabel=f"predicted - observed, {_unit(target)}", ylabel="rows", yscale="log", title=f"{title}: residuals")
    right.scatter(points.predicted, error, s=6, alpha=0.35, color=BLUE, linewidths=0)
    right.axhline(0, color=GREY, linewidth=1)
    right.set(
        xlabel=f"predicted {target}, {_unit(target)}",
        ylabel=f"predicted - observed, {_unit(target)}",
        title=f"over predicted {target}",
    )
    return _png(figure)


def importances(found: Importances, title: str) -> bytes:
    """The heaviest features."""
    shown = list(found.features.items())[:_SHOWN_FEATURES][::-1]
    figure = _figure(7, 0.28 * len(shown) + 1.4)
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in shown], [weight for _, weight in shown], color=BLUE)
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.set(xlabel=found.kind, title=f"{title}: importances")
    return _png(figure)


def folds(trial: Trial, title: str, target: str = TARGET) -> bytes:
    """RMSE and R² of each fold."""
    figure = _figure(8, 3.2)
    left, right = figure.subplots(1, 2)
    numbers = [str(i + 1) for i in range(len(trial.folds))]
    for axes, metric, label in ((left, "rmse", f"RMSE, {_unit(target)}"), (right, "r2", "R²")):
        values = [getattr(fold, metric) for fold in trial.folds]
        axes.plot(numbers, values, "o", color=BLUE)
        axes.axhline(trial.summary[metric].mean, color=ORANGE, linewidth=1, label="mean")
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set(xlabel="fold", ylabel=label)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{title}: cross-validation")
    return _png(figure)


def comparison(standings: Sequence[Standing], target: str = TARGET) -> bytes:
    """RMSE of every model under both verdicts."""
    figure = _figure(7.5, 0.6 * len(standings) + 1.6)
    axes = figure.add_subplot()
    names = [s.model for s in standings][::-1]
    at = np.arange(len(names))
    random = axes.barh(at + 0.2, [s.test.rmse for s in standings][::-1], 0.36, color=BLUE, label="random hold-out")
    temporal = axes.barh(
        at - 0.2, [s.temporal.rmse for s in standings][::-1], 0.36, color=ORANGE, label="later in time"
    )
    for bars in (random, temporal):
        axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.15)
    axes.set(yticks=at, yticklabels=names, xlabel=f"RMSE, {_unit(target)} (less is better)", title="Models of the week")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def _unit(target: str) -> str:
    return TARGETS[target].unit


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
