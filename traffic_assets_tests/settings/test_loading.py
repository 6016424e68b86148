"""Settings from a profile, the environment and overrides, in that order."""

import json
from pathlib import Path

import pytest

from traffic_assets.settings import Settings, load_settings, profile_names
from traffic_assets_tests.settings.problems import paths, problem, problems, write


def test_local_is_the_default_profile() -> None:
    settings = load_settings(environ={})
    assert settings.profile == "local"
    assert settings.spark.master == "local[*]"
    assert settings.models.random_forest.hyperparameters.numTrees == 10
    assert settings.models.gradient_boosted_trees.hyperparameters.maxDepth == 6
    assert settings.spark.config["spark.sql.shuffle.partitions"] == "4"


@pytest.mark.parametrize("name", ["cluster", "local", "seed_literal"])
def test_every_packaged_profile_loads(name: str) -> None:
    assert name in profile_names()
    assert load_settings(name, environ={}).profile == name


def test_a_profile_extends_another() -> None:
    literal, cluster = load_settings("seed_literal", environ={}), load_settings("cluster", environ={})
    assert literal.models.random_forest.hyperparameters.numTrees == 100
    assert literal.spark.config["spark.sql.shuffle.partitions"] == "4"  # from local
    assert literal.evaluation.model_size_mb is not None
    assert literal.evaluation.model_size_mb.low == 13.95
    assert cluster.models.random_forest.hyperparameters.maxBins == 512  # from local
    assert cluster.spark.config["spark.sql.shuffle.partitions"] == "10"
    assert cluster.persistence.base_uri == "hdfs://namenode:9000/traffic-data"


def test_the_environment_chooses_the_profile_and_an_argument_wins(tmp_path: Path) -> None:
    environ = {"TRAFFIC_PROFILE": "cluster"}
    assert load_settings(environ=environ).profile == "cluster"
    assert load_settings("local", environ=environ).profile == "local"
    mine = write(tmp_path / "mine.json", {"training": {"seed": 7}})
    assert load_settings(environ={"TRAFFIC_PROFILE": mine}).training.seed == 7
    assert load_settings(environ={"TRAFFIC_PROFILE": ""}).profile == "local"


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAFFIC_TRAINING__FOLDS", "3")
    assert load_settings("local").training.folds == 3


def test_a_path_is_a_profile_whose_missing_keys_have_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    write(path, {"models": {"random_forest": {"hyperparameters": {"maxDepth": 5}}}})
    settings = load_settings(path, environ={})
    assert settings.profile == str(path)
    assert settings.models.random_forest.hyperparameters.maxDepth == 5
    assert settings.models.random_forest.hyperparameters.numTrees == 100  # not local's 10: nothing was extended


def test_extends_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "team").mkdir()
    write(tmp_path / "base.json", {"extends": "local", "training": {"seed": 1, "folds": 4}})
    middle = {"extends": "../base.json", "training": {"seed": 2}, "data": {"rush_hours": [[6, 9]]}}
    write(tmp_path / "team" / "middle.json", middle)
    top = write(tmp_path / "team" / "top.json", {"extends": "middle.json", "data": {"interval_minutes": 15}})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings(top, environ={})
    assert (settings.training.seed, settings.training.folds) == (2, 4)
    assert settings.data.rush_hours == [(6, 9)]  # a list replaces the other list
    assert settings.data.interval_minutes == 15
    assert settings.models.random_forest.hyperparameters.numTrees == 10  # from local, three files down


def test_profiles_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    one = write(tmp_path / "one.json", {"extends": "sub/../two.json"})
    write(tmp_path / "two.json", {"extends": "sub/../one.json"})
    text = problem(one)
    assert text.code == "settings.profile-circle"
    circle = [Path(name).name for name in text.values["circle"].split(" -> ")]
    assert circle == ["one.json", "two.json", "one.json"]


@pytest.mark.parametrize(
    ("content", "code", "key", "value"),
    [
        ('{"training": {"seed": 1,}}', "settings.invalid-json", "reason", "line 1 column"),
        (b"\xff\xfe{}", "settings.invalid-json", "reason", "decode"),
        ("[1]", "settings.not-an-object", "given", "list"),
        ('{"extends": "nowhere.json"}', "settings.unknown-base-profile", "profile", "nowhere.json"),
    ],
)
def test_files_that_are_not_a_profile_are_refused_by_name(
    tmp_path: Path, content: str | bytes, code: str, key: str, value: str
) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = problem(path)
    assert text.code == code
    assert value in text.values[key]
    assert text.values.get("file", str(path)) == str(path)


def test_a_duplicate_key_is_refused_anywhere_in_a_file(tmp_path: Path) -> None:
    """Refuse it although JSON allows it. Otherwise the last value would silently win."""
    base = tmp_path / "base.json"
    base.write_text('{"training": {"folds": 3, "folds": 4}}')
    path = tmp_path / "twice.json"
    path.write_text(
        '{"extends": "base.json", "models": {"random_forest": {"hyperparameters": {"n_estimators": 9, '
        '"n_estimators": 5}, "grid": {"maxDepth": [3]}}}, "training": {"seed": 1}, "training": {"folds": 0}}'
    )
    result = problems(path)
    assert sorted((text.values["path"], text.code) for text in result) == [
        ("models.random_forest.hyperparameters.n_estimators", "settings.duplicate-key"),
        ("training", "settings.duplicate-key"),
        ("training.folds", "settings.duplicate-key"),
        ("training.folds", "settings.out-of-range"),
    ], "other errors are reported too"


def test_a_duplicate_key_in_the_environment_is_refused() -> None:
    name = "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS"
    text = problem(environ={name: '{"numTrees": 3, "numTrees": 4}'})
    assert (text.code, text.values["path"]) == ("settings.duplicate-key", f"{name}.numTrees")


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    values = {"profile": "lokal", "profiles": ["cluster", "local", "seed_literal"]}
    passed, named = problem("lokal"), problem(environ={"TRAFFIC_PROFILE": "lokal"})
    assert (passed.code, passed.values) == ("settings.unknown-profile-argument", values)
    assert (named.code, named.values) == ("settings.unknown-profile", values)


def test_environment_overrides_reach_every_level() -> None:
    settings = load_settings(
        "local",
        environ={
            "TRAFFIC_TRAINING__SPLIT__TRAIN": "0.7",
            "TRAFFIC_TRAINING__SPLIT__TEST": "0.3",
            "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS__NUMTREES": "25",
            "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS__FEATURESUBSETSTRATEGY": "0.5",
            "TRAFFIC_MODELS__LINEAR_REGRESSION__ENABLED": "false",
            "TRAFFIC_DATA__TIME_ZONE": "Europe/Berlin",
            "TRAFFIC_DATA__RUSH_HOURS": "[[6, 9.5]]",
            "TRAFFIC_DATA__CENTER": "[52.52, 13.4]",
            "TRAFFIC_DATA__FIRST_DAY": "2026-01-05",
            "TRAFFIC_DATA__ALIASES__vitesse": "speed",
            "TRAFFIC_EVALUATION__MODEL_SIZE_MB__LOW": "1",
            "TRAFFIC_EVALUATION__MODEL_SIZE_MB__HIGH": "2",
            "TRAFFIC_EVALUATION__TOP_FEATURE": "null",
            "TRAFFIC_SPARK__CONFIG": '{"spark.sql.shuffle.partitions": 6}',
            "TRAFFIC_REAL_DATA": "not a setting",
            "PATH": "/bin",
        },
    )
    assert (settings.training.split.train, settings.training.split.test) == (0.7, 0.3)
    forest = settings.models.random_forest.hyperparameters
    assert (forest.numTrees, forest.featureSubsetStrategy) == (25, "0.5")
    assert forest.maxBins == 512  # from the profile, like all that is not overridden
    assert list(settings.enabled_models) == ["random_forest", "gradient_boosted_trees"]
    assert settings.data.zone.key == "Europe/Berlin"
    assert settings.data.rush_hours == [(6, 9.5)]
    assert settings.data.center == (52.52, 13.4)
    assert settings.data.first_day.isoformat() == "2026-01-05"
    assert settings.data.aliases == {"vitesse": "speed"}
    assert settings.evaluation.model_size_mb is not None
    assert (settings.evaluation.model_size_mb.low, settings.evaluation.model_size_mb.high) == (1, 2)
    assert settings.evaluation.top_feature is None
    assert settings.spark.config == {
        "spark.sql.shuffle.partitions": "6",
        "spark.sql.adaptive.coalescePartitions.enabled": "true",
    }


def test_names_below_a_free_mapping_stay_as_given() -> None:
    """Keep the case of Spark's keys, hyperparameters and column names."""
    settings = load_settings(
        environ={
            "TRAFFIC_MODELS__RANDOM_FOREST__GRID__maxDepth": "[3, 4]",
            "TRAFFIC_SPARK__CONFIG__spark.sql.adaptive.coalescePartitions.enabled": "false",
            "TRAFFIC_DATA__ALIASES__AvgSpeed": "speed",
        }
    )
    assert settings.models.random_forest.grid["maxDepth"] == [3, 4]
    assert settings.spark.config["spark.sql.adaptive.coalescePartitions.enabled"] == "false"
    assert settings.data.aliases["AvgSpeed"] == "speed"


def test_a_range_needs_a_strategy_that_draws() -> None:
    grid = {"linear_regression": {"grid": {"regParam": {"low": 1e-4, "high": 1.0, "log": True}}}}
    text = problem("local", models=grid)
    assert text.code == "settings.range-in-grid-search"
    assert text.values["settings"] == ["models.linear_regression.grid.regParam"]
    loaded = load_settings("local", {"models": grid, "training": {"search": {"strategy": "random"}}}, environ={})
    assert loaded.models.linear_regression.grid["regParam"].model_dump()["high"] == 1.0
    wrong = {"linear_regression": {"grid": {"regParam": {"low": 1.0, "high": 0.5}}}}
    assert "settings.range-out-of-order" in [text.code for text in problems("local", models=wrong)]
    out_of_range = {"linear_regression": {"grid": {"elasticNetParam": {"low": 0.0, "high": 2.5}}}}
    refused = problems("local", models=out_of_range)
    assert {text.values["path"] for text in refused} == {"models.linear_regression.grid.elasticNetParam"}
    assert 2.5 in [text.values["given"] for text in refused]


def test_overrides_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.json", {"training": {"seed": 1, "folds": 2, "window_weeks": 3}})
    environ = {"TRAFFIC_TRAINING__SEED": "10", "TRAFFIC_TRAINING__FOLDS": "20"}
    training = load_settings(mine, {"training": {"seed": 100}}, environ).training
    assert (training.seed, training.folds, training.window_weeks) == (100, 20, 3)


def test_unknown_names_in_the_environment_are_all_refused() -> None:
    environ = {"TRAFFIC_TRAINING__SEEDS": "1", "TRAFFIC_TRANING__SEED": "1", "TRAFFIC_TRAINING__SEED": "1"}
    reported = problems(environ=environ)
    assert paths(reported) == ["TRAFFIC_TRAINING__SEEDS", "TRAFFIC_TRANING__SEED"]
    assert [text.code for text in reported] == ["settings.misspelled-variable"] * 2
    assert [text.values["suggestion"] for text in reported] == ["TRAFFIC_TRAINING__SEED", "TRAFFIC_TRAINING"]
    assert [text.values["prefix"] for text in reported] == ["TRAFFIC_TRAINING__", "TRAFFIC_"]
    sections = [
        *("PROFILE", "DATA", "MODELS", "TRAINING", "EVALUATION", "PERSISTENCE", "SPARK", "RUNS", "DEPLOYMENT"),
        "OWNERS",
    ]
    assert reported[1].values["allowed"] == sections
    text = problem(environ={"TRAFFIC_PROFILE__X": "1"})
    assert (text.code, text.values["path"]) == ("settings.unknown-variable", "TRAFFIC_PROFILE__X")


def test_loaded_settings_are_frozen_and_load_again_from_their_json() -> None:
    settings = load_settings("local", environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.training.seed = 1  # type: ignore[misc]
    assert Settings.model_validate(json.loads(settings.model_dump_json())) == settings


def test_a_misspelled_way_to_name_the_profile_is_corrected(tmp_path: Path) -> None:
    text = problem(write(tmp_path / "mine.json", {"extend": "local"}))
    assert (text.code, text.values["suggestion"]) == ("settings.misspelled-key", "extends")
    text = problem("local", {"TRAFFIC_PROFIL": "cluster"})
    assert (text.code, text.values["suggestion"]) == ("settings.misspelled-variable", "TRAFFIC_PROFILE")
