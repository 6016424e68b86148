"""Penalties of linear regression by name."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.linear_regression import PENALTIES, LinearRegressionSettings
from traffic_assets_tests.settings.problems import texts


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_sets_missing_hyperparameters(name: str) -> None:
    settings = LinearRegressionSettings.model_validate({"penalty": name})
    expected = {"none": (0.0, 0.0), "ridge": (0.01, 0.0), "lasso": (0.01, 1.0), "elastic_net": (0.01, 0.5)}[name]
    assert (settings.hyperparameters.regParam, settings.hyperparameters.elasticNetParam) == expected
    assert settings.grid == PENALTIES[name].grid, "a search stays within the penalty"
    for point in grid_points(settings.hyperparameters, settings.grid):
        assert PENALTIES[name].allows(point.regParam, point.elasticNetParam)
    again = LinearRegressionSettings.model_validate(settings.model_dump())
    assert again == settings
    assert LinearRegressionSettings().penalty is None


def test_hyperparameters_that_are_set_with_a_penalty_are_kept() -> None:
    content = {"penalty": "elastic_net", "hyperparameters": {"regParam": 0.3, "elasticNetParam": 0.9, "maxIter": 7}}
    settings = LinearRegressionSettings.model_validate(content | {"grid": {"elasticNetParam": [0.1]}})
    assert settings.hyperparameters.model_dump(exclude={"fitIntercept"}) == content["hyperparameters"]
    assert settings.grid == {"elasticNetParam": [0.1]}


@pytest.mark.parametrize(
    ("content", "penalty", "section", "reg_param", "elastic_net_param"),
    [
        ({"hyperparameters": {"elasticNetParam": 0.3}}, "lasso", "hyperparameters", 0.01, 0.3),
        ({"hyperparameters": {"regParam": 0.1}}, "none", "hyperparameters", 0.1, 0),
        ({"hyperparameters": {"regParam": 0}}, "ridge", "hyperparameters", 0, 0),
        ({"hyperparameters": {"elasticNetParam": 1}}, "elastic_net", "hyperparameters", 0.01, 1),
        ({"grid": {"elasticNetParam": [0, 0.5]}}, "ridge", "grid.elasticNetParam", 0.01, 0.5),
        ({"grid": {"elasticNetParam": {"low": 0.5, "high": 1}}}, "lasso", "grid.elasticNetParam", 0.01, 0.5),
    ],
)
def test_values_that_contradict_a_penalty_are_refused(
    content: dict[str, Any], penalty: str, section: str, reg_param: float, elastic_net_param: float
) -> None:
    with pytest.raises(ValidationError) as caught:
        LinearRegressionSettings.model_validate({"penalty": penalty, **content})
    (text,) = texts(caught.value)
    assert text.code == "settings.contradicted-penalty"
    assert text.values == {
        "penalty": penalty,
        "section": section,
        "reg_param": reg_param,
        "elastic_net_param": elastic_net_param,
        "rule": PENALTIES[penalty].rule,
    }


def test_an_unknown_penalty_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        LinearRegressionSettings.model_validate({"penalty": "lassoo"})
    (text,) = texts(caught.value)
    assert text.code == "settings.invalid-choice"
    assert text.values == {"given": "lassoo", "allowed": "'none', 'ridge', 'lasso' or 'elastic_net'"}
