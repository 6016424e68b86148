"""Figures of predictions and residuals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from traffic_assets.ml.evaluation.residuals import Distribution, Hour
from traffic_assets.ml.evaluation.scores import Points
from traffic_assets.ml.metrics.metrics import TARGET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
from traffic_assets.ml.plots.figure import BLUE, GREY, ORANGE, RED, new_figure, png, residual_label, unit_label


def plot_predicted_against_actual(points: Points, title: str, target: str = TARGET) -> bytes:
    """Predicted over observed, with the diagonal on which a perfect model lies."""
    figure = new_figure(5.2, 4.8)
    axes = figure.add_subplot()
    both = np.concatenate([points.actual, points.predicted])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, label="perfect")
    axes.scatter(points.actual, points.predicted, s=6, alpha=0.35, color=BLUE, linewidths=0)
    axes.set(
        xlabel=f"observed {target}, {unit_label(target)}",
        ylabel=f"predicted {target}, {unit_label(target)}",
        title=f"{title}: predicted against actual\n{points.actual.size:,} rows of the test split",
    )
    axes.set_aspect("equal", adjustable="box")
    axes.legend(loc="upper left", frameon=False)
    return png(figure)


def plot_residuals(points: Points, title: str, target: str = TARGET) -> bytes:
    """How the residuals lie over what was predicted: a band that widens says where to trust the model less."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    axes.scatter(points.predicted, points.predicted - points.actual, s=6, alpha=0.35, color=BLUE, linewidths=0)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set(
        xlabel=f"predicted {target}, {unit_label(target)}",
        ylabel=residual_label(target),
        title=f"{title}: residuals over the predicted {target}\n{points.actual.size:,} rows of the test split",
    )
    return png(figure)


def plot_residual_distribution(found: Distribution, title: str, target: str = TARGET) -> bytes:
    """The middle 99 % of the residuals, with a normal of the same mean and deviation, and where 90 % of them lie."""
    figure, unit = new_figure(7.2, 4.2), unit_label(target)
    axes = figure.add_subplot()
    left = found.start + found.width * np.arange(len(found.counts))
    axes.bar(left, found.counts, width=found.width, align="edge", color=BLUE, label="test rows")
    if found.std > 0:
        at = np.linspace(found.start, left[-1] + found.width, 400)
        density = np.exp(-0.5 * ((at - found.mean) / found.std) ** 2) / (found.std * np.sqrt(2 * np.pi))
        axes.plot(
            at,
            found.rows * found.width * density,
            color=ORANGE,
            linewidth=1.6,
            label=f"normal, same mean and\ndeviation ({found.std:.3f} {unit})",
        )
    axes.axvline(0, color=GREY, linewidth=1)
    for end, name in ((found.p5, "P5"), (found.p95, "P95")):
        axes.axvline(end, color=RED, linewidth=1.2, linestyle="--", label=f"{name}: {end:+.3f} {unit}")
    outside = found.below + found.above
    told = (
        f"\n{outside:,} of them beyond the picture, {found.least:+.3f} to {found.greatest:+.3f} {unit}"
        if outside
        else ""
    )
    axes.set(
        xlabel=f"{residual_label(target)} (right of 0: predicted too high)",
        ylabel="rows",
        title=f"{title}: distribution of the residuals\n{found.rows:,} test rows, mean {found.mean:+.3f} {unit}{told}",
        xlim=(left[0], left[-1] + found.width),
    )
    axes.title.set_fontsize(10)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def plot_residuals_over_time(hours: Sequence[Hour], title: str, zone: str, target: str = TARGET) -> bytes:
    """Mean of each hour's residuals, and the band of their middle 80 %; where hours have no rows there is a gap."""
    from matplotlib.dates import date2num

    figure = new_figure(10, 3.8)
    axes = figure.add_subplot()
    at: list[datetime] = []
    values: list[tuple[float, float, float]] = []
    for hour in hours:
        if at and hour.at - at[-1] > timedelta(hours=1):
            at.append(at[-1] + timedelta(hours=1))
            values.append((np.nan, np.nan, np.nan))
        at.append(hour.at)
        values.append((hour.mean, hour.p10, hour.p90))
    mean, low, high = np.array(values, dtype=float).reshape(-1, 3).T
    moments = np.asarray(date2num(at))
    axes.fill_between(moments, low, high, color=BLUE, alpha=0.22, linewidth=0, label="P10 to P90 of the hour")
    axes.plot(moments, mean, color=BLUE, linewidth=1.2, label="mean of the hour")
    axes.axhline(0, color=GREY, linewidth=1)
    mark_days(axes, at)
    axes.set(
        xlabel=f"local time ({zone})",
        ylabel=residual_label(target),
        title=f"{title}: residuals over time\n{sum(h.rows for h in hours):,} test rows in {len(hours):,} hours; "
        f"above 0: predicted too high",
    )
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    return png(figure)


def mark_days(axes: "Axes", at: Sequence[datetime]) -> None:
    """Ticks at local midnights with weekday and date, thinned where they would touch."""
    from matplotlib.dates import DateFormatter, DayLocator

    days = (max(at) - min(at)).days + 1 if at else 1
    axes.xaxis.set_major_locator(DayLocator(interval=max(1, -(-days // 14))))
    axes.xaxis.set_major_formatter(DateFormatter("%a\n%d %b"))
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(x=0.01)
