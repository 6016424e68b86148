"""Validation collects every error at once, with path, given value and allowed values."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from traffic_assets.build import build_defs
from traffic_assets.settings import Settings, SettingsError, load_settings
from traffic_assets.settings.evaluation import Band
from traffic_assets.settings.keys import find_model
from traffic_assets.settings.loading import merge
from traffic_assets.settings.models.base import _kinds
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters, RandomForestSettings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.settings.problems import paths, problem, problems, texts, write


def test_every_error_is_reported_at_once_with_path_given_and_allowed(tmp_path: Path) -> None:
    mine = write(
        tmp_path / "mine.json",
        {
            "training": {"folds": 1, "split": {"train": 0.5}},
            "models": {"random_forest": {"hyperparameters": {"maxDepth": 31, "numTree": 5}}},
            "evaluation": {"primary_metric": "accuracy"},
            "data": {"rush_hours": [[7, 10], [25, 26]]},
            "modles": {},
        },
    )
    environ = {"TRAFFIC_DATA__INTERVAL_MINUTES": "0"}
    reported = problems(mine, environ, spark={"driver_memory": "lots"})
    by_path = {text.values["path"]: (text.code, text.values) for text in reported}
    assert len(reported) == len(by_path)
    expected: dict[str, tuple[str, dict[str, Any]]] = {
        "training.folds": ("settings.out-of-range", {"given": 1, "limit": "a number of at least 2"}),
        "training.split": ("settings.shares-not-one", {"total": pytest.approx(0.7)}),
        "models.random_forest.hyperparameters.maxDepth": (
            "settings.out-of-range",
            {"given": 31, "limit": "a number of at most 30"},
        ),
        "models.random_forest.hyperparameters.numTree": (
            "settings.misspelled-key",
            {
                "key": "numTree",
                "suggestion": "numTrees",
                "allowed": list(RandomForestHyperparameters.model_fields),
            },
        ),
        "evaluation.primary_metric": (
            "settings.invalid-choice",
            {"given": "accuracy", "allowed": "'rmse', 'mae', 'mape' or 'r2'"},
        ),
        "data.rush_hours.1.0": ("settings.out-of-range", {"given": 25, "limit": "a number of at most 24"}),
        "data.rush_hours.1.1": ("settings.out-of-range", {"given": 26, "limit": "a number of at most 24"}),
        "TRAFFIC_DATA__INTERVAL_MINUTES": (
            "settings.out-of-range",
            {"given": 0, "limit": "a number of at least 1"},
        ),
        "spark.driver_memory": (
            "settings.invalid-format",
            {
                "given": "lots",
                "format": "a number with the unit k, m or g, such as 4g",
                "pattern": r"^\d+[kmgKMG]$",
            },
        ),
        "modles": (
            "settings.misspelled-key",
            {
                "key": "modles",
                "suggestion": "models",
                "allowed": [
                    *("extends", "data", "models", "training", "evaluation", "persistence", "spark"),
                    *("runs", "deployment", "owners"),
                ],
            },
        ),
    }
    assert by_path == {path: (code, {"path": path, **values}) for path, (code, values) in expected.items()}
    with pytest.raises(SettingsError) as caught:
        load_settings(mine, {"spark": {"driver_memory": "lots"}}, environ)
    assert get_code(caught.value) == "settings.invalid"
    assert get_values(caught.value)["count"] == 10
    assert get_values(caught.value)["source"] == f"{mine}, environment"
    lines = str(caught.value).splitlines()[1:]
    assert lines == [f"  [{text.code}] {text.plain}" for text in reported]


def test_a_rule_over_several_values_is_checked_together_with_other_errors(tmp_path: Path) -> None:
    forest = {"hyperparameters": {"maxDepth": 99}, "tune": True, "grid": {"maxDept": [8, 10]}}
    mine = write(tmp_path / "mine.json", {"data": {"speed_unit": "kmh"}, "models": {"random_forest": forest}})
    environ = {"TRAFFIC_TRAINING__FOLD": "3", "TRAFFIC_TRAINING__FOLDS": "1", "TRAFFIC_TRAINING__SPLIT__TRAIN": "0.5"}
    reported = problems(mine, environ)
    assert sorted(paths(reported)) == [
        "TRAFFIC_TRAINING__FOLD", "TRAFFIC_TRAINING__FOLDS", "data.speed_unit", "models.random_forest.grid.maxDept",
        "models.random_forest.hyperparameters.maxDepth", "training.split",
    ]  # fmt: skip
    (grid,) = [text for text in reported if "grid" in text.values["path"]]
    assert (grid.code, grid.values["suggestion"]) == ("settings.misspelled-hyperparameter", "maxDepth")


def test_an_override_over_the_environment_is_not_reported_as_its_variable() -> None:
    text = problem("local", {"TRAFFIC_TRAINING__FOLDS": "3"}, training={"folds": 1})
    assert (text.values["path"], text.values["given"]) == ("training.folds", 1)


def test_a_rule_waits_if_a_wrong_value_of_the_section_may_have_broken_it() -> None:
    """Use the shares 0.5, 0.2 and a word, whose sum is unknown."""
    split = {"train": 0.5, "validation": "some", "test": 0.2}
    assert paths(problems("local", training={"split": split})) == ["training.split.validation"]


def test_an_error_in_a_list_is_reported_once_and_hides_no_other() -> None:
    hours = {"rush_hours": [[7, 10], [25, 26], [9, 8]], "first_day": "2026-02-01", "last_day": "2026-01-01"}
    reported = paths(problems("local", data=hours))
    assert reported[:2] == ["data.rush_hours.1.0", "data.rush_hours.1.1"]
    assert len(set(reported)) == len(reported)


def test_a_span_of_no_hours_is_refused() -> None:
    text = problem("local", data={"rush_hours": [[9, 8]]})
    assert (text.code, text.values["start"], text.values["end"]) == ("settings.invalid-rush-hours", 9, 8)


def test_a_wrong_key_of_a_mapping_is_reported_once_at_its_path() -> None:
    reported = problems("local", evaluation={"other_thresholds": {"occupancy": {}}}, training={"folds": 1})
    assert sorted((text.values["path"], text.code, text.values["given"]) for text in reported) == [
        ("evaluation.other_thresholds.occupancy", "settings.invalid-choice", "occupancy"),
        ("training.folds", "settings.out-of-range", 1),
    ]


def test_unknown_keys_come_with_a_suggestion_and_the_allowed_keys() -> None:
    reported = problems(
        "local",
        models={"random_forest": {"hyperparameters": {"numTree": 5}, "tuning": True}},
        evaluation={
            "thresholds": {"random_forest": {"r2_minimum": 1}},
            "model_size_mb": {"lo": 1, "low": 1, "high": 2},
        },
        training={"xyz": 1},
    )
    by_path = {text.values["path"]: text for text in reported}
    assert by_path["models.random_forest.hyperparameters.numTree"].values["suggestion"] == "numTrees"
    assert by_path["models.random_forest.tuning"].values["allowed"] == list(RandomForestSettings.model_fields)
    assert by_path["evaluation.thresholds.random_forest.r2_minimum"].values["suggestion"] == "r2_min"
    assert by_path["evaluation.model_size_mb.lo"].values["allowed"] == list(Band.model_fields)
    unknown = by_path["training.xyz"]
    assert unknown.code == "settings.unknown-key"
    assert "window_weeks" in unknown.values["allowed"]


@pytest.mark.parametrize(
    ("content", "path", "suggestion"),
    [
        ({"data": {"train_ration": 0.7}}, "data.train_ration", "training.split.train"),
        ({"data": {"feature_column": ["auto_detect"]}}, "data.feature_column", "training.features"),
        ({"evaluation": {"generate_plot": True}}, "evaluation.generate_plot", "generate_plots"),
        ({"persistence": {"hdfs_model_pth": "x"}}, "persistence.hdfs_model_pth", "base_uri"),
        ({"training": {"cross_validaton": {}}}, "training.cross_validaton", "cross_validation"),
        ({"models": {"gradient_bosting": {}}}, "models.gradient_bosting", "gradient_boosted_trees"),
        (
            {"models": {"random_forest": {"hyperparameter_tunning": True}}},
            "models.random_forest.hyperparameter_tunning",
            "tune",
        ),
        (
            {"models": {"random_forest": {"hyperparameters": {"n_estimator": 5}}}},
            "models.random_forest.hyperparameters.n_estimator",
            "numTrees",
        ),
        (
            {"models": {"gbt": {"hyperparameter_grid": {"n_estimator": [5]}}}},
            "models.gbt.hyperparameter_grid.n_estimator",
            "maxIter",
        ),
        (
            {"models": {"ensemble": {"hyperparameters": {"members": {"random_forest": {"max_dept": 5}, "svr": {}}}}}},
            "models.ensemble.hyperparameters.members.random_forest.max_dept",
            "maxDepth",
        ),
    ],
)
def test_a_misspelled_scikit_learn_key_gets_the_current_key_as_suggestion(
    tmp_path: Path, content: dict[str, Any], path: str, suggestion: str
) -> None:
    text = problem(write(tmp_path / "old.json", content))
    assert text.code.startswith("settings.misspelled-")
    assert (text.values["path"], text.values["suggestion"]) == (path, suggestion)


def test_a_scikit_learn_key_in_the_environment_gets_the_current_variable_as_suggestion() -> None:
    for name, suggestion in (
        ("TRAFFIC_DATA__TRAIN_RATIO", "TRAFFIC_TRAINING__SPLIT__TRAIN"),
        (
            "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS__N_ESTIMATORS",
            "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS__NUMTREES",
        ),
    ):
        text = problem("local", {name: "1"})
        assert (text.code, text.values["path"]) == ("settings.misspelled-variable", name)
        assert text.values["suggestion"] == suggestion


def test_a_password_is_not_in_the_message_that_refuses_it() -> None:
    uris = {"base_uri": "s3a://KEY:hunter2@bucket/x"}
    reported = problems("local", persistence=uris, data={"source": "ftp://me:pw9@host/x"})
    assert [text.code for text in reported] == ["settings.credentials-in-uri"] * 2
    assert {text.values["uri"] for text in reported} == {"s3a://***@bucket/x", "ftp://***@host/x"}
    listed = problem("local", data={"timestamp_formats": [["s3a://KEY:hunter2@bucket"]]})
    section = problem("local", data="s3a://KEY:hunter2@bucket")
    for text in (*reported, listed, section):
        shown = f"{text} {text.values}"
        assert not any(secret in shown for secret in ("KEY", "hunter2", "me:", "pw9"))


@pytest.mark.parametrize(
    "spark",
    [
        {"config": {"spark.hadoop.fs.s3a.secret.key": "hunter2"}},
        {"config": {"spark.hadoop.fs.s3a.secret.key": ["hunter2"]}},
        {"config": {"fs.s3a.secret.key": "hunter2"}},
        {"config": "spark.hadoop.fs.s3a.secret.key=hunter2"},
        ["spark.hadoop.fs.s3a.secret.key=hunter2"],
    ],
)
def test_no_value_of_a_spark_setting_is_repeated_in_a_message(spark: Any) -> None:
    text = problem("local", spark=spark)
    assert text.values["path"].startswith("spark")
    assert "hunter2" not in f"{text} {text.values}"


def test_models_that_are_off_because_the_file_lists_others_are_reported_with_an_error(tmp_path: Path) -> None:
    content = {"training": {"primary_metric": "mae"}, "models": {"random_forest": {"enabled": False}}}
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path / "sklearn.json", content), environ={})
    assert [text.code for text in caught.value.problems] == ["settings.no-model-enabled"]
    assert get_values(caught.value)["count"] == 1
    last = str(caught.value).splitlines()[-1]
    assert "(linear_regression, gradient_boosted_trees)" in last
    assert "training.primary_metric" in last
    assert last.startswith("  [sklearn-config.unlisted-models] ")


def test_a_wrong_range_is_one_error_that_names_its_key(tmp_path: Path) -> None:
    forest = {"grid": {"maxDepth": {"low": 1, "hig": 3}, "numTrees": 5}}
    mine = write(tmp_path / "mine.json", {"models": {"random_forest": forest}})
    grid = "models.random_forest.grid"
    assert {(text.values["path"], text.code) for text in problems(mine)} == {
        (f"{grid}.maxDepth.hig", "settings.misspelled-key"),
        (f"{grid}.maxDepth.high", "settings.missing-value"),
        (f"{grid}.numTrees", "settings.invalid-type"),
    }


def _places(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every section and every value."""
    for name, field in model.model_fields.items():
        if name != "profile":
            yield (*path, name)
            if inside := find_model(field.annotation):
                yield from _places(inside, (*path, name))


def _nested(place: tuple[str, ...], value: Any) -> Any:
    return {place[0]: _nested(place[1:], value)} if place else value


WRONG: list[Any] = [
    *(None, True, -1, 2**70, 0.5, math.nan, math.inf),
    *("", "x", "2026-1-5", "a/../b"),
    *([], [[]], ["x"], {}, {"x": {}}),
]


@pytest.mark.parametrize("place", [*_places(Settings)], ids=".".join)
def test_no_value_ends_in_another_error_than_a_coded_one(place: tuple[str, ...]) -> None:
    for value in WRONG:
        try:
            load_settings("local", _nested(place, value), {})
        except SettingsError as error:
            assert all(text.code for text in texts(error))


@pytest.mark.parametrize("place", [*_places(Settings)], ids=".".join)
def test_no_setting_is_infinite_or_not_a_number(place: tuple[str, ...]) -> None:
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(SettingsError):
            load_settings("local", _nested(place, value), {})


def _numeric(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[Any]]]:
    """Yield the path and the numeric types of every setting that may be a number."""
    for name, field in model.model_fields.items():
        if inside := find_model(field.annotation):
            yield from _numeric(inside, (*path, name))
        elif kinds := _kinds(field.annotation) & {int, float}:
            yield (*path, name), kinds


NUMERIC = dict(_numeric(Settings))


@pytest.mark.parametrize("place", NUMERIC, ids=".".join)
def test_a_huge_number_is_refused_or_harmless(place: tuple[str, ...], tmp_path: Path) -> None:
    huge = 10**15 if int in NUMERIC[place] else 1e15
    both_ends = {"low": huge, "high": huge}
    changes = _nested(place[:-1], both_ends) if place[-1] in both_ends else _nested(place, huge)
    try:
        settings = load_settings("local", merge(changes, {"persistence": {"base_uri": str(tmp_path)}}), {})
    except SettingsError as error:
        assert {text.code for text in texts(error)} == {"settings.out-of-range"}
    else:
        assert int not in NUMERIC[place], "Spark's integers have 32 bits"
        build_defs(settings)


@pytest.mark.parametrize(
    ("place", "value", "limit"),
    [
        (("data", "center"), [91, 0], "a number of at most 90"),
        (("data", "center"), [-91, 0], "a number of at least -90"),
        (("data", "center"), [0, 181], "a number of at most 180"),
        (("data", "center"), [0, -181], "a number of at least -180"),
        (("runs", "heartbeat_timeout_minutes"), 1e13, "a number of at most 10080"),
        (("persistence", "keep_generations_hours"), 1e15, "a number of at most 876000"),
        (("training", "fold_gap_minutes"), 10**12, "a number of at most 534240"),
    ],
)
def test_a_number_beyond_its_limit_is_refused(place: tuple[str, ...], value: Any, limit: str) -> None:
    text = problem("local", **_nested(place, value))
    assert (text.code, text.values["limit"]) == ("settings.out-of-range", limit)


def test_a_centre_on_earth_is_accepted() -> None:
    for center in ([-90, -180], [32.7, -117.2], [90, 180]):
        assert load_settings("local", {"data": {"center": center}}, {}).data.center == tuple(center)


@pytest.mark.parametrize("name", ["first_day", "last_day"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_the_calendar_is_refused(name: str, day: str) -> None:
    reported = problems("local", data={name: day})
    assert ("settings.day-out-of-range", f"data.{name}") in [(text.code, text.values["path"]) for text in reported]
