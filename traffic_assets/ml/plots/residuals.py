"""Figures of predictions and residuals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from traffic_assets.ml.evaluation.residuals import Distribution, Hour
from traffic_assets.ml.evaluation.scores import Points
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.plots.figure import BLUE, GREY, ORANGE, RED, new_figure, png, residual_label, unit_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_predicted_against_actual(points: Points, title: str, target: str = TARGET) -> bytes:
    """Plot predicted vs. observed values, with the diagonal of a perfect model."""
    figure = new_figure(5.2, 4.8)
    axes = figure.add_subplot()
    both = np.concatenate([points.actual, points.predicted])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, label="perfect")
    axes.scatter(points.actual, points.predicted, s=6, alpha=0.35, color=BLUE, linewidths=0)
    axes.set(
        xlabel=f"observed {target}, {unit_label(target)}",
        ylabel=f"predicted {target}, {unit_label(target)}",
        title=f"{title}: predicted vs. actual\n{points.actual.size:,} rows of the test split",
    )
    axes.set_aspect("equal", adjustable="box")
    axes.legend(loc="upper left", frameon=False)
    return png(figure)


def plot_residuals(points: Points, title: str, target: str = TARGET) -> bytes:
    """Plot residuals over predicted values; the model is less certain where the band widens."""
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


def plot_residual_distribution(distribution: Distribution, title: str, target: str = TARGET) -> bytes:
    """Plot the middle 99% of the residuals, a normal distribution with the same mean and spread, and P5 and P95."""
    figure, unit = new_figure(7.2, 4.2), unit_label(target)
    axes = figure.add_subplot()
    left = distribution.start + distribution.width * np.arange(len(distribution.counts))
    axes.bar(left, distribution.counts, width=distribution.width, align="edge", color=BLUE, label="test rows")
    if distribution.std > 0:
        at = np.linspace(distribution.start, left[-1] + distribution.width, 400)
        deviations = (at - distribution.mean) / distribution.std
        density = np.exp(-0.5 * deviations**2) / (distribution.std * np.sqrt(2 * np.pi))
        axes.plot(
            at,
            distribution.rows * distribution.width * density,
            color=ORANGE,
            linewidth=1.6,
            label=f"normal, same mean and\nstandard deviation ({distribution.std:.3f} {unit})",
        )
    axes.axvline(0, color=GREY, linewidth=1)
    for end, name in ((distribution.p5, "P5"), (distribution.p95, "P95")):
        axes.axvline(end, color=RED, linewidth=1.2, linestyle="--", label=f"{name}: {end:+.3f} {unit}")
    outside = distribution.below + distribution.above
    note = (
        f"\n{outside:,} of them beyond the figure, {distribution.least:+.3f} to {distribution.greatest:+.3f} {unit}"
        if outside
        else ""
    )
    axes.set(
        xlabel=f"{residual_label(target)} (right of 0: predicted too high)",
        ylabel="rows",
        title=f"{title}: distribution of the residuals\n"
        f"{distribution.rows:,} test rows, mean {distribution.mean:+.3f} {unit}{note}",
        xlim=(left[0], left[-1] + distribution.width),
    )
    axes.title.set_fontsize(10)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def plot_residuals_over_time(hours: Sequence[Hour], title: str, zone: str, target: str = TARGET) -> bytes:
    """Plot the mean of each hour's residuals and the band of their middle 80%, with gaps for hours without rows."""
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
    """Set ticks at local midnights with weekday and date, with fewer ticks for long windows."""
    from matplotlib.dates import DateFormatter, DayLocator

    days = (max(at) - min(at)).days + 1 if at else 1
    axes.xaxis.set_major_locator(DayLocator(interval=max(1, -(-days // 14))))
    axes.xaxis.set_major_formatter(DateFormatter("%a\n%d %b"))
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(x=0.01)
