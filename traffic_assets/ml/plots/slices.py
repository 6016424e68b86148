"""Figures of the errors and the interval coverage by slice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.slices import FEWEST_ROWS, Slice, select_worst_slices
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.plots.figure import BLUE, GREY, ORANGE, new_figure, plain_text, png, unit_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_SLICES = 15


def plot_errors_by_slice(slices: Sequence[Slice], overall: float, title: str, target: str = TARGET) -> bytes:
    """Plot the RMSE of the worst slices, the worst first, and the RMSE over all rows."""
    shown = select_worst_slices(list(slices), _SHOWN_SLICES)
    figure = new_figure(8, 0.3 * len(shown) + 1.6)
    axes = figure.add_subplot()
    axes.barh(range(len(shown)), [s.rmse for s in shown], color=BLUE, height=0.7)
    name_slices(axes, shown, [f"{s.rmse:.3f}  ({s.rows:,} rows)" for s in shown], [s.rmse for s in shown])
    axes.axvline(overall, color=ORANGE, linewidth=1.5, label=f"all test rows: {overall:.3f} {unit_label(target)}")
    axes.set(
        xlabel=f"RMSE, {unit_label(target)} (lower is better)",
        title=f"{title}: errors by slice, the worst first",
        xlim=(0, 1.3 * shown[0].rmse or 1),
    )
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return png(figure)


def plot_interval_coverage(slices: Sequence[Slice], interval: Interval, title: str, target: str = TARGET) -> bytes:
    """Plot the share of a slice's rows inside their prediction interval, the smallest share first."""
    known = [s for s in slices if s.covered is not None and s.rows >= FEWEST_ROWS]
    shown = sorted(known, key=lambda s: (s.covered, s.dimension, s.value))[:_SHOWN_SLICES]
    covered = [100 * (s.covered or 0.0) for s in shown]
    figure = new_figure(8, 0.3 * len(shown) + 1.9)
    axes = figure.add_subplot()
    configured = 100 * interval.coverage
    axes.hlines(range(len(shown)), covered, configured, color=GREY, linewidth=1)
    axes.plot(covered, range(len(shown)), "o", color=BLUE, label="measured in the slice")
    own = [(100 * s.own_covered, i) for i, s in enumerate(shown) if s.own_covered is not None]
    if own:
        label = "with an interval of the slice's own width"
        axes.plot(*zip(*own, strict=True), "o", markerfacecolor="none", color=BLUE, label=label)
    name_slices(axes, shown, [f"{c:.1f}%  ({s.rows:,} rows)" for c, s in zip(covered, shown, strict=True)], None)
    axes.axvline(configured, color=ORANGE, linewidth=1.5, label=f"configured: {configured:g}%")
    axes.axvline(
        100 * interval.covered, color=BLUE, linewidth=1.2, linestyle="--",
        label=f"measured over all test rows: {100 * interval.covered:.1f}%",
    )  # fmt: skip
    axes.set(
        xlabel="share of the rows inside their prediction interval, %",
        title=f"{title}: prediction intervals by slice, the least covered first\n"
        f"one interval for all rows: prediction ± {interval.half_width:.3f} {unit_label(target)} "
        f"(width {interval.width:.3f})",
        xlim=(max(0.0, min([*covered, *(c for c, _ in own)], default=0.0) - 8), 101),
    )
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def name_slices(axes: "Axes", shown: Sequence[Slice], texts: Sequence[str], values: Sequence[float] | None) -> None:
    """Write the names of slices at the left and their texts at the right, the first at the top."""
    axes.set_yticks(range(len(shown)), [plain_text(f"{s.dimension} {s.value}") for s in shown], fontsize=8)
    axes.invert_yaxis()
    for i, text in enumerate(texts):
        if values is None:
            axes.annotate(text, (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        else:
            axes.annotate(text, (values[i], i), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
