"""Rules between sections, and settings that have no effect."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.evaluation import EvaluationSettings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.random_forest import RandomForestSettings
from traffic_assets.settings.persistence import PersistenceSettings
from traffic_assets.settings.schema import ModelsSettings, Settings
from traffic_assets_tests.settings.problems import codes, texts


def test_the_source_is_below_the_base_unless_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = PersistenceSettings(base_uri="hdfs://nn/data")
    assert Settings(persistence=base).source_uri == "hdfs://nn/data/raw/readings"
    assert Settings(persistence=base, data=DataSettings(source="s3a://b/in")).source_uri == "s3a://b/in"
    local = Settings(persistence=base, data=DataSettings(source="in", sensors_source="sensors.csv"))
    assert local.source_uri == f"file://{tmp_path.resolve()}/in"
    assert local.data.sensors_source == f"file://{tmp_path.resolve()}/sensors.csv"


def test_enabled_models_in_the_order_of_the_file() -> None:
    off: Any = {"enabled": False}
    every: Any = {"gradient_boosted_trees": {}, "linear_regression": {}, "random_forest": {}}
    assert list(Settings(models=ModelsSettings.model_validate(every)).enabled_models) == [
        "linear_regression",
        "random_forest",
        "gradient_boosted_trees",
    ]
    assert list(Settings(models=ModelsSettings.model_validate({"random_forest": off})).enabled_models) == [
        "linear_regression",
        "gradient_boosted_trees",
    ]
    with pytest.raises(ValidationError) as caught:
        Settings(models=ModelsSettings.model_validate(dict.fromkeys(every, off)))
    assert codes(caught.value) == ["settings.no-model-enabled"]


def test_thresholds_of_other_targets_belong_to_existing_lanes() -> None:
    thresholds = {"flow": {"random_forest": {"r2_min": 0.5}}}
    settings = Settings(evaluation=EvaluationSettings(other_thresholds=thresholds))
    assert settings.get_thresholds("flow", "random_forest").r2_min == 0.5
    assert settings.get_thresholds("flow", "linear_regression") == GateThresholds()
    assert settings.get_thresholds("speed", "random_forest") == RandomForestSettings.thresholds
    for wrong, code, values in (
        (
            {"flow": {"forest": {}}},
            "settings.unknown-model-thresholds",
            {"target": "flow", "unknown": ["forest"], "models": list(ModelsSettings.model_fields)},
        ),
        ({"speed": {"random_forest": {}}}, "settings.misplaced-thresholds", {"target": "speed"}),
    ):
        with pytest.raises(ValidationError) as caught:
            Settings(evaluation=EvaluationSettings(other_thresholds=wrong))
        (text,) = texts(caught.value)
        assert (text.code, text.values) == (code, values)
    with pytest.raises(ValidationError) as caught:
        EvaluationSettings.model_validate({"other_thresholds": {"flow": {"svr": {"r2": 1}}}})
    assert [error["loc"] for error in caught.value.errors()] == [("other_thresholds", "flow", "svr", "r2")]


def test_settings_without_effect_are_listed() -> None:
    def idle(**sections: Any) -> list[tuple[str, str]]:
        return [(".".join(path), text.code) for path, text in Settings.model_validate(sections).without_effect]

    limit = {"max_training_time_minutes": 5}
    assert idle(training=limit) == [("training.max_training_time_minutes", "settings.unused-time-limit")]
    assert idle(training=limit, models={"random_forest": {"tune": True}}) == []
    assert idle(models={"random_forest": {"tune": True, "grid": {}}}) == [
        ("models.random_forest.tune", "settings.empty-search")
    ]
    one_core = [("training.parallel_training", "settings.parallel-on-one-core")]
    for master, expected in (("local[1]", one_core), ("local", one_core), ("local[2]", []), ("spark://h:7077", [])):
        assert idle(training={"parallel_training": True}, spark={"master": master}) == expected
    executors = {"config": {"spark.executor.memory": "4g"}}
    assert idle(spark=executors) == [("spark.config", "settings.executors-of-local-session")]
    assert idle(spark={**executors, "master": "spark://h:7077"}) == []


def test_every_lane_has_thresholds() -> None:
    assert list(EvaluationSettings().thresholds.model_dump()) == list(ModelsSettings().get_sections())


def test_an_ensemble_reads_the_sections_of_its_members() -> None:
    models = ModelsSettings.model_validate(
        {
            "random_forest": {"enabled": False, "hyperparameters": {"numTrees": 7}},
            "linear_regression": {"penalty": "lasso"},
            "ensemble": {"enabled": True},
        }
    )
    members = models.ensemble.hyperparameters.members
    assert members["random_forest"]["numTrees"] == 7, "even from a lane that is off"
    assert members["linear_regression"]["elasticNetParam"] == 1.0
    assert not (ModelsSettings().svr.enabled or ModelsSettings().ensemble.enabled)
