"""Hyperparameters and grids, validated by name and range, and default thresholds of sections."""

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import ModelSettings, Range, grid_points
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
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.settings.problems import texts

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
        assert {error["loc"][:1] for error in caught.value.errors()} == {(name,)}


@pytest.mark.parametrize("kind", [FOREST, BOOSTED])
def test_features_tried_at_a_split(kind: Any) -> None:
    for text in ("auto", "all", "onethird", "sqrt", "log2", "0.8", ".5", "1.0", "7"):
        assert kind(featureSubsetStrategy=text).featureSubsetStrategy == text
    assert kind(featureSubsetStrategy=0.8).featureSubsetStrategy == "0.8"  # as JSON and the environment contain it
    assert kind(featureSubsetStrategy=7).featureSubsetStrategy == "7"
    for wrong in ("half", "0", "0.0", "1.5", "-1", "", True, None):
        with pytest.raises(ValidationError):
            kind(featureSubsetStrategy=wrong)


def test_defaults() -> None:
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
        with pytest.raises(ValidationError) as caught:
            kind.model_validate({"max_depth": 3})
        assert [(e["type"], e["loc"]) for e in caught.value.errors()] == [("extra_forbidden", ("max_depth",))]
    with pytest.raises(ValidationError) as caught:
        GradientBoostedTreesSettings.model_validate({"hyperparameters": {"numTrees": 5}})
    assert [e["loc"] for e in caught.value.errors()] == [("hyperparameters", "numTrees")]


def test_every_wrong_entry_of_a_grid_is_named() -> None:
    grid = {"numTrees": [50, 0, "x"], "maxDepth": [], "stepSize": [0.1], "maxBins": [32]}
    with pytest.raises(ValidationError) as caught:
        RandomForestSettings(grid=grid)
    result = [
        (e["loc"], text.code, text.values) for e, text in zip(caught.value.errors(), texts(caught.value), strict=True)
    ]
    assert result == [
        (("grid", "numTrees", 1), "settings.out-of-range", {"given": 0, "limit": "a number of at least 1"}),
        (
            ("grid", "numTrees", 2),
            "settings.invalid-type",
            {"given": "x", "type": "a valid integer, unable to parse string as an integer"},
        ),
        (("grid", "maxDepth"), "settings.empty-grid-values", {"name": "maxDepth"}),
        (
            ("grid", "stepSize"),
            "settings.unknown-hyperparameter",
            {"name": "stepSize", "allowed": list(RandomForestHyperparameters.model_fields)},
        ),
    ]


def test_a_grid_in_range_is_kept() -> None:
    assert RandomForestSettings(grid={"maxDepth": [1, 30]}).grid == {"maxDepth": [1, 30]}
    assert LinearRegressionSettings(tune=True, grid={}).grid == {}


def test_integers_are_known_by_their_type() -> None:
    assert {n for n in RandomForestHyperparameters.model_fields if RandomForestHyperparameters.is_integer(n)} == {
        "numTrees", "maxDepth", "maxBins", "minInstancesPerNode"
    }  # fmt: skip
    assert XGBoostHyperparameters.is_integer("early_stopping_rounds"), "or null"
    assert not LinearRegressionHyperparameters.is_integer("fitIntercept")


@pytest.mark.parametrize(
    ("name", "low", "high", "code", "refused"),
    [
        ("maxIter", 1.5, 9, "settings.invalid-type", 1.5),
        ("maxIter", 0, 9, "settings.out-of-range", 0),
        ("elasticNetParam", 0.5, 2, "settings.out-of-range", 2),
        ("fitIntercept", 0, 1, "settings.invalid-type", 0.5),
    ],
)
def test_a_range_with_a_value_that_is_not_allowed_is_refused(
    name: str, low: float, high: float, code: str, refused: float
) -> None:
    with pytest.raises(ValidationError) as caught:
        LinearRegressionSettings.model_validate({"grid": {name: {"low": low, "high": high}}})
    assert (code, refused) in [(text.code, text.values["given"]) for text in texts(caught.value)]
    assert {error["loc"] for error in caught.value.errors()} == {("grid", name)}


@pytest.mark.parametrize(
    ("range_", "code", "values"),
    [
        ({"low": 1, "high": 0.5}, "settings.range-out-of-order", {"low": 1, "high": 0.5}),
        ({"low": 0, "high": 1, "log": True}, "settings.logarithmic-range-at-zero", {"low": 0}),
    ],
)
def test_a_range_without_values_is_refused(range_: dict[str, Any], code: str, values: dict[str, float]) -> None:
    with pytest.raises(ValidationError) as caught:
        Range.model_validate(range_)
    (text,) = texts(caught.value)
    assert (text.code, text.values) == (code, values)


def test_a_grid_search_over_a_range_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        grid_points(RandomForestHyperparameters(), {"numTrees": [1, 2], "maxDepth": Range(low=2, high=5)})
    assert get_code(caught.value) == "settings.range-in-grid-search"
    assert get_values(caught.value) == {"settings": ["grid.maxDepth"]}


class _Current(ModelSettings):
    thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.7)


class _Old(ModelSettings):
    targets: ClassVar[GateThresholds] = GateThresholds(r2_min=0.7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("section", [_Current, _Old])
def test_a_section_has_its_thresholds_under_the_current_or_the_old_name(section: type[ModelSettings]) -> None:
    class Heir(section):  # type: ignore[valid-type,misc]
        pass

    assert section.default_thresholds() == Heir.default_thresholds() == GateThresholds(r2_min=0.7)
    assert ModelSettings.default_thresholds() == GateThresholds()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_last_class_with_thresholds_decides_under_either_name() -> None:
    class New(_Old):
        thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.8)

    class Older(_Current):
        targets: ClassVar[Any] = {"r2_min": 0.9}

    assert New.default_thresholds().r2_min == 0.8
    assert Older.default_thresholds().r2_min == 0.9, "set as a mapping"
    Older.targets = GateThresholds(r2_min=0.6)
    assert Older.default_thresholds().r2_min == 0.6, "assigned after the class was created"
    New.targets = GateThresholds(r2_min=0.6)
    with pytest.raises(TypeError) as caught:
        New.default_thresholds()
    assert get_code(caught.value) == "settings.both-names"
    assert get_values(caught.value) == {"old": "New.targets", "new": "New.thresholds"}


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
    with pytest.warns(DeprecationWarning) as warned:
        _Old.default_thresholds()
        assert RandomForestSettings.targets == RandomForestSettings.thresholds
    values = [get_values(warning.message) for warning in warned if isinstance(warning.message, Warning)]
    assert values == [
        {"old": f"{name}.targets", "new": f"{name}.thresholds"} for name in ("_Old", "RandomForestSettings")
    ]
