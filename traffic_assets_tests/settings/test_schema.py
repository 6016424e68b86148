"""What must hold between sections."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.evaluation import EvaluationSettings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.persistence import PersistenceSettings
from traffic_assets.settings.schema import ModelsSettings, Settings


def test_the_source_is_below_the_base_unless_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(ValidationError, match="every model is disabled; enable at least one"):
        Settings(models=ModelsSettings.model_validate(dict.fromkeys(every, off)))


def test_limits_of_other_targets_are_on_lanes_that_there_are() -> None:
    given = {"flow": {"random_forest": {"r2_min": 0.5}}}
    settings = Settings(evaluation=EvaluationSettings(other_thresholds=given))
    assert settings.get_thresholds("flow", "random_forest").r2_min == 0.5
    assert settings.get_thresholds("flow", "linear_regression") == GateThresholds()
    assert settings.get_thresholds("speed", "random_forest").r2_min == 0.9996
    for wrong, told in (
        ({"flow": {"forest": {}}}, "no such model: forest; the models are linear_regression"),
        ({"speed": {"random_forest": {}}}, "belong to evaluation.thresholds"),
        ({"flow": {"random_forest": {"r2": 1}}}, "r2"),
    ):
        with pytest.raises(ValidationError, match=told):
            Settings(evaluation=EvaluationSettings(other_thresholds=wrong))


def test_what_does_nothing_is_known() -> None:
    def idle(**sections: Any) -> list[str]:
        return [".".join(path) for path, _ in Settings.model_validate(sections).without_effect]

    limit = {"max_training_time_minutes": 5}
    assert idle(training=limit) == ["training.max_training_time_minutes"]
    assert idle(training=limit, models={"random_forest": {"tune": True}}) == []
    for master, told in (("local[1]", True), ("local", True), ("local[2]", False), ("spark://h:7077", False)):
        found = idle(training={"parallel_training": True}, spark={"master": master})
        assert found == (["training.parallel_training"] if told else [])


def test_every_lane_has_targets() -> None:
    assert list(EvaluationSettings().targets.model_dump()) == list(ModelsSettings().named())


def test_an_ensemble_looks_at_the_lanes_of_its_own_file() -> None:
    models = ModelsSettings.model_validate(
        {
            "random_forest": {"enabled": False, "hyperparameters": {"numTrees": 7}},
            "linear_regression": {"penalty": "lasso"},
            "ensemble": {"enabled": True},
        }
    )
    members = models.ensemble.hyperparameters.members
    assert members["random_forest"]["numTrees"] == 7, "of a lane that is off as well"
    assert members["linear_regression"]["elasticNetParam"] == 1.0
    assert not (ModelsSettings().svr.enabled or ModelsSettings().ensemble.enabled)
