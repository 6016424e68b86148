"""Figures: PNG files of the right size that show their data."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.residuals import Distribution, Hour, Residuals
from traffic_assets.ml.evaluation.scores import Points, Scores
from traffic_assets.ml.evaluation.slices import Slice
from traffic_assets.ml.metrics.metrics import Metrics, Spread
from traffic_assets.ml.model_selection.cross_validation import Trial
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, LearningPoint
from traffic_assets.ml.plots.comparison import plot_comparison
from traffic_assets.ml.plots.diagnostics import plot_diagnostics
from traffic_assets.ml.plots.folds import plot_folds
from traffic_assets.ml.plots.importances import plot_importances
from traffic_assets.ml.plots.layout import plot_layout
from traffic_assets.ml.plots.learning_curve import plot_learning_curve
from traffic_assets.ml.plots.residuals import (
    plot_predicted_against_actual,
    plot_residual_distribution,
    plot_residuals,
    plot_residuals_over_time,
)
from traffic_assets.ml.plots.slices import plot_errors_by_slice, plot_interval_coverage
from traffic_assets.ml.splits.layout import Placement

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Draw = Callable[[float], bytes]


def _points(shift: float, size: int = 200) -> Points:
    actual = np.linspace(5, 70, size)
    return Points(actual=actual, predicted=actual + shift * np.sin(np.arange(size)))


def _importances(weight: float, number: int = 4) -> Importances:
    features = {f"feature_{i:02d}": weight / (i + 1) for i in range(number)}
    return Importances(kind="mean decrease of impurity", features=features, slots=features)


def _metrics(rmse: float, r2: float = 0.9) -> Metrics:
    return Metrics(rows=9, rmse=rmse, mae=1, mape=0.1, r2=r2)


def _trial(rmse: float, r2: float = 0.9) -> Trial:
    summary = {"rmse": Spread(mean=rmse, std=0.1), "r2": Spread(mean=r2, std=0.1)}
    return Trial(hyperparameters={}, folds=[_metrics(rmse, r2), _metrics(rmse + 1, r2)], summary=summary)


def _entries(rmse: float, number: int = 2) -> list[LeaderboardEntry]:
    return [
        LeaderboardEntry(
            model=f"m{i}",
            kind="baseline",
            test=_metrics(rmse),
            temporal=_metrics(rmse + i),
            targets_asked=2,
            targets_missed=[],
        )
        for i in range(number)
    ]


def _distribution(std: float) -> Distribution:
    return Distribution(
        rows=100, mean=0.1, std=std, p5=-1.5, median=0.0, p95=1.5, least=-9.0, greatest=9.0, start=-2.0, width=0.5,
        counts=[2, 5, 10, 30, 30, 10, 5, 2], below=3, above=3,
    )  # fmt: skip


def _hours(spread: float, number: int = 48) -> list[Hour]:
    start = datetime(2026, 1, 5)
    every = [Hour(at=start + timedelta(hours=i), rows=9, mean=0.1, p10=-spread, p90=spread) for i in range(number)]
    return [hour for i, hour in enumerate(every) if i not in (7, 8)]


def _slices(rmse: float, number: int = 4, name: str = "s") -> list[Slice]:
    return [
        Slice(
            dimension="sensor",
            value=f"{name}{i}",
            rows=50,
            rmse=rmse + i,
            mae=1,
            bias=0,
            p95=2,
            covered=0.9 - i / 50,
            own_half_width=1.0 if i else None,
            own_covered=0.9 if i else None,
        )
        for i in range(number)
    ]


INTERVAL = Interval(coverage=0.9, half_width=1.5, calibration_rows=99, covered=0.91, test_rows=200)


def _curve(rmse: float) -> LearningCurve:
    points = [
        LearningPoint(share=s, rows=int(s * 900), train_rmse=1.0, validation_rmse=rmse / s) for s in (0.1, 0.5, 1)
    ]
    return LearningCurve(fold="fold 5 of 5", judged_rows=200, points=points)


FIGURES: dict[str, tuple[Draw, tuple[int, int]]] = {
    "predicted_against_actual": (lambda x: plot_predicted_against_actual(_points(x), "Model"), (572, 528)),
    "residuals": (lambda x: plot_residuals(_points(x), "Model"), (704, 418)),
    "importances": (lambda x: plot_importances(_importances(x), "Model"), (770, 277)),
    "folds": (lambda x: plot_folds(_trial(x), "Model"), (880, 352)),
    "comparison": (lambda x: plot_comparison(_entries(x)), (825, 308)),
    "residual_distribution": (lambda x: plot_residual_distribution(_distribution(x), "Model"), (792, 462)),
    "residuals_over_time": (lambda x: plot_residuals_over_time(_hours(x), "Model", "UTC"), (1100, 418)),
    "errors_by_slice": (lambda x: plot_errors_by_slice(_slices(x), 1.0, "Model"), (880, 308)),
    "interval_coverage": (lambda x: plot_interval_coverage(_slices(x, int(x)), INTERVAL, "Model"), (880, 242)),
    "learning_curve": (lambda x: plot_learning_curve(_curve(x), "Model"), (748, 440)),
}


def _size(png: bytes) -> tuple[int, int]:
    """Width and height as the file's header says."""
    assert png.startswith(SIGNATURE)
    assert png[12:16] == b"IHDR"
    assert png.rstrip().endswith(b"IEND\xaeB`\x82"), "the file is whole"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_a_png_of_its_size_that_shows_its_data(name: str) -> None:
    draw, expected = FIGURES[name]
    first, other = draw(1.0), draw(3.0)
    assert _size(first) == pytest.approx(expected, abs=1)
    assert first != other, "other data, another figure"
    assert draw(1.0) == first, "the same data, the same figure"


@pytest.mark.parametrize("draw", [plot_predicted_against_actual, plot_residuals])
def test_the_title_is_drawn(draw: Callable[[Points, str], bytes]) -> None:
    assert draw(_points(1.0), "Random forest") != draw(_points(1.0), "Linear regression")


def test_pictures_grow_with_what_they_list() -> None:
    few, many, most = (_size(plot_importances(_importances(1.0, n), "Model"))[1] for n in (2, 15, 40))
    assert few < many
    assert many == most, "the 15 heaviest are shown"
    two, five = (_size(plot_comparison(_entries(1.0, n)))[1] for n in (2, 5))
    assert two < five


@pytest.mark.filterwarnings("ignore:Data has no positive values")
@pytest.mark.parametrize("size", [0, 1])
def test_few_points_make_a_picture_too(size: int) -> None:
    for draw in (plot_predicted_against_actual, plot_residuals):
        assert _size(draw(_points(1.0, size), "Model"))


def _diagnostics(slices: bool = True, interval: Interval | None = INTERVAL) -> Diagnostics:
    residuals = Residuals(distribution=_distribution(1.0), hours=_hours(1.0))
    found = _slices(1.0) if slices else []
    return Diagnostics(slices=found, interval=interval, confidence=None, residuals=residuals, notes=[])


def _drawn(found: Diagnostics) -> set[str]:
    scores = Scores(train=_metrics(1), test=_metrics(1), importances=_importances(1.0))
    return set(plot_diagnostics(_points(1.0), scores, found, "Model", "UTC"))


def test_what_was_not_made_is_not_drawn() -> None:
    always = {"predicted_against_actual.png", "residuals.png", "importances.png"}
    of_residuals = {"residual_distribution.png", "residuals_over_time.png"}
    assert _drawn(_diagnostics()) == always | of_residuals | {"errors_by_slice.png", "interval_coverage.png"}
    assert _drawn(_diagnostics(interval=None)) == always | of_residuals | {"errors_by_slice.png"}
    assert _drawn(_diagnostics(slices=False)) == always | of_residuals
    assert _drawn(_diagnostics(slices=False).model_copy(update={"residuals": None})) == always


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["$", "$x$", r"a\$\frac{", "a\n\tb", "<script>", "x" * 500, "高速"])
def test_names_from_the_data_are_drawn_and_never_read_as_formulas(name: str) -> None:
    assert _size(plot_errors_by_slice(_slices(1.0, name=name), 1.0, "Model"))
    assert _size(plot_interval_coverage(_slices(1.0, name=name), INTERVAL, "Model"))


def test_a_long_window_and_residuals_that_are_all_the_same_make_pictures_too() -> None:
    assert _size(plot_residuals_over_time(_hours(1.0, 53 * 7 * 24), "Model", "UTC"))
    assert _size(plot_residual_distribution(_distribution(0.0), "Model"))


def test_metrics_that_are_nan_make_a_picture_too() -> None:
    assert _size(plot_folds(_trial(1.0, math.nan), "Model"))


def test_no_window_and_no_global_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyplot, which keeps figures and may open windows."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw, _ in FIGURES.values():
        assert draw(1.0)


def test_a_sensor_may_have_any_name() -> None:
    found = Placement(
        at=np.arange(4) * 300,
        sensors=(r"$\foo$", "B_1"),
        sensor=np.array([0, 0, 1, 1]),
        names=("train", "validation", "test"),
        roles={"": np.array([0, 1, 2, 0])},
    )
    assert plot_layout(found, "split").startswith(SIGNATURE)
