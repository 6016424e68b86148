"""Pictures of an evaluation, as PNG bytes. No state, no window: matplotlib's object interface only."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.leaderboard import Standing
from traffic_assets.ml.evaluation.residuals import Distribution, Hour
from traffic_assets.ml.evaluation.scores import Points, Scores
from traffic_assets.ml.evaluation.slices import FEWEST_ROWS, Slice, worst_of
from traffic_assets.ml.learning_curves import LearningCurve
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.search.trials import Trial
from traffic_assets.ml.splits.layout import Placement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
BLUE, ORANGE, GREY, RED = "#2b6cb0", "#dd6b20", "#718096", "#c53030"
_SHOWN_FEATURES = 15
_SHOWN_SLICES = 15
_LONGEST_NAME = 28
_ROLES = {
    "fitted": BLUE, "judged": ORANGE, "gap": "#a0aec0", "left out": "#e2e8f0",
    "train": BLUE, "validation": "#68d391", "test": ORANGE,
}  # fmt: skip
_NAMED_SENSORS = 12


def of_diagnostics(
    points: Points, scores: Scores, found: Diagnostics, title: str, zone: str, target: str = TARGET
) -> dict[str, bytes]:
    """Every picture that a model's diagnostics allow, by file name.

    Args:
        points: a sample of the test rows.
        scores: of the model.
        found: its diagnostics; what was not made is not drawn.
        title: of the model.
        zone: name of the network's time zone.
        target: what the model predicts.
    """
    drawn = {
        "predicted_against_actual.png": predicted_against_actual(points, title, target),
        "residuals.png": residuals(points, title, target),
        "importances.png": importances(scores.importances, title),
    }
    if found.residuals:
        drawn["residual_distribution.png"] = residual_distribution(found.residuals.distribution, title, target)
        drawn["residuals_over_time.png"] = residuals_over_time(found.residuals.hours, title, zone, target)
    if worst_of(found.slices):
        drawn["errors_by_slice.png"] = errors_by_slice(found.slices, scores.test.rmse, title, target)
        if found.interval:
            drawn["interval_coverage.png"] = interval_coverage(found.slices, found.interval, title, target)
    return drawn


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
    """How the residuals lie over what was predicted: a band that widens says where to trust the model less."""
    figure = _figure(6.4, 3.8)
    axes = figure.add_subplot()
    axes.scatter(points.predicted, points.predicted - points.actual, s=6, alpha=0.35, color=BLUE, linewidths=0)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set(
        xlabel=f"predicted {target}, {_unit(target)}",
        ylabel=_residual(target),
        title=f"{title}: residuals over the predicted {target}\n{points.actual.size:,} rows of the test split",
    )
    return _png(figure)


def residual_distribution(found: Distribution, title: str, target: str = TARGET) -> bytes:
    """The middle 99 % of the residuals, with a normal of the same mean and deviation, and where 90 % of them lie."""
    figure, unit = _figure(7.2, 4.2), _unit(target)
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
        xlabel=f"{_residual(target)} (right of 0: predicted too high)",
        ylabel="rows",
        title=f"{title}: distribution of the residuals\n{found.rows:,} test rows, mean {found.mean:+.3f} {unit}{told}",
        xlim=(left[0], left[-1] + found.width),
    )
    axes.title.set_fontsize(10)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def residuals_over_time(hours: Sequence[Hour], title: str, zone: str, target: str = TARGET) -> bytes:
    """Mean of each hour's residuals, and the band of their middle 80 %; where hours have no rows there is a gap."""
    from matplotlib.dates import date2num

    figure = _figure(10, 3.8)
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
    _days(axes, at)
    axes.set(
        xlabel=f"local time ({zone})",
        ylabel=_residual(target),
        title=f"{title}: residuals over time\n{sum(h.rows for h in hours):,} test rows in {len(hours):,} hours; "
        f"above 0: predicted too high",
    )
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    return _png(figure)


def errors_by_slice(slices: Sequence[Slice], overall: float, title: str, target: str = TARGET) -> bytes:
    """RMSE of the worst slices, the worst first, against the RMSE over all rows."""
    shown = worst_of(list(slices), _SHOWN_SLICES)
    figure = _figure(8, 0.3 * len(shown) + 1.6)
    axes = figure.add_subplot()
    axes.barh(range(len(shown)), [s.rmse for s in shown], color=BLUE, height=0.7)
    _name_slices(axes, shown, [f"{s.rmse:.3f}  ({s.rows:,} rows)" for s in shown], [s.rmse for s in shown])
    axes.axvline(overall, color=ORANGE, linewidth=1.5, label=f"all test rows: {overall:.3f} {_unit(target)}")
    axes.set(
        xlabel=f"RMSE, {_unit(target)} (less is better)",
        title=f"{title}: where it fails, the worst slices first",
        xlim=(0, 1.3 * shown[0].rmse or 1),
    )
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _png(figure)


def interval_coverage(slices: Sequence[Slice], interval: Interval, title: str, target: str = TARGET) -> bytes:
    """Share of the rows of a slice inside their prediction interval, the worst held first."""
    known = [s for s in slices if s.covered is not None and s.rows >= FEWEST_ROWS]
    shown = sorted(known, key=lambda s: (s.covered, s.dimension, s.value))[:_SHOWN_SLICES]
    covered = [100 * (s.covered or 0.0) for s in shown]
    figure = _figure(8, 0.3 * len(shown) + 1.9)
    axes = figure.add_subplot()
    asked = 100 * interval.coverage
    axes.hlines(range(len(shown)), covered, asked, color=GREY, linewidth=1)
    axes.plot(covered, range(len(shown)), "o", color=BLUE, label="measured in the slice")
    own = [(100 * s.own_covered, i) for i, s in enumerate(shown) if s.own_covered is not None]
    if own:
        label = "with an interval of the slice's own width"
        axes.plot(*zip(*own, strict=True), "o", markerfacecolor="none", color=BLUE, label=label)
    _name_slices(axes, shown, [f"{c:.1f} %  ({s.rows:,} rows)" for c, s in zip(covered, shown, strict=True)], None)
    axes.axvline(asked, color=ORANGE, linewidth=1.5, label=f"wanted: {asked:g} %")
    axes.axvline(
        100 * interval.covered, color=BLUE, linewidth=1.2, linestyle="--",
        label=f"measured over all test rows: {100 * interval.covered:.1f} %",
    )  # fmt: skip
    axes.set(
        xlabel="share of the rows inside their prediction interval, %",
        title=f"{title}: prediction intervals, the slices held worst first\n"
        f"one interval for all rows: prediction ± {interval.half_width:.3f} {_unit(target)} "
        f"(width {interval.width:.3f})",
        xlim=(max(0.0, min([*covered, *(c for c, _ in own)], default=0.0) - 8), 101),
    )
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def learning_curve(found: LearningCurve, title: str, target: str = TARGET) -> bytes:
    """RMSE on the rows fitted and on held-out rows, over the number of rows fitted."""
    figure = _figure(6.8, 4)
    axes = figure.add_subplot()
    rows = [p.rows for p in found.points]
    axes.plot(rows, [p.validation_rmse for p in found.points], "o-", color=ORANGE, label="rows held out of the fit")
    axes.plot(rows, [p.train_rmse for p in found.points], "o-", color=BLUE, label="rows fitted")
    axes.set_xticks(rows, [f"{p.rows:,}\n{p.share:.0%}" for p in found.points], fontsize=8)
    axes.set(
        xlabel="rows fitted, and their share of the fold's train rows",
        ylabel=f"RMSE, {_unit(target)} (less is better)",
        title=f"{title}: learning curve\njudged on {found.judged_rows:,} rows held out by {found.fold}",
        ylim=(0, 1.12 * max(max(p.train_rmse, p.validation_rmse) for p in found.points) or 1),
    )
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
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


def placement(found: Placement, title: str) -> bytes:
    """What each fold or split makes of the rows: time across, one line a sensor, one panel a fold."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    panels, sensors = len(found.roles), len(found.sensors)
    wide, high = 8.2, 1.1 if panels > 1 else 1.5
    figure = _figure(9, high * panels + 1.2)
    every = figure.subplots(panels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    at = found.at.astype("datetime64[s]")
    side = 0.75 * 72 * min(wide / max(np.unique(at).size, 1), 0.85 * high / max(sensors, 1))
    shown = [i for i in range(len(found.names)) if any((roles == i).any() for roles in found.roles.values())]
    for axes, (name, roles) in zip(every, found.roles.items(), strict=True):
        for i in shown:
            these, color = roles == i, _ROLES[found.names[i]]
            axes.scatter(at[these], found.sensor[these], s=max(side, 2.0) ** 2, marker="s", linewidths=0, color=color)
        axes.set_title(name, fontsize=9, loc="left", pad=3)
        axes.margins(x=0.01)
        axes.set_ylim(sensors - 0.4, -0.6)
        few = sensors <= _NAMED_SENSORS
        axes.set_yticks(range(sensors) if few else [], [_plain(s) for s in found.sensors] if few else [], fontsize=6)
        axes.spines[["top", "right"]].set_visible(False)
    locator = AutoDateLocator()
    every[-1].xaxis.set_major_locator(locator)
    every[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    every[-1].set_xlabel("time, UTC")
    figure.supylabel("sensors", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left")
    keys = [every[0].scatter([], [], s=40, marker="s", color=_ROLES[found.names[i]]) for i in shown]
    names = [found.names[i] for i in shown]
    figure.legend(keys, names, loc="outside upper right", ncols=len(keys), frameon=False, fontsize=9, handletextpad=0.2)
    return _png(figure)


def comparison(standings: Sequence[Standing], target: str = TARGET) -> bytes:
    """RMSE of every model under both verdicts."""
    figure = _figure(7.5, 0.6 * len(standings) + 1.6)
    axes = figure.add_subplot()
    names = [s.model for s in standings][::-1]
    at = np.arange(len(names))
    test = axes.barh(at + 0.2, [s.test.rmse for s in standings][::-1], 0.36, color=BLUE, label="test split")
    temporal = axes.barh(
        at - 0.2, [s.temporal.rmse for s in standings][::-1], 0.36, color=ORANGE, label="later in time"
    )
    for bars in (test, temporal):
        axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.15)
    axes.set(yticks=at, yticklabels=names, xlabel=f"RMSE, {_unit(target)} (less is better)", title="Models of the week")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def _unit(target: str) -> str:
    return TARGETS[target].unit


def _residual(target: str) -> str:
    return f"predicted − observed, {_unit(target)}"


def _days(axes: "Axes", at: Sequence[datetime]) -> None:
    """Ticks at local midnights with weekday and date, thinned where they would touch."""
    from matplotlib.dates import DateFormatter, DayLocator

    days = (max(at) - min(at)).days + 1 if at else 1
    axes.xaxis.set_major_locator(DayLocator(interval=max(1, -(-days // 14))))
    axes.xaxis.set_major_formatter(DateFormatter("%a\n%d %b"))
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(x=0.01)


def _name_slices(axes: "Axes", shown: Sequence[Slice], told: Sequence[str], values: Sequence[float] | None) -> None:
    """The names of slices at the left and what is told of them at the right, the first at the top."""
    axes.set_yticks(range(len(shown)), [_plain(f"{s.dimension} {s.value}") for s in shown], fontsize=8)
    axes.invert_yaxis()
    for i, text in enumerate(told):
        if values is None:
            axes.annotate(text, (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        else:
            axes.annotate(text, (values[i], i), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)


def _plain(text: str) -> str:
    """A name from the data, on one line and not too long, in which nothing is taken for a formula."""
    line = " ".join(text.split())
    short = line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
    return short.replace("$", r"\$")


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
