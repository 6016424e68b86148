"""Figures of every kind: PNG files of the right size that show their data, without a window."""

from __future__ import annotations

import sys

import pytest

from traffic_assets_tests.ml.plots.examples import FIGURES, png_size


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_png_of_its_size_that_shows_its_data(name: str) -> None:
    draw, expected = FIGURES[name]
    first, other = draw(1.0), draw(3.0)
    assert png_size(first) == pytest.approx(expected, abs=1)
    assert first != other, "other data, another figure"
    assert draw(1.0) == first, "the same data, the same figure"


def test_no_window_and_no_global_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw without pyplot, which keeps figures and may open windows."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw, _ in FIGURES.values():
        assert draw(1.0)
