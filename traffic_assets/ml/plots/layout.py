"""Figure of the rows of each fold or split."""

import numpy as np

from traffic_assets.ml.plots.figure import BLUE, ORANGE, new_figure, plain_text, png
from traffic_assets.ml.splits.layout import Placement

_ROLES = {
    "gap": "#a0aec0", "left out": "#e2e8f0",
    "train": BLUE, "validation": "#68d391", "test": ORANGE,
}  # fmt: skip
_NAMED_SENSORS = 12


def plot_layout(placement: Placement, title: str) -> bytes:
    """Plot the role of the rows in each fold or split: time across, one line per sensor, one panel per fold."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    panels, sensors = len(placement.roles), len(placement.sensors)
    wide, high = 8.2, 1.1 if panels > 1 else 1.5
    figure = new_figure(9, high * panels + 1.2)
    panels_axes = figure.subplots(panels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    at = placement.at.astype("datetime64[s]")
    side = 0.75 * 72 * min(wide / max(np.unique(at).size, 1), 0.85 * high / max(sensors, 1))
    shown = [i for i in range(len(placement.names)) if any((roles == i).any() for roles in placement.roles.values())]
    for axes, (name, roles) in zip(panels_axes, placement.roles.items(), strict=True):
        for i in shown:
            these, color = roles == i, _ROLES[placement.names[i]]
            axes.scatter(
                at[these], placement.sensor[these], s=max(side, 2.0) ** 2, marker="s", linewidths=0, color=color
            )
        axes.set_title(name, fontsize=9, loc="left", pad=3)
        axes.margins(x=0.01)
        axes.set_ylim(sensors - 0.4, -0.6)
        few = sensors <= _NAMED_SENSORS
        axes.set_yticks(
            range(sensors) if few else [], [plain_text(s) for s in placement.sensors] if few else [], fontsize=6
        )
        axes.spines[["top", "right"]].set_visible(False)
    locator = AutoDateLocator()
    panels_axes[-1].xaxis.set_major_locator(locator)
    panels_axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panels_axes[-1].set_xlabel("time, UTC")
    figure.supylabel("sensors", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left")
    keys = [panels_axes[0].scatter([], [], s=40, marker="s", color=_ROLES[placement.names[i]]) for i in shown]
    names = [placement.names[i] for i in shown]
    figure.legend(keys, names, loc="outside upper right", ncols=len(keys), frameon=False, fontsize=9, handletextpad=0.2)
    return png(figure)
