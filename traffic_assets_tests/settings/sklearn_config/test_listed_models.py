"""Models that a scikit-learn-style configuration lists, and its linear regression without a penalty."""

from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import load_settings
from traffic_assets_tests.settings.problems import write
from traffic_assets_tests.settings.sklearn_config.files import load, load_over_the_file


@pytest.mark.parametrize(
    ("linear", "strength"),
    [
        ({"hyperparameters": {"fit_intercept": True}}, 0.0),
        ({"hyperparameters": {"fit_intercept": True, "alpha": 0.3}}, 0.3),
        ({"hyperparameters": {"fit_intercept": True, "regParam": 0.2}}, 0.2),
        ({"hyperparameters": {"fit_intercept": True}, "penalty": "ridge"}, 0.01),
        ({"hyperparameter_grid": {"alpha": [0.1, 1.0]}}, 0.01),
        ({"hyperparameters": {"l1_ratio": 0.5}}, 0.01),
        ({"hyperparameters": {"maxIter": 9}}, 0.01),
    ],
)
def test_linear_regression_has_no_penalty_as_in_scikit_learn(
    tmp_path: Path, linear: dict[str, Any], strength: float
) -> None:
    settings = load(tmp_path, {"models": {"linear_regression": linear}}).models.linear_regression
    assert settings.hyperparameters.regParam == strength


@pytest.mark.parametrize(
    "configuration",
    [
        {"data": {"train_ratio": 0.7, "val_ratio": 0.1, "test_ratio": 0.2}},
        {"training": {"cross_validation": {"folds": 3}}},
        {"evaluation": {"generate_plots": True}},
    ],
)
def test_a_file_with_any_scikit_learn_key_lists_the_models_that_run(
    tmp_path: Path, configuration: dict[str, Any]
) -> None:
    settings = load(tmp_path, configuration | {"models": {"random_forest": {"enabled": True}}})
    assert list(settings.enabled_models) == ["random_forest"]
    assert len(load(tmp_path, configuration).enabled_models) == 3, "it lists none"
    assert len(load(tmp_path, {"models": {"random_forest": {"enabled": True}}}).enabled_models) == 3, "current keys"


def _unlisted(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about models that are off."""
    return [message for message in caplog.messages if message.startswith("[sklearn-config.unlisted-models] ")]


@pytest.mark.parametrize(
    ("configuration", "off", "key"),
    [
        (
            {"models": {"random_forest": {"hyperparameters": {"maxDepth": 5, "n_estimators": 9}}}},
            "linear_regression, gradient_boosted_trees",
            "models.random_forest.hyperparameters.n_estimators",
        ),
        ({"models": {"linear_regression": {}, "gbt": {}}}, "random_forest", "models.gbt"),
        (
            {"models": {"linear_regression": {}, "random_forest": {"hyperparameter_tuning": True}}},
            "gradient_boosted_trees",
            "models.random_forest.hyperparameter_tuning",
        ),
        (
            {"models": {"random_forest": {}}, "training": {"folds": 3, "primary_metric": "mae"}},
            "linear_regression, gradient_boosted_trees",
            "training.primary_metric",
        ),
    ],
)
@pytest.mark.parametrize("base", [{}, {"extends": "local"}])
def test_models_that_a_scikit_learn_key_turns_off_are_reported_with_it(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    configuration: dict[str, Any],
    off: str,
    key: str,
    base: dict[str, str],
) -> None:
    load(tmp_path, base | configuration)
    (message,) = _unlisted(caplog)
    assert f"({off})" in message
    assert f" {key} " in message


def test_models_that_are_off_or_on_for_another_reason_are_not_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metric: dict[str, Any] = {"training": {"primary_metric": "mae"}}
    off: dict[str, Any] = {"enabled": False}
    load(tmp_path, metric)
    load(tmp_path, {"models": {"random_forest": {}}})
    load(tmp_path, metric | {"models": {"random_forest": {}, "linear_regression": off, "gradient_boosted_trees": {}}})
    switched = {"TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__ENABLED": "true"}
    load_over_the_file(tmp_path, {"training": {"folds": 3}}, environ=switched)
    assert _unlisted(caplog) == []


def test_the_reported_key_is_in_the_first_file_that_lists_models(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_over_the_file(tmp_path, {"evaluation": {"metrics": ["rmse", "mae", "mape", "r2"]}, "models": {"xgboost": {}}})
    (message,) = _unlisted(caplog)
    assert "(gradient_boosted_trees)" in message
    assert " data.train_ratio " in message
    caplog.clear()
    write(tmp_path / "base.json", {"training": {"primary_metric": "mae"}})
    lists = {"extends": "base.json", "models": {"random_forest": {"hyperparameters": {"n_estimators": 9}}}}
    load_settings(write(tmp_path / "top.json", lists), environ={})
    (message,) = _unlisted(caplog)
    assert " models.random_forest.hyperparameters.n_estimators " in message


@pytest.mark.parametrize(("linear", "penalty"), [({}, 0.0), ({"alpha": 0.5}, 0.5)])
@pytest.mark.parametrize("listed", [True, False])
def test_a_linear_member_has_no_penalty_by_default(
    tmp_path: Path, linear: dict[str, Any], penalty: float, listed: bool
) -> None:
    members = {"linear_regression": linear, "random_forest": {"n_estimators": 5}}
    models = {"ensemble": {"enabled": True, "hyperparameters": {"members": members}}}
    settings = load(tmp_path, {"models": {**models, **({"linear_regression": {}} if listed else {})}})
    assert ("linear_regression" in settings.enabled_models) is listed
    assert settings.models.ensemble.hyperparameters.members["linear_regression"]["regParam"] == penalty
