"""Penalties of linear regression by name."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.linear_regression import PENALTIES, LinearRegressionSettings


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_by_name_sets_what_is_not_given(name: str) -> None:
    settings = LinearRegressionSettings.model_validate({"penalty": name})
    expected = {"none": (0.0, 0.0), "ridge": (0.01, 0.0), "lasso": (0.01, 1.0), "elastic_net": (0.01, 0.5)}[name]
    assert (settings.hyperparameters.regParam, settings.hyperparameters.elasticNetParam) == expected
    assert settings.grid == PENALTIES[name].grid, "a search keeps to the penalty"
    for point in grid_points(settings.hyperparameters, settings.grid):
        assert PENALTIES[name].holds(point.regParam, point.elasticNetParam)
    again = LinearRegressionSettings.model_validate(settings.model_dump())
    assert again == settings
    assert LinearRegressionSettings().penalty is None


def test_what_is_given_beside_a_penalty_stays() -> None:
    given = {"penalty": "elastic_net", "hyperparameters": {"regParam": 0.3, "elasticNetParam": 0.9, "maxIter": 7}}
    found = LinearRegressionSettings.model_validate(given | {"grid": {"elasticNetParam": [0.1]}})
    assert found.hyperparameters.model_dump(exclude={"fitIntercept"}) == given["hyperparameters"]
    assert found.grid == {"elasticNetParam": [0.1]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"penalty": "lasso", "hyperparameters": {"elasticNetParam": 0.3}},
            "'lasso' means regParam above 0 and elasticNetParam 1; hyperparameters has regParam 0.01 and "
            "elasticNetParam 0.3",
        ),
        ({"penalty": "none", "hyperparameters": {"regParam": 0.1}}, "'none' means regParam 0; hyperparameters has"),
        ({"penalty": "ridge", "hyperparameters": {"regParam": 0}}, "'ridge' means regParam above 0"),
        ({"penalty": "elastic_net", "hyperparameters": {"elasticNetParam": 1}}, "elasticNetParam between 0 and 1"),
        ({"penalty": "ridge", "grid": {"elasticNetParam": [0, 0.5]}}, "grid.elasticNetParam has regParam 0.01 and"),
        ({"penalty": "lasso", "grid": {"elasticNetParam": {"low": 0.5, "high": 1}}}, "grid.elasticNetParam has"),
        ({"penalty": "lassoo"}, "Input should be 'none', 'ridge', 'lasso' or 'elastic_net'"),
    ],
)
def test_what_contradicts_a_penalty_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LinearRegressionSettings.model_validate(given)
    assert message in str(caught.value)
