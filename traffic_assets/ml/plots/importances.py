"""The figure of the importances."""

from typing import TYPE_CHECKING

from traffic_assets.ml.evaluation.importances import Importances

if TYPE_CHECKING:
    pass
from traffic_assets.ml.plots.figure import BLUE, new_figure, png

_SHOWN_FEATURES = 15


def plot_importances(found: Importances, title: str) -> bytes:
    """The heaviest features."""
    shown = list(found.features.items())[:_SHOWN_FEATURES][::-1]
    figure = new_figure(7, 0.28 * len(shown) + 1.4)
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in shown], [weight for _, weight in shown], color=BLUE)
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.set(xlabel=found.kind, title=f"{title}: importances")
    return png(figure)
