"""Figures of residuals: titles, few points, long windows and equal residuals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from traffic_assets.ml.evaluation.scores import Points
from traffic_assets.ml.plots.residuals import (
    plot_predicted_against_actual,
    plot_residual_distribution,
    plot_residuals,
    plot_residuals_over_time,
)
from traffic_assets_tests.ml.plots.examples import distribution, hours, png_size, points


@pytest.mark.parametrize("draw", [plot_predicted_against_actual, plot_residuals])
def test_the_title_is_drawn(draw: Callable[[Points, str], bytes]) -> None:
    assert draw(points(1.0), "Random forest") != draw(points(1.0), "Linear regression")


@pytest.mark.filterwarnings("ignore:Data has no positive values")
@pytest.mark.parametrize("size", [0, 1])
def test_few_points_are_drawn(size: int) -> None:
    for draw in (plot_predicted_against_actual, plot_residuals):
        assert png_size(draw(points(1.0, size), "Model"))


def test_a_long_window_and_equal_residuals_are_drawn() -> None:
    assert png_size(plot_residuals_over_time(hours(1.0, 53 * 7 * 24), "Model", "UTC"))
    assert png_size(plot_residual_distribution(distribution(0.0), "Model"))
