"""The section evaluation: default thresholds, and bands."""

import pytest
from pydantic import ValidationError

from traffic_assets.settings.evaluation import Band, EvaluationSettings
from traffic_assets_tests.settings.problems import texts


def test_a_band_is_in_order() -> None:
    assert Band(low=1, high=1).high == 1
    with pytest.raises(ValidationError) as caught:
        Band(low=2, high=1.5)
    (text,) = texts(caught.value)
    assert (text.code, text.values) == ("settings.band-out-of-order", {"low": 2, "high": 1.5})


def test_default_thresholds() -> None:
    thresholds = EvaluationSettings().thresholds
    assert thresholds.linear_regression.model_dump(exclude_none=True) == {
        "r2_min": 0.9,
        "rmse_max": 5.0,
        "mae_max": 3.0,
    }
    assert thresholds.random_forest.model_dump() == {
        "r2_min": 0.9996,
        "rmse_max": 0.752,
        "mae_max": 0.289,
        "cv_r2_mean_min": 0.999,
        "cv_r2_std_max": 0.001,
    }
    assert thresholds.gradient_boosted_trees.model_dump(exclude_none=True) == {"r2_min": 0.9992, "rmse_max": 1.061}
