"""Settings come from a profile, the environment and overrides, in that order; every mistake is told at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import Settings, SettingsError, load_settings, profile_names
from traffic_assets.settings.loading import merge
from traffic_assets_tests.settings.test_validation import mistakes, write


def test_local_is_the_default_profile() -> None:
    settings = load_settings(environ={})
    assert settings.profile == "local"
    assert settings.spark.master == "local[*]"
    assert settings.models.random_forest.hyperparameters.numTrees == 10
    assert settings.models.gradient_boosted_trees.hyperparameters.maxDepth == 6
    assert settings.spark.config["spark.sql.shuffle.partitions"] == "4"


@pytest.mark.parametrize("name", ["cluster", "local", "seed_literal"])
def test_every_profile_that_comes_with_the_package_loads(name: str) -> None:
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


def test_a_path_is_a_profile_and_what_it_lacks_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    write(path, {"models": {"random_forest": {"hyperparameters": {"maxDepth": 5}}}})
    settings = load_settings(path, environ={})
    assert settings.profile == str(path)
    assert settings.models.random_forest.hyperparameters.maxDepth == 5
    assert settings.models.random_forest.hyperparameters.numTrees == 100  # not local's 10: nothing was extended


def test_extends_is_seen_from_the_file_not_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team").mkdir()
    write(tmp_path / "base.json", {"extends": "local", "training": {"seed": 1, "folds": 4}})
    middle = {"extends": "../base.json", "training": {"seed": 2}, "data": {"rush_hours": [[6, 9]]}}
    write(tmp_path / "team" / "middle.json", middle)
    top = write(tmp_path / "team" / "top.json", {"extends": "middle.json", "data": {"interval_minutes": 15}})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings(top, environ={})
    assert (settings.training.seed, settings.training.folds) == (2, 4)
    assert settings.data.rush_hours == [(6, 9)]  # a list replaces, it is not added to
    assert settings.data.interval_minutes == 15
    assert settings.models.random_forest.hyperparameters.numTrees == 10  # from local, three files down


def test_profiles_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    one = write(tmp_path / "one.json", {"extends": "sub/../two.json"})
    write(tmp_path / "two.json", {"extends": "sub/../one.json"})
    with pytest.raises(SettingsError, match=r"in a circle: .*one\.json -> .*two\.json -> .*one\.json"):
        load_settings(one, environ={})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"training": {"seed": 1,}}', r"mine\.json: not valid JSON: .*line 1 column"),
        (b"\xff\xfe{}", r"mine\.json: not valid JSON: .*decode"),
        ("[1]", r"mine\.json: given a list; a JSON object with sections is allowed"),
        ('{"extends": "nowhere.json"}', r"no profile '.*nowhere\.json': give one of cluster, local, seed_literal"),
    ],
)
def test_files_that_are_no_profile_are_refused_by_name(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match=message):
        load_settings(path, environ={})


def test_a_key_that_stands_twice_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    """JSON allows it, and the last would win without a word."""
    base = tmp_path / "base.json"
    base.write_text('{"training": {"folds": 3, "folds": 4}}')
    path = tmp_path / "twice.json"
    path.write_text(
        '{"extends": "base.json", "models": {"random_forest": {"hyperparameters": {"n_estimators": 9, '
        '"n_estimators": 5}, "grid": {"maxDepth": [3]}}}, "training": {"seed": 1}, "training": {"folds": 0}}'
    )
    with pytest.raises(SettingsError, match="4 mistakes") as refused:
        load_settings(path, environ={})
    for at in ("training.folds", "models.random_forest.hyperparameters.n_estimators", "training"):
        assert f"  {at}: stands twice in the file; keep one\n" in f"{refused.value}\n"
    assert "training.folds: given 0" in str(refused.value), "the others are told as well"


def test_a_key_that_stands_twice_in_the_environment_is_refused() -> None:
    name = "TRAFFIC_MODELS__RANDOM_FOREST__HYPERPARAMETERS"
    with pytest.raises(SettingsError, match=rf"{name}\.numTrees: stands twice in it; keep one"):
        load_settings(environ={name: '{"numTrees": 3, "numTrees": 4}'})


def test_an_unknown_profile_says_what_there_is() -> None:
    with pytest.raises(
        SettingsError, match="no profile 'lokal': give one of cluster, local, seed_literal, or the path"
    ):
        load_settings("lokal", environ={})


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
    assert forest.maxBins == 512  # the profile's, beside what was overridden
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


def test_names_below_a_free_mapping_are_taken_as_they_are() -> None:
    """Spark's keys, hyperparameters and column names know upper from lower case."""
    found = load_settings(
        environ={
            "TRAFFIC_MODELS__RANDOM_FOREST__GRID__maxDepth": "[3, 4]",
            "TRAFFIC_SPARK__CONFIG__spark.sql.adaptive.coalescePartitions.enabled": "false",
            "TRAFFIC_DATA__ALIASES__AvgSpeed": "speed",
        }
    )
    assert found.models.random_forest.grid["maxDepth"] == [3, 4]
    assert found.spark.config["spark.sql.adaptive.coalescePartitions.enabled"] == "false"
    assert found.data.aliases["AvgSpeed"] == "speed"


def test_a_range_needs_a_strategy_that_draws() -> None:
    grid = {"linear_regression": {"grid": {"regParam": {"low": 1e-4, "high": 1.0, "log": True}}}}
    (line,) = mistakes("local", models=grid)
    assert "models.linear_regression.grid.regParam: given a range" in line
    assert "choose random, tpe or halving" in line
    found = load_settings("local", {"models": grid, "training": {"search": {"strategy": "random"}}}, environ={})
    assert found.models.linear_regression.grid["regParam"].model_dump()["high"] == 1.0
    wrong = {"linear_regression": {"grid": {"regParam": {"low": 1.0, "high": 0.5}}}}
    assert "low 1 is not below high 0.5" in " ".join(mistakes("local", models=wrong))
    out_of_range = {"linear_regression": {"grid": {"elasticNetParam": {"low": 0.0, "high": 2.5}}}}
    assert "grid.elasticNetParam: given 2" in " ".join(mistakes("local", models=out_of_range))


def test_overrides_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.json", {"training": {"seed": 1, "folds": 2, "window_weeks": 3}})
    environ = {"TRAFFIC_TRAINING__SEED": "10", "TRAFFIC_TRAINING__FOLDS": "20"}
    training = load_settings(mine, {"training": {"seed": 100}}, environ).training
    assert (training.seed, training.folds, training.window_weeks) == (100, 20, 3)


def test_unknown_names_in_the_environment_are_all_refused() -> None:
    environ = {"TRAFFIC_TRAINING__SEEDS": "1", "TRAFFIC_TRANING__SEED": "1", "TRAFFIC_TRAINING__SEED": "1"}
    found = mistakes(environ=environ)
    assert [line.split(":")[0] for line in found] == ["TRAFFIC_TRAINING__SEEDS", "TRAFFIC_TRANING__SEED"]
    assert (
        found[0].split(": ")[1].startswith("no such setting (did you mean SEED?); below TRAFFIC_TRAINING there may be")
    )
    assert found[1].endswith(
        "no such setting (did you mean TRAINING?); after TRAFFIC_ there may be DATA, MODELS, TRAINING, EVALUATION, "
        "PERSISTENCE, SPARK"
    )
    assert mistakes(environ={"TRAFFIC_PROFILE__X": "1"})[0].startswith("TRAFFIC_PROFILE__X: no such setting")


def test_merge_goes_as_deep_as_both_have_mappings_and_changes_neither() -> None:
    base: dict[str, Any] = {"a": {"b": 1, "c": {"d": 2}}, "e": [1, 2], "f": {"g": 3}}
    top: dict[str, Any] = {"a": {"c": {"d": 20}}, "e": [3], "f": None, "h": {"i": 4}}
    assert merge(base, top) == {"a": {"b": 1, "c": {"d": 20}}, "e": [3], "f": None, "h": {"i": 4}}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1, 2], "f": {"g": 3}}
    assert merge({"a": 5}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_loaded_settings_do_not_change_and_describe_themselves_as_they_load() -> None:
    settings = load_settings("local", environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.training.seed = 1  # type: ignore[misc]
    assert Settings.model_validate(json.loads(settings.model_dump_json())) == settings
