"""Members and weights of an ensemble: their validation, and members completed from their lanes."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters, EnsembleSettings
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.models.svr import SVRHyperparameters
from traffic_assets_tests.settings.problems import texts


def test_members_are_validated_by_their_own_class_and_stay_as_given() -> None:
    result = EnsembleHyperparameters(members={"svr": {"gamma": 0.5}, "random_forest": {}})
    assert result.members == {"svr": {"gamma": "0.5"}, "random_forest": {}}
    assert result.member_hyperparameters == {
        "svr": SVRHyperparameters(gamma="0.5"),
        "random_forest": RandomForestHyperparameters(),
    }
    with pytest.raises(ValidationError) as caught:
        EnsembleHyperparameters(members={"svr": {"C": -1}, "random_forest": {"depth": 3}, "stack": {}})
    assert [item["loc"] for item in caught.value.errors()] == [
        ("members", "svr", "C"),
        ("members", "random_forest", "depth"),
        ("members", "stack"),
    ]
    out_of_range, unknown, member = texts(caught.value)
    assert (out_of_range.code, out_of_range.values["given"]) == ("settings.out-of-range", -1)
    assert unknown.code == "settings.unknown-hyperparameter"
    assert unknown.values == {"name": "depth", "allowed": list(RandomForestHyperparameters.model_fields)}
    assert (member.code, member.values["name"]) == ("settings.unknown-member", "stack")
    assert "svr" in member.values["allowed"] and "ensemble" not in member.values["allowed"]
    with pytest.raises(ValidationError) as caught:
        EnsembleHyperparameters(members={"svr": {}})
    assert [(text.code, text.values["count"]) for text in texts(caught.value)] == [("settings.too-few-members", 1)]


@pytest.mark.parametrize(
    ("method", "weights", "code", "values"),
    [
        ("stacking", {"svr": 1, "xgboost": 1}, "settings.weights-without-weighted", {"method": "stacking"}),
        (
            "weighted",
            {"svr": 1},
            "settings.weights-of-other-members",
            {"weights": ["svr"], "members": ["svr", "xgboost"]},
        ),
        ("weighted", {"svr": 0, "xgboost": 0}, "settings.zero-weights", {"members": ["svr", "xgboost"]}),
        (
            "weighted",
            {"svr": -1, "xgboost": 1},
            "settings.out-of-range",
            {"given": -1, "limit": "a number of at least 0"},
        ),
    ],
)
def test_invalid_weights_are_refused(method: Any, weights: dict[str, float], code: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        EnsembleHyperparameters(members={"svr": {}, "xgboost": {}}, method=method, weights=weights)
    (text,) = texts(caught.value)
    assert (text.code, text.values) == (code, values)


def test_weights_leave_out_the_default_grid_which_tries_stacking() -> None:
    hyperparameters = {"method": "weighted", "weights": {"linear_regression": 1, "random_forest": 3}}
    for weighted in (hyperparameters, EnsembleHyperparameters.model_validate(hyperparameters)):
        settings = EnsembleSettings.model_validate({"enabled": True, "hyperparameters": weighted})
        assert settings.grid == {}
        assert settings.hyperparameters.weights == hyperparameters["weights"]
        assert settings.with_lanes({}).hyperparameters.weights == hyperparameters["weights"]
    assert EnsembleSettings.model_validate({"hyperparameters": {"method": "weighted"}}).grid
    with pytest.raises(ValidationError) as caught:
        EnsembleSettings.model_validate({"hyperparameters": hyperparameters, "grid": {"method": ["stacking"]}})
    assert [text.code for text in texts(caught.value)] == ["settings.weights-without-weighted"]
    assert caught.value.errors()[0]["loc"][:2] == ("grid", "method")


def test_missing_hyperparameters_of_members_come_from_their_lanes() -> None:
    lanes = {"random_forest": RandomForestHyperparameters(numTrees=7, maxDepth=4)}
    grid = {"members": [{"random_forest": {}, "svr": {}}, {"random_forest": {"numTrees": 9}, "svr": {}}]}
    hyperparameters = {"members": {"random_forest": {"maxDepth": 2}, "linear_regression": {}}}
    settings = EnsembleSettings.model_validate({"hyperparameters": hyperparameters, "grid": grid}).with_lanes(lanes)
    assert isinstance(settings.hyperparameters, EnsembleHyperparameters)
    members = settings.hyperparameters.member_hyperparameters
    assert members["random_forest"] == RandomForestHyperparameters(numTrees=7, maxDepth=2)
    assert members["linear_regression"] == LinearRegressionHyperparameters()
    points = grid_points(settings.hyperparameters, settings.grid)
    assert [point.members["random_forest"]["numTrees"] for point in points] == [7, 9]
    assert [point.members["random_forest"]["maxDepth"] for point in points] == [4, 4]
    request = settings.override_hyperparameters({"members": {"random_forest": {}, "svr": {"C": 3}}})
    assert isinstance(request, EnsembleHyperparameters)
    assert request.member_hyperparameters == {"random_forest": lanes["random_forest"], "svr": SVRHyperparameters(C=3)}


def test_equal_ensembles_have_one_hash() -> None:
    """Check the hash, by which random searches keep each point once."""
    one, same = (EnsembleHyperparameters(members={"svr": {"C": 2}, "xgboost": {}}) for _ in range(2))
    assert len({one, same, EnsembleHyperparameters()}) == 2
