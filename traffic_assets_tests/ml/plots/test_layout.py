"""Figure of the rows of each split."""

from __future__ import annotations

import numpy as np

from traffic_assets.ml.plots.layout import plot_layout
from traffic_assets.ml.splits.layout import Placement
from traffic_assets_tests.ml.plots.examples import SIGNATURE


def test_a_sensor_may_have_any_name() -> None:
    placement = Placement(
        at=np.arange(4) * 300,
        sensors=(r"$\foo$", "B_1"),
        sensor=np.array([0, 0, 1, 1]),
        names=("train", "validation", "test"),
        roles={"": np.array([0, 1, 2, 0])},
    )
    assert plot_layout(placement, "split").startswith(SIGNATURE)
