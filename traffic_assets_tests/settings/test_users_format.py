"""The users' earlier configuration works as it is; every key acts, is told, or is refused."""

import copy
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from traffic_assets.catalogue.lookup import feature_columns
from traffic_assets.settings import Settings, SettingsError, load_settings
from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.users_format import HYPERPARAMETER_NAMES, MODEL_NAMES, translate
from traffic_assets_tests.settings.test_validation import write

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
    assert found.models.linear_regression.hyperparameters.regParam == 0, "scikit-learn's LinearRegression"
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
    for what in ("pickle runs code", "onnx and pmml: not written yet", "null is 30", "features are scaled"):
        assert what in told


def _paths(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a file, however deep."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*above, key)
            yield from _paths(value, (*above, key))


def _without(*paths: tuple[str, ...]) -> dict[str, Any]:
    content = _file()
    for *above, key in paths:
        at = content
        for section in above:
            at = at[section]
        del at[key]
    return content


def _acts(*paths: tuple[str, ...]) -> bool:
    whole, without = translate(_file()), translate(_without(*paths))
    return (without.content, without.told) != (whole.content, whole.told)


def test_every_key_of_the_users_file_is_looked_at() -> None:
    """Take any one key away: it was a setting, it was told, or what it says is what always happens."""
    always = {
        ("data", "feature_columns"), ("data", "time_column"), ("evaluation", "metrics"),
        ("evaluation", "generate_plots"), ("evaluation", "model_comparison"), ("persistence", "save_models"),
        ("persistence", "versioning_strategy"), ("training", "cross_validation", "enabled"),
    }  # fmt: skip
    twice = {
        ("models", "random_forest", "hyperparameters", "random_state"),
        ("training", "cross_validation", "random_state"),
    }
    assert not any(map(_acts, twice)), "one seed, said twice"
    assert _acts(*twice)
    paths = set(_paths(_file()))
    assert len(paths) > 50
    assert {path for path in paths if not _acts(path)} == always | twice


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        (
            "data",
            {"target_columns": ["occupancy"]},
            "data.target_columns.0: given 'occupancy'; input should be 'speed'",
        ),
        ("data", {"feature_columns": None}, "data.feature_columns: given None; give ['auto_detect'] alone"),
        (
            "data",
            {"feature_columns": ["auto_detect", "hour_sin"]},
            "data.feature_columns: given ['auto_detect', 'hour_sin']; give ['auto_detect'] alone",
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
        (
            "persistence",
            {"model_registry_path": "training"},
            "persistence.model_registry_path: given 'training'; versions would lie among assets",
        ),
        (
            "persistence",
            {"model_registry_path": "hdfs://namenode/models"},
            "given 'hdfs://namenode/models'; the registry lies below persistence.base_uri",
        ),
        ("persistence", {"model_registry_path": "/models/ours"}, "give its folder there, such as models"),
        (
            "models",
            {"linear_regression": {"hyperparameters": {"normalize": "l2"}}},
            "models.linear_regression.hyperparameters.normalize: given 'l2'; give true or false",
        ),
        ("evaluation", {"prediction_intervals": "true"}, "prediction_intervals: given 'true'; give true"),
        ("evaluation", {"prediction_intervals": 1}, "prediction_intervals: given 1; give true"),
        ("evaluation", {"prediction_intervals": 0}, "prediction_intervals: given 0; give true"),
        ("evaluation", {"prediction_intervals": None}, "prediction_intervals: given None; give true"),
        ("persistence", {"export_formats": [["spark"]]}, "given [['spark']]; the format that is written is spark"),
        ("training", {"split": "random"}, "training.split: given 'random'; give an object with kind, train"),
        ("evaluation", {"diagnostics": "all"}, "evaluation.diagnostics: given 'all'; give an object with slices"),
        ("models", {"random_forest": "on"}, "models.random_forest: given 'on'; give an object with enabled"),
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


@pytest.mark.parametrize("section", ["data", "models", "training", "evaluation", "persistence", "spark"])
def test_a_section_that_is_none_is_a_mistake_like_any_other(tmp_path: Path, section: str) -> None:
    shown = "" if section == "spark" else "given 'x'; "  # a secret may have been given there
    with pytest.raises(SettingsError, match=rf"\n  {section}: {shown}give an object with \w+, "):
        _load(tmp_path, _file() | {section: "x"})


@pytest.mark.parametrize(("given", "coverage"), [(True, 0.9), (False, None), (0.95, 0.95), (0.5, 0.5)])
def test_prediction_intervals_are_switched_or_given_their_share(
    tmp_path: Path, given: bool | float, coverage: float | None
) -> None:
    found = _load(tmp_path, _with("evaluation", prediction_intervals=given))
    assert found.evaluation.diagnostics.interval_coverage == coverage


def test_export_formats_of_none_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _load(tmp_path, _with("persistence", export_formats=[]))
    assert "persistence.export_formats: every version holds the model in Spark's own format" in caplog.text


def test_a_search_of_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = _file()
    content["models"]["linear_regression"]["hyperparameter_grid"] = {"normalize": [True, False]}
    assert _load(tmp_path, content).models.linear_regression.grid == {}
    assert "models.linear_regression.hyperparameter_tuning: there is nothing to search" in caplog.text


def test_the_size_of_executors_is_told_to_do_nothing_where_there_are_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _load(tmp_path, _file())
    assert "spark.executor.memory, spark.executor.cores: spark.master local[*] has no executors" in caplog.text
    caplog.clear()
    _load(tmp_path, _with("spark", master="spark://spark-master:7077"))
    assert "no executors" not in caplog.text


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
    found = _load(tmp_path, {"models": {"linear_regression": linear}}).models.linear_regression
    assert found.hyperparameters.regParam == strength


@pytest.mark.parametrize(
    "theirs",
    [
        {"data": {"train_ratio": 0.7, "val_ratio": 0.1, "test_ratio": 0.2}},
        {"training": {"cross_validation": {"folds": 3}}},
        {"evaluation": {"generate_plots": True}},
    ],
)
def test_a_file_with_anything_in_their_terms_lists_the_models_that_run(tmp_path: Path, theirs: dict[str, Any]) -> None:
    found = _load(tmp_path, theirs | {"models": {"random_forest": {"enabled": True}}})
    assert list(found.enabled_models) == ["random_forest"]
    assert len(_load(tmp_path, theirs).enabled_models) == 3, "it lists none"
    assert len(_load(tmp_path, {"models": {"random_forest": {"enabled": True}}}).enabled_models) == 3, "in our terms"


OFF = "models: not listed, so off: "


@pytest.mark.parametrize(
    ("content", "off", "key"),
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
def test_models_that_a_key_in_their_terms_turns_off_are_told_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: dict[str, Any], off: str, key: str, base: dict[str, str]
) -> None:
    _load(tmp_path, base | content)
    assert f"{OFF}{off}; {key} is a key of the earlier configuration, whose files list the models" in caplog.text


def test_models_that_are_off_or_on_for_another_reason_are_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    theirs: dict[str, Any] = {"training": {"primary_metric": "mae"}}
    off: dict[str, Any] = {"enabled": False}
    _load(tmp_path, theirs)
    _load(tmp_path, {"models": {"random_forest": {}}})
    _load(tmp_path, theirs | {"models": {"random_forest": {}, "linear_regression": off, "gradient_boosted_trees": {}}})
    switched = {"TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__ENABLED": "true"}
    _over_the_file(tmp_path, {"training": {"folds": 3}}, environ=switched)
    assert OFF not in caplog.text


def test_the_key_that_is_told_is_of_the_first_file_that_lists_models(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _over_the_file(tmp_path, {"evaluation": {"metrics": ["rmse", "mae", "mape", "r2"]}, "models": {"xgboost": {}}})
    assert f"{OFF}gradient_boosted_trees; data.train_ratio is a key" in caplog.text
    caplog.clear()
    write(tmp_path / "base.json", {"training": {"primary_metric": "mae"}})
    lists = {"extends": "base.json", "models": {"random_forest": {"hyperparameters": {"n_estimators": 9}}}}
    load_settings(write(tmp_path / "top.json", lists), environ={})
    assert "; models.random_forest.hyperparameters.n_estimators is a key" in caplog.text


def test_the_metrics_that_are_computed_can_be_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _load(tmp_path, _with("evaluation", metrics=["rmse", "mae", "mape", "r2", "bias", "p95"]))
    assert "evaluation.metrics" not in caplog.text
    _load(tmp_path, _with("evaluation", metrics=["rmse", "p95"]))
    assert "evaluation.metrics: all of rmse, mae, mape, r2, bias, p95" in caplog.text


@pytest.mark.parametrize("base", ["local", "cluster", "seed_literal"])
def test_the_file_stands_over_every_profile_of_the_package(tmp_path: Path, base: str) -> None:
    found = _load(tmp_path, {"extends": base} | _file())
    forest = found.models.random_forest
    assert (forest.hyperparameters.numTrees, forest.hyperparameters.maxDepth, forest.tune) == (100, 10, True)
    assert (
        forest.hyperparameters.maxBins == load_settings(base, environ={}).models.random_forest.hyperparameters.maxBins
    )
    assert list(found.enabled_models) == ["linear_regression", "random_forest"]
    assert found.persistence.base_uri == "hdfs://namenode:9000/models"
    assert (found.training.split.train, found.training.seed) == (0.7, 42)
    assert found.spark.config["spark.sql.shuffle.partitions"] == ("10" if base == "cluster" else "4")


def _over_the_file(tmp_path: Path, *layers: dict[str, Any], environ: dict[str, str] | None = None) -> Settings:
    below = str(FILE)
    for number, layer in enumerate(layers):
        path = tmp_path / f"layer_{number}.json"
        path.write_text(json.dumps({"extends": below, **layer}))
        below = str(path)
    return load_settings(below, environ=environ or {})


def test_what_stands_over_the_file_may_be_in_its_terms_or_in_ours(tmp_path: Path) -> None:
    theirs = {"models": {"random_forest": {"hyperparameters": {"n_estimators": 7, "random_state": 5}}}}
    ours = {"training": {"folds": 3, "seed": 6}, "models": {"random_forest": {"hyperparameters": {"numTrees": 8}}}}
    found = _over_the_file(tmp_path, theirs)
    assert (found.models.random_forest.hyperparameters.numTrees, found.training.seed) == (7, 5)
    assert list(found.enabled_models) == ["linear_regression", "random_forest"], "the layers list models together"
    found = _over_the_file(tmp_path, theirs, ours)
    assert (found.models.random_forest.hyperparameters.numTrees, found.training.seed) == (8, 6)
    assert found.training.folds == 3
    alpha = {"models": {"linear_regression": {"hyperparameters": {"alpha": 0.5}}}}
    more = {"models": {"linear_regression": {"hyperparameters": {"max_iter": 5}}, "gradient_boosting": {}}}
    found = _over_the_file(tmp_path, alpha, more)
    assert found.models.linear_regression.hyperparameters.regParam == 0.5
    assert list(found.enabled_models) == ["linear_regression", "random_forest", "gradient_boosted_trees"]


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    environ = {
        "TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__ENABLED": "true",
        "TRAFFIC_MODELS__LINEAR_REGRESSION__PENALTY": "ridge",
    }
    found = load_settings(FILE, environ=environ)
    assert found.models.gradient_boosted_trees.enabled
    assert found.models.linear_regression.hyperparameters.regParam == 0.01
    dark = load_settings(FILE, environ={"TRAFFIC_MODELS__GRADIENT_BOOSTED_TREES__HYPERPARAMETERS__MAXDEPTH": "3"})
    assert not dark.models.gradient_boosted_trees.enabled


def test_a_mistake_has_the_path_of_the_layer_that_made_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"models\.random_forest\.hyperparameters\.numTrees: given 0"):
        _over_the_file(tmp_path, {"models": {"random_forest": {"hyperparameters": {"numTrees": 0}}}})
    with pytest.raises(SettingsError, match=r"models\.random_forest\.hyperparameters\.n_estimators: given 0"):
        _over_the_file(
            tmp_path,
            {"models": {"random_forest": {"hyperparameters": {"n_estimators": 0}}}},
            {"training": {"folds": 3}},
        )
    with pytest.raises(SettingsError, match="versions are semantic"):
        _over_the_file(tmp_path, {"persistence": {"versioning_strategy": "timestamp"}}, {"training": {"folds": 3}})


@pytest.mark.parametrize(
    ("hyperparameters", "told"),
    [
        ({"n_jobs": 4}, "hyperparameters.n_jobs: given 4; Spark decides what runs at once"),
        ({"min_samples_split": 4}, "minInstancesPerNode"),
        ({"n_estimators": 0}, "models.random_forest.hyperparameters.n_estimators: given 0"),
        ({"n_estimators": 10, "numTrees": 10}, "numTrees is given twice"),
        ({"trees": 10}, "hyperparameters.trees: not a setting"),
        ({"bootstrap": False}, "bootstrap: given False; every tree is grown on rows drawn with replacement"),
        ({"criterion": "absolute_error"}, "given 'absolute_error'; MLlib's regression trees split by the variance"),
    ],
)
def test_hyperparameters_of_a_forest_that_cannot_act_are_refused(
    tmp_path: Path, hyperparameters: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, {"models": {"random_forest": {"hyperparameters": hyperparameters}}})
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ("gradient_boosting", {"n_iter_no_change": 5}, "boosting ends early by earlyStopping true"),
        ("gradient_boosting", {"validation_fraction": 0.2}, "training.split.validation"),
        ("xgboost", {"n_iter_no_change": 5}, "not a setting; allowed here: n_estimators, "),
    ],
)
def test_who_ends_a_fit_early_is_sent_to_what_the_model_has(
    tmp_path: Path, model: str, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, {"models": {model: {"hyperparameters": given}}})
    assert told in str(refused.value)


def test_what_scikit_learn_does_by_itself_is_never_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = {"n_jobs": None, "min_samples_split": 2, "max_leaf_nodes": None, "warm_start": False, "criterion": "mse"}
    boosted = {"n_iter_no_change": None, "n_estimators": 9}
    models = {"random_forest": {"hyperparameters": given}, "gradient_boosting": {"hyperparameters": boosted}}
    assert list(_load(tmp_path, {"models": models}).enabled_models) == ["random_forest", "gradient_boosted_trees"]
    for name in given:
        assert f"models.random_forest.hyperparameters.{name}: " in caplog.text
    assert "models.gradient_boosting.hyperparameters.n_iter_no_change: boosting ends early by" in caplog.text


@pytest.mark.parametrize("section", ["hyperparameters", "hyperparameter_grid"])
def test_what_nobody_can_choose_is_told_where_it_is_what_happens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, section: str
) -> None:
    given = {"bootstrap": True, "criterion": "squared_error", "n_estimators": 7}
    forest = {section: {name: [value] for name, value in given.items()} if section.endswith("grid") else given}
    found = _load(tmp_path, {"models": {"random_forest": forest}}).models.random_forest
    assert (found.grid == {"numTrees": [7]}) if section.endswith("grid") else (found.hyperparameters.numTrees == 7)
    assert f"models.random_forest.{section}.bootstrap: every tree is grown on rows drawn" in caplog.text
    assert f"models.random_forest.{section}.criterion: MLlib's regression trees split by" in caplog.text


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"tune": False, "hyperparameter_tuning": True}, "tune"),
        ({"grid": {"maxDepth": [3]}, "hyperparameter_grid": {"n_estimators": [7]}}, "grid"),
    ],
)
def test_one_thing_under_two_names_is_refused_where_they_differ(
    tmp_path: Path, theirs: dict[str, Any], ours: str
) -> None:
    (given,) = set(theirs) - {ours}
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, {"models": {"gradient_boosting": theirs}})
    told = f"models.gradient_boosting.{given}: given {theirs[given]!r}; models.gradient_boosting.{ours} says"
    assert f"{told} {theirs[ours]!r}; both mean the same, keep one" in str(refused.value)
    same = {ours: theirs[given], given: theirs[given]}
    _load(tmp_path, {"models": {"gradient_boosting": {"grid": {"n_estimators": [7]}} | same}})


def test_the_members_of_an_ensemble_go_by_scikit_learns_names(tmp_path: Path) -> None:
    members = {"random_forest": {"n_estimators": 7, "max_depth": None}, "gbt": {"learning_rate": 0.3}}
    more = {**members, "linear_regression": {"alpha": 0.5}}
    ensemble = {"hyperparameters": {"members": members}, "hyperparameter_grid": {"members": [members, more]}}
    found = _load(tmp_path, {"models": {"ensemble": {"enabled": True, **ensemble}}}).models.ensemble
    weighted = {"members": members, "method": "weighted", "weights": {"random_forest": 1, "gbt": 2}}
    grid = {"weights": [{"random_forest": 1, "gbt": 3}, None]}
    of_weights = {"enabled": True, "hyperparameters": weighted, "hyperparameter_grid": grid}
    other = _load(tmp_path, {"models": {"ensemble": of_weights}}).models.ensemble
    assert other.hyperparameters.weights == {"random_forest": 1, "gradient_boosted_trees": 2}
    assert other.grid["weights"] == [{"random_forest": 1, "gradient_boosted_trees": 3}, None]
    first, second = cast(list[Any], found.grid["members"])
    for tried in (found.hyperparameters.members, first):
        assert (tried["random_forest"]["numTrees"], tried["random_forest"]["maxDepth"]) == (7, 30)
        assert tried["gradient_boosted_trees"]["stepSize"] == 0.3
    assert second["linear_regression"]["regParam"] == 0.5
    wrong = {"random_forest": {"trees": 7}, "svr": {}}
    with pytest.raises(SettingsError, match=r"random_forest\.trees: given 7; not a hyperparameter of it; allowed: num"):
        _load(tmp_path, {"models": {"ensemble": {"hyperparameters": {"members": wrong}}}})
    seeded = {**members, "svr": {"random_state": 11}}
    of_seeds = {"enabled": True, "hyperparameters": {"members": seeded}}
    assert _load(tmp_path, {"models": {"ensemble": of_seeds}}).training.seed == 11
    with pytest.raises(SettingsError, match=r"members\.0\.svr\.random_state: given 11; a seed is not searched"):
        _load(tmp_path, {"models": {"ensemble": {"hyperparameter_grid": {"members": [seeded]}}}})
    both: dict[str, Any] = {"gbt": {}, "gradient_boosting": {}}
    with pytest.raises(SettingsError, match="gradient_boosted_trees is given twice; keep one"):
        _load(tmp_path, {"models": {"ensemble": {"hyperparameters": {"members": both}}}})


@pytest.mark.parametrize(("given", "penalty"), [({}, 0.0), ({"alpha": 0.5}, 0.5)])
@pytest.mark.parametrize("listed", [True, False])
def test_a_linear_member_has_no_penalty_that_nobody_named(
    tmp_path: Path, given: dict[str, Any], penalty: float, listed: bool
) -> None:
    members = {"linear_regression": given, "random_forest": {"n_estimators": 5}}
    models = {"ensemble": {"enabled": True, "hyperparameters": {"members": members}}}
    found = _load(tmp_path, {"models": {**models, **({"linear_regression": {}} if listed else {})}})
    assert ("linear_regression" in found.enabled_models) is listed
    assert found.models.ensemble.hyperparameters.members["linear_regression"]["regParam"] == penalty


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
def test_values_of_no_sense_are_mistakes_like_any_other(tmp_path: Path, models: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="1 mistake"):
        _load(tmp_path, {"models": models})


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("squared_error", "squared"), ("ls", "squared"), ("absolute_error", "absolute"), ("lad", "absolute")],
)
def test_the_loss_of_boosting_has_scikit_learns_names(tmp_path: Path, theirs: str, ours: str) -> None:
    found = _load(tmp_path, {"models": {"gradient_boosting": {"hyperparameters": {"loss": theirs}}}})
    assert found.models.gradient_boosted_trees.hyperparameters.lossType == ours


def test_what_the_source_holds_is_as_any_file_says(tmp_path: Path) -> None:
    """Who names columns has a ready-made table, unless this file or one below says otherwise."""
    columns = {"data": {"target_columns": ["speed", "flow"]}}
    assert _load(tmp_path, columns).data.kind == "features"
    (tmp_path / "base.json").write_text(json.dumps({"data": {"kind": "readings"}}))
    assert _load(tmp_path, {"extends": "base.json", **columns}).data.kind == "readings"
    (tmp_path / "base.json").write_text(json.dumps(columns))
    assert _load(tmp_path, {"extends": "base.json"}).data.kind == "features"
    with pytest.raises(SettingsError, match="data: given None; give an object with"):
        _load(tmp_path, {"extends": "base.json", "data": None})


def test_one_value_that_is_wrong_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^1 mistake in"):
        _load(tmp_path, _with("evaluation", residual_analysis=None))


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    content = _with("training", cross_validation={"shuffle": False}, primary_metric="auc")
    content["persistence"]["versioning_strategy"] = "none"
    with pytest.raises(SettingsError, match=r"3 mistakes"):
        _load(tmp_path, content)


@pytest.mark.parametrize("section", ["hyperparameters", "hyperparameter_grid"])
@pytest.mark.parametrize(("alpha", "told"), [(0.3, True), (0, False), (0.0, False)])
def test_what_alpha_weighs_against_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, section: str, alpha: float, told: bool
) -> None:
    given = [0.0, alpha] if section == "hyperparameter_grid" else alpha
    _load(tmp_path, {"models": {"linear_regression": {section: {"alpha": given}}}})
    assert (f"models.linear_regression.{section}.alpha: is regParam, which weighs against" in caplog.text) is told
    caplog.clear()
    _load(tmp_path, {"models": {"linear_regression": {"hyperparameters": {"regParam": 0.3}}}})
    assert "regParam" not in caplog.text, "in our terms"


@pytest.mark.parametrize("model", ["random_forest", "gradient_boosting"])
@pytest.mark.parametrize(
    ("given", "ours"),
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
def test_max_features_is_taken_as_scikit_learns_regressors_take_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, model: str, given: Any, ours: str
) -> None:
    """MLlib reads "1.0" as all features and "1" as one, as scikit-learn reads the numbers."""
    content = {"hyperparameters": {"max_features": given}, "hyperparameter_grid": {"max_features": ["sqrt", given]}}
    found = _load(tmp_path, {"models": {model: content}}).models.named()[MODEL_NAMES.get(model, model)]
    tried = [found.hyperparameters, *grid_points(found.hyperparameters, found.grid)]
    assert [h.model_dump()["featureSubsetStrategy"] for h in tried] == [ours, "sqrt", ours]
    for section in content:
        told = f"models.{model}.{section}.max_features: auto is all features"
        assert (told in caplog.text) is (given == "auto")


def test_auto_in_our_own_terms_stays_mllibs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    forest = {"hyperparameters": {"n_estimators": 9, "featureSubsetStrategy": "auto"}}
    found = _load(tmp_path, {"models": {"random_forest": forest}}).models.random_forest
    assert found.hyperparameters.featureSubsetStrategy == "auto"
    assert "all features" not in caplog.text


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
    known = _load(tmp_path, _with("data", time_column="ts")).data.aliases
    assert known["ts"] == "timestamp", "it is named, so it wins over a column `timestamp`"


def test_a_target_may_have_the_name_that_an_alias_gives_it(tmp_path: Path) -> None:
    named = _with("data", aliases={"v_mean": "speed", "volume_5min": "flow"}, target_columns=["volume_5min", "v_mean"])
    assert _load(tmp_path, named).training.targets == ["flow", "speed"]


def test_columns_that_are_named_are_the_only_features(tmp_path: Path) -> None:
    only = _load(tmp_path, _with("data", feature_columns=["hour_sin", "speed_lag_1"])).training.features
    assert [column.name for column in feature_columns(only=only)] == ["hour_sin", "speed_lag_1"]
    wrong = _load(tmp_path, _with("data", feature_columns=["hour_sine"])).training.features
    with pytest.raises(ValueError, match=r"no such feature: hour_sine \(did you mean hour_sin\?\); the feat"):
        feature_columns(only=wrong)


def test_a_profile_in_our_own_terms_is_left_as_it_is() -> None:
    ours = {"models": {"random_forest": {"tune": True}}, "training": {"folds": 3}}
    found = translate(ours)
    assert found.content == ours
    assert not (found.told or found.refused or found.origins or found.foreign)
