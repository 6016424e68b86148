"""Hyperparameters are checked by name and range, and so is every value of a search grid."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.hyperparameters import (
    GradientBoostedTreesHyperparameters,
    GradientBoostedTreesSettings,
    LinearRegressionHyperparameters,
    LinearRegressionSettings,
    RandomForestHyperparameters,
    RandomForestSettings,
)

LINEAR, FOREST, BOOSTED = (
    LinearRegressionHyperparameters,
    RandomForestHyperparameters,
    GradientBoostedTreesHyperparameters,
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
