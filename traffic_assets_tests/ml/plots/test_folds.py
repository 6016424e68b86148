"""Figure of a cross-validation."""

from __future__ import annotations

import math

from traffic_assets.ml.plots.folds import plot_folds
from traffic_assets_tests.ml.plots.examples import png_size, trial


def test_metrics_that_are_nan_are_drawn() -> None:
    assert png_size(plot_folds(trial(1.0, math.nan), "Model"))
