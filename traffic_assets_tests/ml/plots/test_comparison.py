"""Figure that compares models."""

from __future__ import annotations

from traffic_assets.ml.plots.comparison import plot_comparison
from traffic_assets_tests.ml.plots.examples import entries, png_size


def test_the_figure_grows_with_the_models() -> None:
    two, five = (png_size(plot_comparison(entries(1.0, n)))[1] for n in (2, 5))
    assert two < five
