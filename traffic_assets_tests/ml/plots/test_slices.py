"""Figures by slice: names from the data are drawn as they are."""

from __future__ import annotations

import pytest

from traffic_assets.ml.plots.slices import plot_errors_by_slice, plot_interval_coverage
from traffic_assets_tests.ml.plots.examples import INTERVAL, png_size, slices


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["$", "$x$", r"a\$\frac{", "a\n\tb", "<script>", "x" * 500, "高速"])
def test_names_from_the_data_are_drawn_and_never_read_as_formulas(name: str) -> None:
    assert png_size(plot_errors_by_slice(slices(1.0, name=name), 1.0, "Model"))
    assert png_size(plot_interval_coverage(slices(1.0, name=name), INTERVAL, "Model"))
