"""Hyperparameters are checked by name and range, as is every value of a search grid; sections have thresholds."""

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import ModelSettings
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters
from traffic_assets.settings.models.gradient_boosted_trees import (
    GradientBoostedTreesHyperparameters,
    GradientBoostedTreesSettings,
)
from traffic_assets.settings.models.linear_regression import (
    LinearRegressionHyperparameters,
    LinearRegressionSettings,
)
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters, RandomForestSettings
from traffic_assets.settings.models.svr import SVRHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters

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


class _Current(ModelSettings):
    thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.7)


class _Old(ModelSettings):
    targets: ClassVar[GateThresholds] = GateThresholds(r2_min=0.7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("section", [_Current, _Old])
def test_a_section_gives_its_thresholds_under_the_current_or_the_old_name(section: type[ModelSettings]) -> None:
    class Heir(section):  # type: ignore[valid-type,misc]
        pass

    assert section.default_thresholds() == Heir.default_thresholds() == GateThresholds(r2_min=0.7)
    assert ModelSettings.default_thresholds() == GateThresholds()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_last_class_that_gives_thresholds_decides_under_either_name() -> None:
    class New(_Old):
        thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.8)

    class Older(_Current):
        targets: ClassVar[Any] = {"r2_min": 0.9}

    assert New.default_thresholds().r2_min == 0.8
    assert Older.default_thresholds().r2_min == 0.9, "given as a mapping"
    Older.targets = GateThresholds(r2_min=0.6)
    assert Older.default_thresholds().r2_min == 0.6, "assigned after the class was made"
    New.targets = GateThresholds(r2_min=0.6)
    with pytest.raises(TypeError, match=r"New\.targets: the old name of thresholds, and both are given"):
        New.default_thresholds()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_thresholds_that_cannot_be_read_are_refused_by_the_name_of_the_attribute() -> None:
    class Misspelled(ModelSettings):
        targets: ClassVar[Any] = {"r2": 0.7}

    class Number(ModelSettings):
        thresholds: ClassVar[Any] = 0.7

    with pytest.warns(UserWarning, match="shadows an attribute"):

        class AsField(ModelSettings):
            targets: GateThresholds = GateThresholds(r2_min=0.7)  # type: ignore[misc]

    for section, problem in (
        (Misspelled, r"Misspelled\.targets\.r2: Extra inputs are not permitted"),
        (Number, r"Number\.thresholds: .*Expected GateThresholds"),
        (AsField, r"AsField\.targets is a field. Expected ClassVar\[GateThresholds\]"),
    ):
        with pytest.raises(TypeError, match=problem):
            section.default_thresholds()


def test_the_old_name_of_the_thresholds_works_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"_Old\.targets is now _Old\.thresholds"):
        _Old.default_thresholds()
    with pytest.warns(DeprecationWarning, match=r"RandomForestSettings\.targets is now .*\.thresholds"):
        assert RandomForestSettings.targets == RandomForestSettings.thresholds
