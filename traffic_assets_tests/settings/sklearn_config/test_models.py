"""Models of a scikit-learn-style configuration: names, hyperparameters, grids and members of an ensemble."""

from pathlib import Path
from typing import Any, cast

import pytest

from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.sklearn_config.tables import MODEL_NAMES
from traffic_assets.settings.sklearn_config.translation import translate
from traffic_assets_tests.settings.problems import problems, write
from traffic_assets_tests.settings.sklearn_config.files import load, refusal, translation_warnings
from traffic_assets_tests.tiny import LANES


@pytest.mark.parametrize(
    ("model", "name", "value", "code"),
    [
        ("random_forest", "n_jobs", 4, "sklearn-config.n-jobs-not-available"),
        ("random_forest", "min_samples_split", 4, "sklearn-config.min-samples-split-not-available"),
        ("random_forest", "max_leaf_nodes", 4, "sklearn-config.max-leaf-nodes-not-available"),
        ("random_forest", "warm_start", True, "sklearn-config.warm-start-not-available"),
        ("random_forest", "n_estimators", 0, "settings.out-of-range"),
        ("random_forest", "bootstrap", False, "sklearn-config.bootstrap-not-available"),
        ("random_forest", "criterion", "absolute_error", "sklearn-config.criterion-not-available"),
        ("linear_regression", "positive", True, "sklearn-config.positive-not-available"),
        ("linear_regression", "copy_X", False, "sklearn-config.copy-x-not-available"),
        ("gradient_boosting", "n_iter_no_change", 5, "sklearn-config.n-iter-no-change-not-available"),
        ("gradient_boosting", "validation_fraction", 0.2, "sklearn-config.validation-fraction-not-available"),
    ],
)
def test_an_unsupported_hyperparameter_is_refused(tmp_path: Path, model: str, name: str, value: Any, code: str) -> None:
    text = refusal(tmp_path, {"models": {model: {"hyperparameters": {name: value}}}})
    assert (text.code, text.values["given"]) == (code, value)
    assert text.values["path"] == f"models.{model}.hyperparameters.{name}"


def test_unknown_hyperparameters_are_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, {"models": {"random_forest": {"hyperparameters": {"size": 10}}}})
    assert (text.code, text.values["path"]) == ("settings.unknown-key", "models.random_forest.hyperparameters.size")
    text = refusal(tmp_path, {"models": {"xgboost": {"hyperparameters": {"n_iter_no_change": 5}}}})
    assert text.code == "settings.unknown-key"
    assert "n_estimators" in text.values["allowed"]


def test_a_hyperparameter_under_two_names_is_refused(tmp_path: Path) -> None:
    hyperparameters = {"n_estimators": 10, "numTrees": 10}
    text = refusal(tmp_path, {"models": {"random_forest": {"hyperparameters": hyperparameters}}})
    assert text.code == "sklearn-config.duplicate-hyperparameter"
    path = "models.random_forest.hyperparameters.numTrees"
    assert text.values == {"path": path, "name": "numTrees", "given": 10}


def test_scikit_learns_own_defaults_are_accepted(tmp_path: Path) -> None:
    hyperparameters = {
        "n_jobs": None,
        "min_samples_split": 2,
        "max_leaf_nodes": None,
        "warm_start": False,
        "criterion": "mse",
    }
    boosted = {"n_iter_no_change": None, "n_estimators": 9}
    models = {"random_forest": {"hyperparameters": hyperparameters}, "gradient_boosting": {"hyperparameters": boosted}}
    assert list(load(tmp_path, {"models": models}).enabled_models) == ["random_forest", "gradient_boosted_trees"]
    reported = {
        values["path"].rpartition(".")[2]: code for code, values in translation_warnings({"models": models}).items()
    }
    names = [*hyperparameters, "n_iter_no_change"]
    assert reported == {name: f"sklearn-config.{name.replace('_', '-')}-has-no-effect" for name in names}


@pytest.mark.parametrize("section", ["hyperparameters", "hyperparameter_grid"])
def test_a_hyperparameter_without_effect_is_reported(tmp_path: Path, section: str) -> None:
    hyperparameters = {"bootstrap": True, "criterion": "squared_error", "n_estimators": 7}
    forest = {
        section: {name: [value] for name, value in hyperparameters.items()}
        if section.endswith("grid")
        else hyperparameters
    }
    settings = load(tmp_path, {"models": {"random_forest": forest}}).models.random_forest
    assert (
        (settings.grid == {"numTrees": [7]}) if section.endswith("grid") else (settings.hyperparameters.numTrees == 7)
    )
    assert translation_warnings({"models": {"random_forest": forest}}) == {
        f"sklearn-config.{name}-has-no-effect": {"path": f"models.random_forest.{section}.{name}"}
        for name in ("bootstrap", "criterion")
    }


def test_an_empty_list_for_a_hyperparameter_without_effect_is_reported() -> None:
    forest: dict[str, Any] = {"hyperparameter_grid": {"criterion": []}}
    path = "models.random_forest.hyperparameter_grid.criterion"
    assert translation_warnings({"models": {"random_forest": forest}}) == {
        "sklearn-config.no-values": {"path": path, "name": "criterion"}
    }


def test_a_grid_with_unsupported_values_is_refused_once(tmp_path: Path) -> None:
    forest = {"hyperparameter_grid": {"warm_start": [False, True, 1], "n_estimators": [5]}}
    layer = translate({"models": {"random_forest": forest}})
    assert [text.code for text in layer.problems] == ["sklearn-config.warm-start-not-available"]
    assert layer.warnings == []


def test_a_grid_keeps_the_order_of_its_file() -> None:
    """Check the order, in which searches try points."""
    grid = {"n_estimators": [1], "minInstancesPerNode": [2], "max_depth": [3]}
    forest = translate({"models": {"random_forest": {"hyperparameter_grid": grid}}}).content["models"]["random_forest"]
    assert list(forest["grid"]) == ["numTrees", "minInstancesPerNode", "maxDepth"]


@pytest.mark.parametrize(
    ("section", "current"),
    [
        ({"tune": False, "hyperparameter_tuning": True}, "tune"),
        ({"grid": {"maxDepth": [3]}, "hyperparameter_grid": {"n_estimators": [7]}}, "grid"),
    ],
)
def test_two_names_of_one_key_are_refused_if_they_differ(tmp_path: Path, section: dict[str, Any], current: str) -> None:
    (alternative,) = set(section) - {current}
    text = refusal(tmp_path, {"models": {"gradient_boosting": section}})
    assert text.code == "sklearn-config.conflict"
    assert text.values == {
        "path": f"models.gradient_boosting.{alternative}",
        "given": section[alternative],
        "other": f"models.gradient_boosting.{current}",
        "value": section[current],
        "setting": f"models.gradient_boosted_trees.{current}",
    }
    same = {current: section[alternative], alternative: section[alternative]}
    load(tmp_path, {"models": {"gradient_boosting": {"grid": {"n_estimators": [7]}} | same}})


def test_members_of_an_ensemble_can_have_scikit_learns_names(tmp_path: Path) -> None:
    members = {"random_forest": {"n_estimators": 7, "max_depth": None}, "gbt": {"learning_rate": 0.3}}
    more = {**members, "linear_regression": {"alpha": 0.5}}
    ensemble = {"hyperparameters": {"members": members}, "hyperparameter_grid": {"members": [members, more]}}
    loaded = load(tmp_path, {"models": {"ensemble": {"enabled": True, **ensemble}}}).models.ensemble
    weighted = {"members": members, "method": "weighted", "weights": {"random_forest": 1, "gbt": 2}}
    grid = {"weights": [{"random_forest": 1, "gbt": 3}, None]}
    weighted_ensemble = {"enabled": True, "hyperparameters": weighted, "hyperparameter_grid": grid}
    other = load(tmp_path, {"models": {"ensemble": weighted_ensemble}}).models.ensemble
    assert other.hyperparameters.weights == {"random_forest": 1, "gradient_boosted_trees": 2}
    assert other.grid["weights"] == [{"random_forest": 1, "gradient_boosted_trees": 3}, None]
    first, second = cast(list[Any], loaded.grid["members"])
    for tried in (loaded.hyperparameters.members, first):
        assert (tried["random_forest"]["numTrees"], tried["random_forest"]["maxDepth"]) == (7, 30)
        assert tried["gradient_boosted_trees"]["stepSize"] == 0.3
    assert second["linear_regression"]["regParam"] == 0.5
    wrong = {"random_forest": {"size": 7}, "svr": {}}
    text = refusal(tmp_path, {"models": {"ensemble": {"hyperparameters": {"members": wrong}}}})
    assert text.code == "settings.unknown-hyperparameter"
    assert text.values["path"] == "models.ensemble.hyperparameters.members.random_forest.size"
    seeded = {**members, "svr": {"random_state": 11}}
    seeded_ensemble = {"enabled": True, "hyperparameters": {"members": seeded}}
    assert load(tmp_path, {"models": {"ensemble": seeded_ensemble}}).training.seed == 11
    in_grid = {"enabled": True, "hyperparameter_grid": {"members": [seeded]}}
    text = refusal(tmp_path, {"models": {"ensemble": in_grid}})
    assert (text.code, text.values["given"]) == ("sklearn-config.seed-in-grid", 11)
    assert text.values["path"].endswith("members.0.svr.random_state")
    both: dict[str, Any] = {"gbt": {}, "gradient_boosting": {}}
    texts = problems(write(tmp_path / "config.json", {"models": {"ensemble": {"hyperparameters": {"members": both}}}}))
    assert ("sklearn-config.duplicate-member", "gradient_boosted_trees") in [
        (text.code, text.values.get("name")) for text in texts
    ]


def test_two_sections_of_one_model_are_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, {"models": {"gbt": {}, "gradient_boosted_trees": {}}})
    assert (text.code, text.values) == (
        "sklearn-config.duplicate-model",
        {"path": "models.gbt", "model": "gradient_boosted_trees"},
    )


@pytest.mark.parametrize(
    "models",
    [
        {"gradient_boosting": {"hyperparameters": {"loss": {"a": 1}}}},
        {"gradient_boosting": {"hyperparameters": {"loss": ["a"]}}},
        {"gradient_boosting": {"hyperparameter_grid": {"loss": [["a"]]}}},
        {"gradient_boosting": {"hyperparameter_grid": {"loss": {"low": 1, "high": 2}}}},
        {
            "svr": {"enabled": True},
            "ensemble": {"hyperparameters": {"members": {"gbt": {"loss": {"a": 1}}, "svr": {}}}},
        },
        {"random_forest": {"hyperparameters": {"criterion": {"a": 1}}}},
        {"random_forest": {"hyperparameter_grid": {"bootstrap": [["a"]]}}},
    ],
)
def test_values_of_a_wrong_type_are_one_error(tmp_path: Path, models: dict[str, Any]) -> None:
    assert len(problems(write(tmp_path / "config.json", {"models": models}))) == 1


@pytest.mark.parametrize(
    ("key", "current"),
    [("squared_error", "squared"), ("ls", "squared"), ("absolute_error", "absolute"), ("lad", "absolute")],
)
def test_losses_of_boosting_can_have_scikit_learns_names(tmp_path: Path, key: str, current: str) -> None:
    settings = load(tmp_path, {"models": {"gradient_boosting": {"hyperparameters": {"loss": key}}}})
    assert settings.models.gradient_boosted_trees.hyperparameters.lossType == current


@pytest.mark.parametrize("section", ["hyperparameters", "hyperparameter_grid"])
@pytest.mark.parametrize(("alpha", "reported"), [(0.3, True), (0, False), (0.0, False)])
def test_an_alpha_other_than_0_is_reported(section: str, alpha: float, reported: bool) -> None:
    configured = [0.0, alpha] if section == "hyperparameter_grid" else alpha
    path = f"models.linear_regression.{section}.alpha"
    expected = {"sklearn-config.alpha": {"path": path, "given": alpha}} if reported else {}
    assert translation_warnings({"models": {"linear_regression": {section: {"alpha": configured}}}}) == expected
    assert translation_warnings({"models": {"linear_regression": {"hyperparameters": {"regParam": 0.3}}}}) == {}


@pytest.mark.parametrize("model", ["random_forest", "gradient_boosting"])
@pytest.mark.parametrize(
    ("max_features", "current"),
    [
        ("auto", "all"),
        (None, "all"),
        (1.0, "1.0"),
        (1, "1"),
        (7, "7"),
        (0.5, "0.5"),
        ("sqrt", "sqrt"),
        ("log2", "log2"),
    ],
)
def test_max_features_means_what_it_means_in_scikit_learns_regressors(
    tmp_path: Path, model: str, max_features: Any, current: str
) -> None:
    """Check that 1.0 means all features and 1 means one, in MLlib as in scikit-learn."""
    section = {
        "hyperparameters": {"max_features": max_features},
        "hyperparameter_grid": {"max_features": ["sqrt", max_features]},
    }
    settings = load(tmp_path, {"models": {model: section}}).models.get_sections()[MODEL_NAMES.get(model, model)]
    tried = [settings.hyperparameters, *grid_points(settings.hyperparameters, settings.grid)]
    assert [h.model_dump()["featureSubsetStrategy"] for h in tried] == [current, "sqrt", current]
    warnings = translate({"models": {model: section}}).warnings
    paths = [f"models.{model}.{key}.max_features" for key in section]
    assert [(text.code, text.values["path"]) for text in warnings] == [
        ("sklearn-config.auto-max-features", path) for path in (paths if max_features == "auto" else [])
    ]


def test_auto_under_the_current_name_stays_mllibs(tmp_path: Path) -> None:
    forest = {"hyperparameters": {"n_estimators": 9, "featureSubsetStrategy": "auto"}}
    settings = load(tmp_path, {"models": {"random_forest": forest}}).models.random_forest
    assert settings.hyperparameters.featureSubsetStrategy == "auto"
    assert translation_warnings({"models": {"random_forest": forest}}) == {}


def test_scikit_learns_names_of_every_model(tmp_path: Path) -> None:
    sections = {
        "linear_regression": {
            "hyperparameters": {"alpha": 0.5, "l1_ratio": 1.0, "max_iter": 7, "fit_intercept": False}
        },
        "random_forest": {
            "hyperparameters": {
                "n_estimators": 7, "max_depth": None, "min_samples_leaf": 3, "max_features": None, "max_samples": None,
            }
        },
        "gradient_boosting": {
            "hyperparameters": {"n_estimators": 9, "learning_rate": 0.3, "subsample": 0.5, "max_features": "sqrt"},
            "hyperparameter_grid": {"learning_rate": [0.1, 0.2]},
        },
    }  # fmt: skip
    models = load(tmp_path, {"models": sections}).models
    linear, forest, boosted = (getattr(models, name).hyperparameters for name in LANES)
    assert (linear.regParam, linear.elasticNetParam, linear.maxIter, linear.fitIntercept) == (0.5, 1.0, 7, False)
    assert (forest.numTrees, forest.maxDepth, forest.minInstancesPerNode) == (7, 30, 3)
    assert (forest.featureSubsetStrategy, forest.subsamplingRate) == ("all", 1.0)
    assert (boosted.maxIter, boosted.stepSize, boosted.subsamplingRate) == (9, 0.3, 0.5)
    assert boosted.featureSubsetStrategy == "sqrt"
    assert models.gradient_boosted_trees.grid == {"stepSize": [0.1, 0.2]}
