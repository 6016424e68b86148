"""Hyperparameters are checked by name and range, and so is every value of a search grid."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.hyperparameters import (
    PENALTIES,
    EnsembleHyperparameters,
    EnsembleSettings,
    GradientBoostedTreesHyperparameters,
    GradientBoostedTreesSettings,
    LinearRegressionHyperparameters,
    LinearRegressionSettings,
    RandomForestHyperparameters,
    RandomForestSettings,
    SVRHyperparameters,
    XGBoostHyperparameters,
    grid_points,
)

LINEAR, FOREST, BOOSTED, VECTORS, ENSEMBLE = (
    LinearRegressionHyperparameters,
    RandomForestHyperparameters,
    GradientBoostedTreesHyperparameters,
    SVRHyperparameters,
    EnsembleHyperparameters,
)


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        (LINEAR, "maxIter", [1, 500], [0, -1, 1.5, "many"]),
        (LINEAR, "regParam", [0, 10.0], [-0.01]),
        (LINEAR, "elasticNetParam", [0, 1], [-0.01, 1.01]),
        (LINEAR, "fitIntercept", [True, False], [None, "perhaps"]),
        (FOREST, "numTrees", [1, 10_000], [0, 10_001]),
        (FOREST, "maxDepth", [1, 30], [0, 31]),
        (FOREST, "maxBins", [2, 65_536], [1, 65_537]),
        (FOREST, "minInstancesPerNode", [1], [0]),
        (FOREST, "subsamplingRate", [0.01, 1], [0, 1.01]),
        (BOOSTED, "maxIter", [1, 10_000], [0, 10_001]),
        (BOOSTED, "maxDepth", [1, 30], [0, 31]),
        (BOOSTED, "stepSize", [0.001, 1], [0, 1.1]),
        (BOOSTED, "lossType", ["squared", "absolute"], ["huber"]),
        (VECTORS, "kernel", ["linear", "rbf", "poly"], ["sigmoid"]),
        (VECTORS, "C", [0.001, 1000], [0, -1]),
        (VECTORS, "epsilon", [0, 2.5], [-0.1]),
        (VECTORS, "gamma", ["scale", "auto", "0.1", "1e-05"], ["wide", "0", "-1", "nan", "inf", True, None]),
        (VECTORS, "degree", [1, 10], [0, 11]),
        (VECTORS, "max_rows", [2, 100_000], [1, 100_001]),
        (ENSEMBLE, "method", ["weighted", "stacking"], ["bagging"]),
        (ENSEMBLE, "folds", [2, 20], [1, 21]),
        (
            ENSEMBLE,
            "members",
            [{"svr": {}, "xgboost": {"n_estimators": 7}}],
            [{}, {"svr": {}}, {"svr": {}, "ensemble": {}}, {"svr": {}, "random_forest": {"maxDepth": 99}}],
        ),
    ],
)
def test_ranges(kind: Any, name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(kind(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(ValidationError) as caught:
            kind(**{name: value})
        assert [error["loc"] for error in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize("kind", [FOREST, BOOSTED])
def test_features_tried_at_a_split(kind: Any) -> None:
    for text in ("auto", "all", "onethird", "sqrt", "log2", "0.8", ".5", "1.0", "7"):
        assert kind(featureSubsetStrategy=text).featureSubsetStrategy == text
    assert kind(featureSubsetStrategy=0.8).featureSubsetStrategy == "0.8"  # as JSON and the environment give it
    assert kind(featureSubsetStrategy=7).featureSubsetStrategy == "7"
    for wrong in ("half", "0", "0.0", "1.5", "-1", "", True, None):
        with pytest.raises(ValidationError):
            kind(featureSubsetStrategy=wrong)


def test_defaults_are_the_users_plan() -> None:
    forest, boosted = RandomForestSettings().hyperparameters, GradientBoostedTreesSettings().hyperparameters
    assert (forest.numTrees, forest.maxDepth, forest.maxBins, forest.featureSubsetStrategy) == (100, 10, 32, "auto")
    assert (boosted.maxIter, boosted.maxDepth, boosted.maxBins, boosted.stepSize) == (100, 8, 32, 0.1)
    assert RandomForestSettings().grid == {
        "numTrees": [50, 100, 150],
        "maxDepth": [8, 10, 12],
        "minInstancesPerNode": [1, 2, 5],
    }
    assert not any(s().tune for s in (LinearRegressionSettings, RandomForestSettings, GradientBoostedTreesSettings))


def test_unknown_names_are_errors() -> None:
    for kind in (LINEAR, FOREST, BOOSTED):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            kind.model_validate({"max_depth": 3})
    with pytest.raises(ValidationError, match="numTrees"):
        GradientBoostedTreesSettings.model_validate({"hyperparameters": {"numTrees": 5}})


def test_every_wrong_entry_of_a_grid_is_named() -> None:
    grid = {"numTrees": [50, 0, "x"], "maxDepth": [], "stepSize": [0.1], "maxBins": [32]}
    with pytest.raises(ValidationError) as caught:
        RandomForestSettings(grid=grid)
    problems = str(caught.value.errors()[0]["ctx"]["error"]).split("; grid.")
    assert problems == [
        "grid.numTrees: given 0; Input should be greater than or equal to 1",
        "numTrees: given 'x'; Input should be a valid integer, unable to parse string as an integer",
        "maxDepth: given no values; give at least one",
        "stepSize: not a hyperparameter; allowed: numTrees, maxDepth, maxBins, minInstancesPerNode, "
        "featureSubsetStrategy, subsamplingRate",
    ]


def test_a_grid_in_range_is_kept() -> None:
    assert RandomForestSettings(grid={"maxDepth": [1, 30]}).grid == {"maxDepth": [1, 30]}
    assert LinearRegressionSettings(tune=True, grid={}).grid == {}


def test_whole_numbers_are_told_by_type() -> None:
    assert {n for n in RandomForestHyperparameters.model_fields if RandomForestHyperparameters.whole(n)} == {
        "numTrees", "maxDepth", "maxBins", "minInstancesPerNode"
    }  # fmt: skip
    assert XGBoostHyperparameters.whole("early_stopping_rounds"), "or null"
    assert not LinearRegressionHyperparameters.whole("fitIntercept")


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"maxIter": {"low": 1.5, "high": 9}}, "grid.maxIter: given 1.5"),
        ({"maxIter": {"low": 0, "high": 9}}, "grid.maxIter: given 0"),
        ({"elasticNetParam": {"low": 0.5, "high": 2}}, "grid.elasticNetParam: given 2"),
        ({"fitIntercept": {"low": 0, "high": 1}}, "grid.fitIntercept: given 0.5"),
    ],
)
def test_a_range_of_values_that_are_not_allowed_is_refused(grid: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LinearRegressionSettings.model_validate({"grid": grid})
    assert told in str(caught.value)


def test_gamma_is_a_text_also_where_json_gives_a_number() -> None:
    assert SVRHyperparameters.model_validate({"gamma": 0.1}).gamma == "0.1"
    assert SVRHyperparameters.model_validate({"gamma": 1e-5}).gamma == "1e-05"


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
        assert settings.filled({}).hyperparameters.weights == hyperparameters["weights"]
    assert EnsembleSettings.model_validate({"hyperparameters": {"method": "weighted"}}).grid
    with pytest.raises(ValidationError, match=r"grid\.method: given 'stacking'"):
        EnsembleSettings.model_validate({"hyperparameters": hyperparameters, "grid": {"method": ["stacking"]}})


def test_members_take_from_their_lanes_what_is_not_given() -> None:
    lanes = {"random_forest": RandomForestHyperparameters(numTrees=7, maxDepth=4)}
    grid = {"members": [{"random_forest": {}, "svr": {}}, {"random_forest": {"numTrees": 9}, "svr": {}}]}
    given = {"members": {"random_forest": {"maxDepth": 2}, "linear_regression": {}}}
    settings = EnsembleSettings.model_validate({"hyperparameters": given, "grid": grid}).filled(lanes)
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
