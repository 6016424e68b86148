"""Members and weights of an ensemble are validated, and members are completed from their lanes."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters, EnsembleSettings
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.models.svr import SVRHyperparameters


def test_members_are_validated_by_their_own_class_and_stay_as_given() -> None:
    found = EnsembleHyperparameters(members={"svr": {"gamma": 0.5}, "random_forest": {}})
    assert found.members == {"svr": {"gamma": "0.5"}, "random_forest": {}}
    assert found.validated == {"svr": SVRHyperparameters(gamma="0.5"), "random_forest": RandomForestHyperparameters()}
    with pytest.raises(ValidationError) as caught:
        EnsembleHyperparameters(members={"svr": {"C": -1}, "random_forest": {"depth": 3}, "stack": {}})
    told = str(caught.value)
    for mistake in ("svr.C: given -1", "random_forest.depth: given 3", "stack: not an algorithm for an ensemble"):
        assert mistake in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "stacking", "weights": {"svr": 1, "xgboost": 1}}, "weights are for the method 'weighted'"),
        ({"method": "weighted", "weights": {"svr": 1}}, "weights are of svr; the members are svr, xgboost"),
        ({"method": "weighted", "weights": {"svr": 0, "xgboost": 0}}, "every weight is 0"),
        ({"method": "weighted", "weights": {"svr": -1, "xgboost": 1}}, "greater than or equal to 0"),
    ],
)
def test_weights_that_nothing_can_be_made_of_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EnsembleHyperparameters(members={"svr": {}, "xgboost": {}}, **given)


def test_weights_that_are_given_go_without_the_default_grid_which_tries_stacking() -> None:
    hyperparameters = {"method": "weighted", "weights": {"linear_regression": 1, "random_forest": 3}}
    for given in (hyperparameters, EnsembleHyperparameters.model_validate(hyperparameters)):
        settings = EnsembleSettings.model_validate({"enabled": True, "hyperparameters": given})
        assert settings.grid == {}
        assert settings.hyperparameters.weights == hyperparameters["weights"]
        assert settings.with_lanes({}).hyperparameters.weights == hyperparameters["weights"]
    assert EnsembleSettings.model_validate({"hyperparameters": {"method": "weighted"}}).grid
    with pytest.raises(ValidationError, match=r"grid\.method: given 'stacking'"):
        EnsembleSettings.model_validate({"hyperparameters": hyperparameters, "grid": {"method": ["stacking"]}})


def test_members_take_from_their_lanes_what_is_not_given() -> None:
    lanes = {"random_forest": RandomForestHyperparameters(numTrees=7, maxDepth=4)}
    grid = {"members": [{"random_forest": {}, "svr": {}}, {"random_forest": {"numTrees": 9}, "svr": {}}]}
    given = {"members": {"random_forest": {"maxDepth": 2}, "linear_regression": {}}}
    settings = EnsembleSettings.model_validate({"hyperparameters": given, "grid": grid}).with_lanes(lanes)
    assert isinstance(settings.hyperparameters, EnsembleHyperparameters)
    members = settings.hyperparameters.validated
    assert members["random_forest"] == RandomForestHyperparameters(numTrees=7, maxDepth=2)
    assert members["linear_regression"] == LinearRegressionHyperparameters()
    points = grid_points(settings.hyperparameters, settings.grid)
    assert [point.members["random_forest"]["numTrees"] for point in points] == [7, 9]
    assert [point.members["random_forest"]["maxDepth"] for point in points] == [4, 4]
    asked = settings.requested({"members": {"random_forest": {}, "svr": {"C": 3}}})
    assert isinstance(asked, EnsembleHyperparameters)
    assert asked.validated == {"random_forest": lanes["random_forest"], "svr": SVRHyperparameters(C=3)}


def test_ensembles_that_are_alike_count_as_one() -> None:
    """Searches that draw keep each point once, by its hash."""
    one, same = (EnsembleHyperparameters(members={"svr": {"C": 2}, "xgboost": {}}) for _ in range(2))
    assert len({one, same, EnsembleHyperparameters()}) == 2
