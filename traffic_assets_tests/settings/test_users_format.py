"""The users' earlier configuration works as it is; every key acts, is told, or is refused."""

import copy
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.features.catalogue import feature_columns
from traffic_assets.settings import Settings, SettingsError, load_settings
from traffic_assets.settings.users_format import HYPERPARAMETER_NAMES, translate

FILE = Path(__file__).with_name("users_ml_training_config.json")


def _file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def _load(tmp_path: Path, content: dict[str, Any]) -> Settings:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    return load_settings(path, environ={})


def _with(section: str, **changes: Any) -> dict[str, Any]:
    content = copy.deepcopy(_file())
    content[section] |= changes
    return content


def test_residual_analysis_switches_slices_and_residuals(tmp_path: Path) -> None:
    found = _load(tmp_path, _with("evaluation", residual_analysis=False)).evaluation.diagnostics
    assert not found.slices
    assert not found.residuals


def test_the_file_of_the_users_plan_works_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = load_settings(FILE, environ={})
    assert found.data.kind == "features"
    assert found.source_uri == "hdfs://namenode:9000/processed_features"
    split = found.training.split
    assert (split.train, split.validation, split.test) == (0.7, 0.2, 0.1)
    assert found.training.targets == ["flow", "speed"]
    assert found.training.features is None
    assert list(found.enabled_models) == ["linear_regression", "random_forest"], "what it does not list does not run"
    forest = found.models.random_forest
    assert forest.tune
    assert (forest.hyperparameters.numTrees, forest.hyperparameters.maxDepth) == (100, 10)
    assert forest.grid == {"numTrees": [50, 100, 200], "maxDepth": [5, 10, 15, 30]}
    assert found.models.linear_regression.grid == {"fitIntercept": [True, False]}
    assert (found.training.folds, found.training.fold_kind, found.training.seed) == (5, "random", 42)
    assert found.training.parallel_training
    assert found.training.max_training_time_minutes == 120
    assert found.evaluation.primary_metric == "rmse"
    assert found.evaluation.diagnostics.interval_coverage == 0.9
    assert found.evaluation.diagnostics.slices and found.evaluation.diagnostics.residuals
    assert found.persistence.base_uri == "hdfs://namenode:9000/models"
    assert found.persistence.registry_folder == "model_registry"
    assert found.spark.app_name == "TrafficPredictionML"
    assert found.spark.config["spark.executor.memory"] == "4g"
    told = "\n".join(record.getMessage() for record in caplog.records)
    for what in ("pickle runs code", "onnx and pmml: not written yet", "null is 30", "features are standardised"):
        assert what in told


def test_every_leaf_of_the_users_file_is_looked_at() -> None:
    """Take any one key away: it was a setting, it was told, or what it says is what always happens."""
    always = {
        ("data", "feature_columns"), ("data", "time_column"), ("evaluation", "metrics"),
        ("evaluation", "generate_plots"), ("evaluation", "model_comparison"), ("persistence", "save_models"),
        ("persistence", "versioning_strategy"),
    }  # fmt: skip
    whole = translate(_file())
    for section, keys in _file().items():
        for key in keys:
            content = _file()
            del content[section][key]
            without = translate(content)
            acts = (without.content, without.told) != (whole.content, whole.told)
            assert acts != ((section, key) in always), (section, key)


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        (
            "data",
            {"target_columns": ["occupancy"]},
            "data.target_columns.0: given 'occupancy'; input should be 'speed'",
        ),
        ("data", {"time_column": 3}, "data.time_column: given 3; give the name of a column"),
        ("data", {"train_ratio": 0.8}, "train + validation + test is 1.1"),
        ("data", {"train_ratio": 1.5}, "data.train_ratio: given 1.5; input should be less than 1"),
        ("training", {"cross_validation": {"enabled": False}}, "the least is folds: 2"),
        ("training", {"cross_validation": {"shuffle": False}}, "training.fold_kind expanding or sliding"),
        ("training", {"cross_validation": {"fold": 5}}, "allowed here: enabled, folds, shuffle, random_state"),
        ("training", {"cross_validation": 5}, "give an object with folds"),
        ("training", {"cross_validation": {"folds": 1}}, "training.cross_validation.folds: given 1"),
        ("training", {"cross_validation": {"random_state": 7}}, "both mean training.seed, keep one"),
        ("training", {"primary_metric": "accuracy"}, "training.primary_metric: given 'accuracy'"),
        ("evaluation", {"metrics": ["rmse", "auc"]}, "given ['auc']; the metrics are rmse, mae, mape, r2"),
        ("evaluation", {"generate_plots": False}, "leave it out"),
        ("evaluation", {"model_comparison": False}, "materialize the models and not model_comparison"),
        ("evaluation", {"residual_analysis": "yes please"}, "evaluation.residual_analysis: given 'yes please'"),
        ("persistence", {"save_models": False}, "no registry entry"),
        ("persistence", {"versioning_strategy": "timestamp"}, "versions are semantic"),
        ("persistence", {"export_formats": ["h5"]}, "given ['h5']; the format that is written is spark"),
        ("persistence", {"model_registry_path": "../elsewhere"}, "persistence.model_registry_path"),
        ("spark", {"executors": 3}, "spark.executors: not a setting"),
        ("models", {"lstm": {"enabled": True}}, "models.lstm: not a setting"),
    ],
)
def test_what_cannot_act_is_refused_with_what_works(
    tmp_path: Path, section: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, _with(section, **changes))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("hyperparameters", "told"),
    [
        ({"n_jobs": 4}, "hyperparameters.n_jobs: given 4; Spark decides what runs at once"),
        ({"min_samples_split": 4}, "minInstancesPerNode"),
        ({"n_estimators": 0}, "models.random_forest.hyperparameters.n_estimators: given 0"),
        ({"n_estimators": 10, "numTrees": 10}, "numTrees is given twice"),
        ({"trees": 10}, "hyperparameters.trees: not a setting"),
    ],
)
def test_hyperparameters_that_cannot_act_are_refused(
    tmp_path: Path, hyperparameters: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, {"models": {"random_forest": {"hyperparameters": hyperparameters}}})
    assert told in str(refused.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    content = _with("training", cross_validation={"shuffle": False}, primary_metric="auc")
    content["persistence"]["versioning_strategy"] = "none"
    with pytest.raises(SettingsError, match=r"3 mistake\(s\)"):
        _load(tmp_path, content)


def test_scikit_learns_names_of_every_model(tmp_path: Path) -> None:
    content = {
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
    models = _load(tmp_path, {"models": content}).models
    linear, forest, boosted = (getattr(models, name).hyperparameters for name in HYPERPARAMETER_NAMES)
    assert (linear.regParam, linear.elasticNetParam, linear.maxIter, linear.fitIntercept) == (0.5, 1.0, 7, False)
    assert (forest.numTrees, forest.maxDepth, forest.minInstancesPerNode) == (7, 30, 3)
    assert (forest.featureSubsetStrategy, forest.subsamplingRate) == ("all", 1.0)
    assert (boosted.maxIter, boosted.stepSize, boosted.subsamplingRate) == (9, 0.3, 0.5)
    assert boosted.featureSubsetStrategy == "sqrt"
    assert models.gradient_boosted_trees.grid == {"stepSize": [0.1, 0.2]}


def test_a_time_column_of_another_name_becomes_an_alias(tmp_path: Path) -> None:
    assert _load(tmp_path, _with("data", time_column="measured")).data.aliases["measured"] == "timestamp"


def test_columns_that_are_named_are_the_only_features(tmp_path: Path) -> None:
    only = _load(tmp_path, _with("data", feature_columns=["hour_sin", "speed_lag_1"])).training.features
    assert [column.name for column in feature_columns(only=only)] == ["hour_sin", "speed_lag_1"]
    wrong = _load(tmp_path, _with("data", feature_columns=["hour_sine"])).training.features
    with pytest.raises(ValueError, match="no such feature: hour_sine; the features are hour_sin"):
        feature_columns(only=wrong)


def test_a_profile_in_our_own_terms_is_left_as_it_is() -> None:
    ours = {"models": {"random_forest": {"tune": True}}, "training": {"folds": 3}}
    found = translate(ours)
    assert found.content == ours
    assert not (found.told or found.refused or found.origins)
