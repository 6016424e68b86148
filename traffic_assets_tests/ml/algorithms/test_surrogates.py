"""What the fast engine is told stands for what MLlib is told. That it ranks well is in `search/test_screening.py`."""

from __future__ import annotations

import re
import sys

import pytest

from traffic_assets.ml.algorithms.surrogates import forest_surrogate, subset_share
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters


@pytest.mark.parametrize(
    ("strategy", "trees", "share"),
    [
        ("auto", 100, 1 / 3),
        ("auto", 1, 1.0),
        ("all", 100, 1.0),
        ("sqrt", 1, 0.25),
        ("log2", 100, 0.25),
        ("0.8", 100, 0.8),
        ("1.0", 1, 1.0),
        ("1", 100, 1 / 16),
        ("40", 100, 1),
    ],
)
def test_subsets_as_shares_of_sixteen_slots(strategy: str, trees: int, share: float) -> None:
    assert subset_share(strategy, 16, trees) == pytest.approx(share)


def test_screening_without_xgboost_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    expected = f"needs XGBoost: {install_command('xgboost')}, or set it to null"
    with pytest.raises(ImportError, match=re.escape(expected)):
        forest_surrogate(RandomForestHyperparameters(), 42, 16)
