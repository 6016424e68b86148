"""Simulated readings that the tests of this package share."""

import pandas as pd
import pytest

from traffic_assets.simulation.spec import SampleSpec
from traffic_assets_tests.simulation.grids import readings


@pytest.fixture(scope="module", params=[42, 7], ids=["default", "seed 7"])
def spec(request: pytest.FixtureRequest) -> SampleSpec:
    return SampleSpec(seed=request.param)


@pytest.fixture(scope="module")
def frame(spec: SampleSpec) -> pd.DataFrame:
    return readings(spec)
