"""Surrogates: XGBoost's parameters represent MLlib's. `search/test_screening.py` tests how well they rank."""

from __future__ import annotations

import sys

import pytest

from traffic_assets.ml.algorithms.surrogates import forest_surrogate, subset_share
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets_tests.codes import get_code, get_values


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


def test_screening_without_xgboost_is_refused_with_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ImportError) as caught:
        forest_surrogate(RandomForestHyperparameters(), 42, 16)
    assert get_code(caught.value) == "algorithms.screening-without-xgboost"
    assert get_values(caught.value) == {"command": install_command("xgboost")}
