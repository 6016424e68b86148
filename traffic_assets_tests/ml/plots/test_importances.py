"""Figure of the importances."""

from __future__ import annotations

from traffic_assets.ml.plots.importances import plot_importances
from traffic_assets_tests.ml.plots.examples import importances, png_size


def test_the_figure_grows_with_the_features_up_to_a_limit() -> None:
    few, many, most = (png_size(plot_importances(importances(1.0, n), "Model"))[1] for n in (2, 15, 40))
    assert few < many
    assert many == most, "the 15 most important are shown"
