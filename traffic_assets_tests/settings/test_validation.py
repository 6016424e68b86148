"""Every mistake of some settings is told at once: path, what was given, what is allowed."""

import json
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import SettingsError, load_settings


def write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def mistakes(profile: str | None = None, environ: dict[str, str] | None = None, **overrides: Any) -> list[str]:
    """The lines of the error, without its heading."""
    with pytest.raises(SettingsError) as caught:
        load_settings(profile, overrides, environ or {})
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_every_mistake_is_told_at_once_with_path_given_and_allowed(tmp_path: Path) -> None:
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
    found = mistakes(mine, {"TRAFFIC_DATA__INTERVAL_MINUTES": "0"}, spark={"driver_memory": "lots"})
    by_path = {line.split(":")[0]: line for line in found}
    assert set(by_path) == {
        "training.folds",
        "training.split",
        "models.random_forest.hyperparameters.maxDepth",
        "models.random_forest.hyperparameters.numTree",
        "evaluation.primary_metric",
        "data.rush_hours.1.0",
        "data.rush_hours.1.1",
        "TRAFFIC_DATA__INTERVAL_MINUTES",
        "spark.driver_memory",
        "modles",
    }
    assert len(found) == len(by_path)
    assert by_path["training.folds"].endswith("given 1; input should be greater than or equal to 2")
    assert by_path["training.split"].endswith("train + validation + test is 0.7; it must be 1")
    assert (
        "given 31; input should be less than or equal to 30" in by_path["models.random_forest.hyperparameters.maxDepth"]
    )
    assert "given 'accuracy'; input should be 'rmse', 'mae', 'mape' or 'r2'" in by_path["evaluation.primary_metric"]
    assert "given 0;" in by_path["TRAFFIC_DATA__INTERVAL_MINUTES"]
    with pytest.raises(SettingsError, match=r"^10 mistakes in the settings \(.*mine\.json, environment\):"):
        load_settings(mine, {"spark": {"driver_memory": "lots"}}, {"TRAFFIC_DATA__INTERVAL_MINUTES": "0"})


def test_a_rule_over_several_values_is_looked_at_beside_the_mistakes_of_others(tmp_path: Path) -> None:
    forest = {"hyperparameters": {"maxDepth": 99}, "tune": True, "grid": {"maxDept": [8, 10]}}
    mine = write(tmp_path / "mine.json", {"data": {"speed_unit": "kmh"}, "models": {"random_forest": forest}})
    environ = {"TRAFFIC_TRAINING__FOLD": "3", "TRAFFIC_TRAINING__FOLDS": "1", "TRAFFIC_TRAINING__SPLIT__TRAIN": "0.5"}
    found = mistakes(mine, environ)
    assert sorted(line.split(":")[0] for line in found) == [
        "TRAFFIC_TRAINING__FOLD", "TRAFFIC_TRAINING__FOLDS", "data.speed_unit", "models.random_forest",
        "models.random_forest.hyperparameters.maxDepth", "training.split",
    ]  # fmt: skip
    assert any("grid.maxDept: not a hyperparameter" in line for line in found)


def test_what_lies_over_the_environment_is_not_blamed_on_its_variable() -> None:
    found = mistakes(environ={"TRAFFIC_TRAINING__FOLDS": "3"}, training={"folds": 1})
    assert found == ["training.folds: given 1; input should be greater than or equal to 2"]


def test_a_rule_that_a_wrong_value_of_the_section_may_have_broken_waits() -> None:
    """The shares given are 0.5, 0.2 and a word: what the sum will be is not known."""
    split = {"train": 0.5, "validation": "some", "test": 0.2}
    assert [line.split(":")[0] for line in mistakes(training={"split": split})] == ["training.split.validation"]


def test_a_mistake_in_a_list_is_told_once_and_hides_no_other() -> None:
    hours = {"rush_hours": [[7, 10], [25, 26], [9, 8]], "first_day": "2026-02-01", "last_day": "2026-01-01"}
    found = mistakes(data=hours)
    assert [line.split(":")[0] for line in found][:2] == ["data.rush_hours.1.0", "data.rush_hours.1.1"]
    assert len({line.split(":")[0] for line in found}) == len(found)


def test_a_wrong_key_of_a_mapping_is_told_once_where_it_was_given() -> None:
    found = mistakes(evaluation={"other_thresholds": {"occupancy": {}}}, training={"folds": 1})
    assert sorted(found) == [
        "evaluation.other_thresholds.occupancy: given 'occupancy'; input should be 'speed' or 'flow'",
        "training.folds: given 1; input should be greater than or equal to 2",
    ]


def test_unknown_keys_come_with_a_suggestion_and_what_is_allowed_there() -> None:
    found = mistakes(
        models={"random_forest": {"hyperparameters": {"numTree": 5}, "tuning": True}},
        evaluation={
            "thresholds": {"random_forest": {"r2_minimum": 1}},
            "model_size_mb": {"lo": 1, "low": 1, "high": 2},
        },
        training={"xyz": 1},
    )
    by_path = {line.split(":")[0]: line for line in found}
    hyperparameters = by_path["models.random_forest.hyperparameters.numTree"]
    assert "not a setting (did you mean numTrees?); allowed here: numTrees, maxDepth, maxBins" in hyperparameters
    assert by_path["models.random_forest.tuning"].endswith("allowed here: enabled, hyperparameters, tune, grid")
    assert "(did you mean r2_min?)" in by_path["evaluation.thresholds.random_forest.r2_minimum"]
    assert by_path["evaluation.model_size_mb.lo"].endswith("allowed here: low, high")
    assert "did you mean" not in by_path["training.xyz"]
    assert "window_weeks" in by_path["training.xyz"]


def test_a_password_is_not_in_the_message_that_refuses_it() -> None:
    found = mistakes(persistence={"base_uri": "s3a://KEY:hunter2@bucket/x"}, data={"source": "ftp://me:pw9@host/x"})
    assert len(found) == 2
    assert all("given '" in line and "user or password" in line for line in found)
    assert not any(secret in line for line in found for secret in ("KEY", "hunter2", "me:", "pw9"))


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
    (found,) = mistakes(spark=spark)
    assert found.startswith("spark")
    assert "hunter2" not in found


def test_that_models_are_off_since_the_file_lists_others_is_told_with_a_mistake(tmp_path: Path) -> None:
    given = {"training": {"primary_metric": "mae"}, "models": {"random_forest": {"enabled": False}}}
    mistake, why = mistakes(write(tmp_path / "theirs.json", given))
    assert mistake.endswith("every model is disabled; enable at least one")
    assert why.startswith(
        "models: not listed, so off: linear_regression, gradient_boosted_trees; training.primary_metric"
    )
