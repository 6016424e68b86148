"""Figure of the importances."""

from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.plots.figure import BLUE, new_figure, png

_SHOWN_FEATURES = 15


def plot_importances(importances: Importances, title: str) -> bytes:
    """Plot the most important features."""
    shown = list(importances.features.items())[:_SHOWN_FEATURES][::-1]
    figure = new_figure(7, 0.28 * len(shown) + 1.4)
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in shown], [weight for _, weight in shown], color=BLUE)
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.set(xlabel=importances.kind, title=f"{title}: importances")
    return png(figure)
