"""Hyperparameters of support vector regression."""

from traffic_assets.settings.models.svr import SVRHyperparameters


def test_gamma_is_a_text_even_if_json_has_a_number() -> None:
    assert SVRHyperparameters.model_validate({"gamma": 0.1}).gamma == "0.1"
    assert SVRHyperparameters.model_validate({"gamma": 1e-5}).gamma == "1e-05"
