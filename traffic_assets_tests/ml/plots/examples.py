"""Example data of figures, and a figure of each kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.residuals import Distribution, Hour
from traffic_assets.ml.evaluation.scores import Points
from traffic_assets.ml.evaluation.slices import Slice
from traffic_assets.ml.metrics.metrics import Metrics, Spread
from traffic_assets.ml.model_selection.cross_validation import Trial
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, LearningPoint
from traffic_assets.ml.plots.comparison import plot_comparison
from traffic_assets.ml.plots.folds import plot_folds
from traffic_assets.ml.plots.importances import plot_importances
from traffic_assets.ml.plots.learning_curve import plot_learning_curve
from traffic_assets.ml.plots.residuals import (
    plot_predicted_against_actual,
    plot_residual_distribution,
    plot_residuals,
    plot_residuals_over_time,
)
from traffic_assets.ml.plots.slices import plot_errors_by_slice, plot_interval_coverage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Draw = Callable[[float], bytes]


def points(shift: float, size: int = 200) -> Points:
    """Return observed and predicted values that differ by `shift` at most."""
    actual = np.linspace(5, 70, size)
    return Points(actual=actual, predicted=actual + shift * np.sin(np.arange(size)))


def importances(weight: float, number: int = 4) -> Importances:
    """Return importances of `number` features."""
    features = {f"feature_{i:02d}": weight / (i + 1) for i in range(number)}
    return Importances(kind="mean decrease in impurity", features=features, slots=features)


def metrics(rmse: float, r2: float = 0.9) -> Metrics:
    """Return metrics with this RMSE and R²."""
    return Metrics(rows=9, rmse=rmse, mae=1, mape=0.1, r2=r2)


def trial(rmse: float, r2: float = 0.9) -> Trial:
    """Return a trial of two folds."""
    summary = {"rmse": Spread(mean=rmse, std=0.1), "r2": Spread(mean=r2, std=0.1)}
    return Trial(hyperparameters={}, folds=[metrics(rmse, r2), metrics(rmse + 1, r2)], summary=summary)


def entries(rmse: float, number: int = 2) -> list[LeaderboardEntry]:
    """Return leaderboard entries of `number` models."""
    return [
        LeaderboardEntry(
            model=f"m{i}",
            kind="baseline",
            test=metrics(rmse),
            temporal=metrics(rmse + i),
            targets_asked=2,
            targets_missed=[],
        )
        for i in range(number)
    ]


def distribution(std: float) -> Distribution:
    """Return a distribution of residuals with this standard deviation."""
    return Distribution(
        rows=100, mean=0.1, std=std, p5=-1.5, median=0.0, p95=1.5, least=-9.0, greatest=9.0, start=-2.0, width=0.5,
        counts=[2, 5, 10, 30, 30, 10, 5, 2], below=3, above=3,
    )  # fmt: skip


def hours(spread: float, number: int = 48) -> list[Hour]:
    """Return residuals of `number` hours, without two of them."""
    start = datetime(2026, 1, 5)
    every = [Hour(at=start + timedelta(hours=i), rows=9, mean=0.1, p10=-spread, p90=spread) for i in range(number)]
    return [hour for i, hour in enumerate(every) if i not in (7, 8)]


def slices(rmse: float, number: int = 4, name: str = "s") -> list[Slice]:
    """Return slices of `number` sensors."""
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


def curve(rmse: float) -> LearningCurve:
    """Return a learning curve of three points."""
    points = [
        LearningPoint(share=s, rows=int(s * 900), train_rmse=1.0, validation_rmse=rmse / s) for s in (0.1, 0.5, 1)
    ]
    return LearningCurve(fold="fold 5 of 5", judged_rows=200, points=points)


FIGURES: dict[str, tuple[Draw, tuple[int, int]]] = {
    "predicted_against_actual": (lambda x: plot_predicted_against_actual(points(x), "Model"), (572, 528)),
    "residuals": (lambda x: plot_residuals(points(x), "Model"), (704, 418)),
    "importances": (lambda x: plot_importances(importances(x), "Model"), (770, 277)),
    "folds": (lambda x: plot_folds(trial(x), "Model"), (880, 352)),
    "comparison": (lambda x: plot_comparison(entries(x)), (825, 308)),
    "residual_distribution": (lambda x: plot_residual_distribution(distribution(x), "Model"), (792, 462)),
    "residuals_over_time": (lambda x: plot_residuals_over_time(hours(x), "Model", "UTC"), (1100, 418)),
    "errors_by_slice": (lambda x: plot_errors_by_slice(slices(x), 1.0, "Model"), (880, 308)),
    "interval_coverage": (lambda x: plot_interval_coverage(slices(x, int(x)), INTERVAL, "Model"), (880, 242)),
    "learning_curve": (lambda x: plot_learning_curve(curve(x), "Model"), (748, 440)),
}


def png_size(png: bytes) -> tuple[int, int]:
    """Return width and height from the file's header."""
    assert png.startswith(SIGNATURE)
    assert png[12:16] == b"IHDR"
    assert png.rstrip().endswith(b"IEND\xaeB`\x82"), "the file is complete"
    width, height = struct.unpack(">II", png[16:24])
    return width, height
