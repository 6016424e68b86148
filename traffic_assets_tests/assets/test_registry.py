"""A lane's registry entry: its recorded provenance, and the refusal of a model that misses its gate."""

import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.refused import Refused
from traffic_assets_tests.runs import failure_codes, get_failure_values, run_train
from traffic_assets_tests.tiny import DAYS, LANES, WEEK


@pytest.mark.parametrize("name", LANES)
def test_a_version_records_its_provenance(trained: Deployment, name: str) -> None:
    metadata = get_registry(trained.hdfs).metadata(name)
    assert metadata.kind == algorithm_named(name).kind
    assert sorted(metadata.training.days) == DAYS
    for day, generation in metadata.training.days.items():
        current = trained.hdfs.dataset("feature_table").current(day)
        assert current is not None
        assert current.id == generation
    for uri in (metadata.training.splits, metadata.training.preprocessor, metadata.training.model):
        assert trained.hdfs.filesystem.exists(uri)
    assert metadata.hyperparameters == trained.settings.enabled_models[name].hyperparameters.model_dump()
    model = trained.hdfs.dataset(Lane(name).model).current(WEEK)
    assert model is not None
    assert metadata.features == model.record["features"]
    assert metadata.slots == [slot["name"] for slot in model.record["slots"]]
    assert metadata.gap["rmse"] == pytest.approx(metadata.metrics["train"]["rmse"] - metadata.metrics["test"]["rmse"])
    assert metadata.model_bytes > 0
    assert {c["name"] for c in metadata.columns} >= {"speed", "sensor_id", "traffic_efficiency"}


def test_a_registry_entry_without_its_gate_still_refuses_a_model_that_missed_it(refused: Refused) -> None:
    made = refused.deployment
    before = get_registry(made.hdfs).versions("linear_regression")
    alone = run_train(build_defs(made.settings), made.instance, WEEK, only=["linear_regression_registry_entry"])
    assert not alone.success
    assert failure_codes(alone) == {"linear_regression_registry_entry": "assets.not-registered"}
    assert get_registry(made.hdfs).versions("linear_regression") == before == []


def test_a_model_that_was_damaged_after_its_evaluation_is_not_registered(
    spark: SparkSession, retrainable: Deployment
) -> None:
    lane, defs, instance = Lane("random_forest"), build_defs(retrainable.settings), retrainable.instance
    model = retrainable.hdfs.dataset(lane.model).current(WEEK)
    assert model is not None
    assert run_train(defs, instance, WEEK, only=[lane.diagnostics, lane.evaluation]).success
    (file,) = local_path(model.uri).glob("stages/*RandomForest*/data/*.parquet")
    file.write_bytes(b"")
    before = get_registry(retrainable.hdfs).versions(lane.id)
    result = run_train(defs, instance, WEEK, only=[lane.registry_entry])
    assert failure_codes(result) == {lane.registry_entry: "storage.damaged-generation"}
    assert list(get_failure_values(result)[lane.registry_entry]["files"]) == [f"file://{file}"]
    assert get_registry(retrainable.hdfs).versions(lane.id) == before
