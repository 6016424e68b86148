"""A scikit-learn-style configuration used unchanged: every key takes effect, is reported or is refused."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.catalogue.lookup import feature_columns
from traffic_assets.settings import SettingsError, load_settings
from traffic_assets.settings.sklearn_config.translation import translate
from traffic_assets_tests.settings.problems import problem, problems, write
from traffic_assets_tests.settings.sklearn_config.files import (
    FILE,
    content,
    load,
    load_over_the_file,
    over_the_file,
    refusal,
    translation_warnings,
    with_changes,
)


def test_residual_analysis_switches_slices_and_residuals(tmp_path: Path) -> None:
    settings = load(tmp_path, with_changes("evaluation", residual_analysis=False)).evaluation.diagnostics
    assert not settings.slices
    assert not settings.residuals


def test_the_example_file_works_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings = load_settings(FILE, environ={})
    assert settings.data.kind == "features"
    assert settings.source_uri == "hdfs://namenode:9000/processed_features"
    split = settings.training.split
    assert (split.train, split.validation, split.test) == (0.7, 0.2, 0.1)
    assert settings.training.targets == ["flow", "speed"]
    assert settings.training.features is None
    assert list(settings.enabled_models) == ["linear_regression", "random_forest"], "unlisted models are off"
    forest = settings.models.random_forest
    assert forest.tune
    assert (forest.hyperparameters.numTrees, forest.hyperparameters.maxDepth) == (100, 10)
    assert forest.grid == {"numTrees": [50, 100, 200], "maxDepth": [5, 10, 15, 30]}
    assert settings.models.linear_regression.grid == {"fitIntercept": [True, False]}
    assert settings.models.linear_regression.hyperparameters.regParam == 0, "scikit-learn's LinearRegression"
    assert (settings.training.folds, settings.training.fold_kind, settings.training.seed) == (5, "random", 42)
    assert settings.training.parallel_training
    assert settings.training.max_training_time_minutes == 120
    assert settings.evaluation.primary_metric == "rmse"
    assert settings.evaluation.diagnostics.interval_coverage == 0.9
    assert settings.evaluation.diagnostics.slices and settings.evaluation.diagnostics.residuals
    assert settings.persistence.base_uri == "hdfs://namenode:9000/models"
    assert settings.persistence.registry_folder == "model_registry"
    assert settings.spark.app_name == "TrafficPredictionML"
    assert settings.spark.config["spark.executor.memory"] == "4g"
    for code in ("pickle-format", "unwritten-formats", "no-depth-limit", "unnormalized"):
        assert f"[sklearn-config.{code}]" in caplog.text


def _paths(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key of a file."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*above, key)
            yield from _paths(below, (*above, key))


def _without(*paths: tuple[str, ...]) -> dict[str, Any]:
    configuration = content()
    for *above, key in paths:
        at = configuration
        for section in above:
            at = at[section]
        del at[key]
    return configuration


def _acts(*paths: tuple[str, ...]) -> bool:
    whole, without = translate(content()), translate(_without(*paths))
    return (without.content, without.warnings) != (whole.content, whole.warnings)


def test_every_key_of_the_example_file_is_read() -> None:
    """Remove each key in turn: it was a setting, it was reported, or it requested the default behaviour."""
    always = {
        ("data", "feature_columns"), ("data", "time_column"), ("evaluation", "metrics"),
        ("evaluation", "generate_plots"), ("evaluation", "model_comparison"), ("persistence", "save_models"),
        ("persistence", "versioning_strategy"), ("training", "cross_validation", "enabled"),
    }  # fmt: skip
    twice = {
        ("models", "random_forest", "hyperparameters", "random_state"),
        ("training", "cross_validation", "random_state"),
    }
    assert not any(map(_acts, twice)), "one seed that is set twice"
    assert _acts(*twice)
    paths = set(_paths(content()))
    assert len(paths) > 50
    assert {path for path in paths if not _acts(path)} == always | twice


@pytest.mark.parametrize(("configured", "coverage"), [(True, 0.9), (False, None), (0.95, 0.95), (0.5, 0.5)])
def test_prediction_intervals_are_a_switch_or_a_share(
    tmp_path: Path, configured: bool | float, coverage: float | None
) -> None:
    settings = load(tmp_path, with_changes("evaluation", prediction_intervals=configured))
    assert settings.evaluation.diagnostics.interval_coverage == coverage


def test_export_formats_are_reported_because_only_sparks_is_written() -> None:
    content = {"persistence": {"export_formats": ["spark", "pickle", "onnx", "pmml"]}}
    path = "persistence.export_formats"
    assert translation_warnings(content) == {
        "sklearn-config.pickle-format": {"path": path},
        "sklearn-config.unwritten-formats": {"path": path, "formats": ["onnx", "pmml"]},
    }
    assert translation_warnings({"persistence": {"export_formats": []}}) == {
        "sklearn-config.no-export-format": {"path": path}
    }
    assert translation_warnings({"persistence": {"export_formats": ["spark"]}}) == {}


def test_an_empty_search_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    configuration = content()
    configuration["models"]["linear_regression"]["hyperparameter_grid"] = {"normalize": [True, False]}
    assert load(tmp_path, configuration).models.linear_regression.grid == {}
    assert "models.linear_regression.hyperparameter_tuning: " in caplog.text
    assert "[settings.empty-search]" in caplog.text


def test_the_size_of_executors_is_reported_for_a_local_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(tmp_path, content())
    assert "(spark.executor.memory, spark.executor.cores)" in caplog.text
    assert "[settings.executors-of-local-session]" in caplog.text
    caplog.clear()
    load(tmp_path, with_changes("spark", master="spark://spark-master:7077"))
    assert "executors-of-local-session" not in caplog.text


def test_computed_metrics_can_be_listed() -> None:
    known = ["rmse", "mae", "mape", "r2", "bias", "p95"]
    assert translation_warnings({"evaluation": {"metrics": known}}) == {}
    values = {"path": "evaluation.metrics", "known": tuple(known), "given": ["rmse", "p95"]}
    assert translation_warnings({"evaluation": {"metrics": ["rmse", "p95"]}}) == {"sklearn-config.all-metrics": values}
    installed = translate({"evaluation": {"metrics": [*known, "far"]}}, installed_metrics=["far"])
    assert not installed.warnings and not installed.problems


@pytest.mark.parametrize("base", ["local", "cluster", "seed_literal"])
def test_the_file_can_extend_every_packaged_profile(tmp_path: Path, base: str) -> None:
    settings = load(tmp_path, {"extends": base} | content())
    forest = settings.models.random_forest
    assert (forest.hyperparameters.numTrees, forest.hyperparameters.maxDepth, forest.tune) == (100, 10, True)
    assert (
        forest.hyperparameters.maxBins == load_settings(base, environ={}).models.random_forest.hyperparameters.maxBins
    )
    assert list(settings.enabled_models) == ["linear_regression", "random_forest"]
    assert settings.persistence.base_uri == "hdfs://namenode:9000/models"
    assert (settings.training.split.train, settings.training.seed) == (0.7, 42)
    assert settings.spark.config["spark.sql.shuffle.partitions"] == ("10" if base == "cluster" else "4")


def test_a_file_over_it_can_have_scikit_learns_keys_or_current_ones(tmp_path: Path) -> None:
    theirs = {"models": {"random_forest": {"hyperparameters": {"n_estimators": 7, "random_state": 5}}}}
    ours = {"training": {"folds": 3, "seed": 6}, "models": {"random_forest": {"hyperparameters": {"numTrees": 8}}}}
    settings = load_over_the_file(tmp_path, theirs)
    assert (settings.models.random_forest.hyperparameters.numTrees, settings.training.seed) == (7, 5)
    assert list(settings.enabled_models) == ["linear_regression", "random_forest"], "both files list models"
    settings = load_over_the_file(tmp_path, theirs, ours)
    assert (settings.models.random_forest.hyperparameters.numTrees, settings.training.seed) == (8, 6)
    assert settings.training.folds == 3
    alpha = {"models": {"linear_regression": {"hyperparameters": {"alpha": 0.5}}}}
    more = {"models": {"linear_regression": {"hyperparameters": {"max_iter": 5}}, "gradient_boosting": {}}}
    settings = load_over_the_file(tmp_path, alpha, more)
    assert settings.models.linear_regression.hyperparameters.regParam == 0.5
    assert list(settings.enabled_models) == ["linear_regression", "random_forest", "gradient_boosted_trees"]


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {
        "TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__ENABLED": "true",
        "TRAFFIC_MODELS__LINEAR_REGRESSION__PENALTY": "ridge",
    }
    settings = load_settings(FILE, environ=environ)
    assert settings.models.gradient_boosted_trees.enabled
    assert settings.models.linear_regression.hyperparameters.regParam == 0.01
    dark = load_settings(FILE, environ={"TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__HYPERPARAMETERS__MAXDEPTH": "3"})
    assert not dark.models.gradient_boosted_trees.enabled


def test_an_error_has_the_path_of_the_layer_that_contains_it(tmp_path: Path) -> None:
    for name in ("numTrees", "n_estimators"):
        wrong = {"models": {"random_forest": {"hyperparameters": {name: 0}}}}
        text = problem(over_the_file(tmp_path, wrong, {"training": {"folds": 3}}))
        assert (text.code, text.values["given"]) == ("settings.out-of-range", 0)
        assert text.values["path"] == f"models.random_forest.hyperparameters.{name}"
    text = problem(
        over_the_file(tmp_path, {"persistence": {"versioning_strategy": "timestamp"}}, {"training": {"folds": 3}})
    )
    assert text.code == "sklearn-config.unknown-versioning"


def test_a_file_that_names_columns_has_a_feature_table(tmp_path: Path) -> None:
    """Check that another `data.kind` in this file, or in one that it extends, takes precedence."""
    columns = {"data": {"target_columns": ["speed", "flow"]}}
    assert load(tmp_path, columns).data.kind == "features"
    (tmp_path / "base.json").write_text(json.dumps({"data": {"kind": "readings"}}))
    assert load(tmp_path, {"extends": "base.json", **columns}).data.kind == "readings"
    (tmp_path / "base.json").write_text(json.dumps(columns))
    assert load(tmp_path, {"extends": "base.json"}).data.kind == "features"
    text = refusal(tmp_path, {"extends": "base.json", "data": None})
    assert (text.code, text.values["path"]) == ("settings.not-a-section", "data")


def test_one_wrong_value_is_one_error(tmp_path: Path) -> None:
    text = refusal(tmp_path, with_changes("evaluation", residual_analysis=None))
    assert (text.code, text.values["path"]) == ("settings.invalid-type", "evaluation.residual_analysis")


def test_every_error_is_reported_at_once(tmp_path: Path) -> None:
    configuration = with_changes("training", cross_validation={"shuffle": False}, primary_metric="auc")
    configuration["persistence"]["versioning_strategy"] = "none"
    assert sorted(text.code for text in problems(write(tmp_path / "config.json", configuration))) == [
        "settings.invalid-choice",
        "sklearn-config.unknown-versioning",
        "sklearn-config.unshuffled-folds",
    ]


def test_a_time_column_of_another_name_becomes_an_alias(tmp_path: Path) -> None:
    assert load(tmp_path, with_changes("data", time_column="measured")).data.aliases["measured"] == "timestamp"
    known = load(tmp_path, with_changes("data", time_column="ts")).data.aliases
    assert known["ts"] == "timestamp", "the named column takes precedence over a column `timestamp`"


def test_a_target_can_have_the_name_of_an_alias(tmp_path: Path) -> None:
    named = with_changes(
        "data", aliases={"v_mean": "speed", "volume_5min": "flow"}, target_columns=["volume_5min", "v_mean"]
    )
    assert load(tmp_path, named).training.targets == ["flow", "speed"]


def test_named_columns_are_the_only_features(tmp_path: Path) -> None:
    only = load(tmp_path, with_changes("data", feature_columns=["hour_sin", "speed_lag_1"])).training.features
    assert [column.name for column in feature_columns(only=only)] == ["hour_sin", "speed_lag_1"]
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, with_changes("data", feature_columns=["hour_sine"]))
    (text,) = caught.value.problems
    assert (text.code, text.values["names"]) == ("features.unknown", ["hour_sine (did you mean hour_sin?)"])


def test_a_password_is_not_in_the_message_about_a_conflict() -> None:
    uris = {"base_uri": "s3a://KEY:hunter2@bucket", "hdfs_model_path": "s3a://KEY:hunter3@bucket"}
    (text,) = translate({"persistence": uris}).problems
    assert text.code == "sklearn-config.conflict"
    assert not any(secret in f"{text} {text.values}" for secret in ("KEY", "hunter"))


def test_current_settings_are_unchanged() -> None:
    ours = {"models": {"random_forest": {"tune": True}}, "training": {"folds": 3}}
    layer = translate(ours)
    assert layer.content == ours
    assert not (layer.warnings or layer.problems or layer.origins or layer.sklearn_key)
    assert ours == {"models": {"random_forest": {"tune": True}}, "training": {"folds": 3}}
