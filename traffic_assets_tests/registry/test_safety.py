"""Safety of stored pipelines: loading imports and runs nothing only because a file names it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from traffic_assets.catalogue.column import Column
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.pipeline import fit_pipeline, get_model
from traffic_assets.ml.preprocessing.feature_set import usable_features
from traffic_assets.registry.safety import unsafe_stages
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.registry.versions import RegistryError
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.registry.examples import made_up

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

FILES = LocalFileSystem()


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    table = [(f"s{i}", i, float(i % 17), float(i % 5), 2.0 * (i % 17) + 5 * (i % 5)) for i in range(60)]
    schema = "sensor_id string, seconds long, a double, b double, speed double"
    return spark.createDataFrame(table, schema).selectExpr("*", "timestamp(seconds) as timestamp").repartition(2)


def _fit(rows: DataFrame, name: str, hyperparameters: Hyperparameters) -> PipelineModel:
    features = usable_features(rows, [Column("a", "numeric", "double"), Column("b", "numeric", "double")])
    return fit_pipeline(rows, features, algorithm_named(name), hyperparameters, 42)


@pytest.fixture(scope="module")
def ensemble(rows: DataFrame) -> PipelineModel:
    members: dict[str, dict[str, Any]] = {"linear_regression": {}, "svr": {"kernel": "linear"}}
    weights = dict.fromkeys(members, 1.0)
    return _fit(rows, "ensemble", EnsembleHyperparameters(method="weighted", members=members, weights=weights))


def _registered(pipeline: PipelineModel, name: str, base: Path) -> ModelRegistry:
    """Return a registry with the pipeline, regardless of what its files contain."""
    registry = ModelRegistry(f"file://{base}/models", FILES)
    new = made_up(FILES, f"file://{base}", name, "one", model_class=algorithm_named(name).model_class)
    folder = base / "pipeline"
    if not folder.exists():
        pipeline.write().save(f"file://{folder}")
    stage = max((folder / "stages").iterdir(), key=lambda path: int(path.name.split("_")[0]))
    registry.register(replace(new, pipeline_uri=f"file://{folder}", model_uri=f"file://{stage}"))
    return registry


def _edit(folder: Path, **changed: Any) -> None:
    """Change the metadata of a stage, as someone with access to the storage could."""
    (part,) = (folder / "metadata").glob("part-*")
    part.write_text(json.dumps(json.loads(part.read_text()) | changed))
    part.with_name(f".{part.name}.crc").unlink()


def _last_stage(base: Path) -> Path:
    return max((base / "pipeline" / "stages").iterdir(), key=lambda path: int(path.name.split("_")[0]))


def test_an_ensemble_is_registered_and_predicts_as_it_did(
    ensemble: PipelineModel, rows: DataFrame, tmp_path: Path
) -> None:
    loaded = _registered(ensemble, "ensemble", tmp_path).load("ensemble")
    predictions, expected = ([r.prediction for r in p.transform(rows).collect()] for p in (loaded.pipeline, ensemble))
    assert predictions == expected
    assert type(loaded.model).__name__ == "EnsembleModel"
    for file in (tmp_path / "models").rglob("*"):
        assert not file.is_file() or not file.read_bytes().startswith((b"\x80\x04", b"\x80\x05"))


def test_a_pickle_in_xgboosts_metadata_is_not_run(rows: DataFrame, tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "run",)

    plain = XGBoostHyperparameters(n_estimators=2, early_stopping_rounds=None)
    pipeline = _fit(rows, "xgboost", plain)
    model: Any = get_model(pipeline)
    model.set(model.callbacks, [Planted()])
    registry = _registered(pipeline, "xgboost", tmp_path)
    with pytest.raises(RegistryError) as caught:
        registry.load("xgboost")
    assert get_code(caught.value) == "registry.unsafe-version"
    values = get_values(caught.value)
    assert (values["lane"], values["version"]) == ("xgboost", "v1.0.0")
    assert {reason.code for reason in values["reasons"]} == {"registry.pickled-stage"}
    assert values["reasons"][0].values["field"].startswith("serialized_callback")
    assert not (tmp_path / "run").exists()
    type(model).load(f"file://{_last_stage(tmp_path)}")
    assert (tmp_path / "run").exists(), "XGBoost itself would run it"


def test_a_stage_of_an_unknown_class_is_not_imported(ensemble: PipelineModel, tmp_path: Path) -> None:
    """Check a stage of the pipeline, and a member inside a stage."""
    for number, inside in enumerate(("stages/0", "members/svr")):
        base = tmp_path / str(number)
        ensemble.write().save(f"file://{base}/pipeline")
        (folder,) = (p.parent for p in (base / "pipeline").rglob("metadata") if inside in str(p))
        _edit(folder, **{"class": "shutil.rmtree"})
        registry = _registered(ensemble, "ensemble", base)
        with pytest.raises(RegistryError) as caught:
            registry.load("ensemble")
        reasons = get_values(caught.value)["reasons"]
        assert {reason.code for reason in reasons} == {"registry.unknown-stage-class"}
        assert reasons[0].values["name"] == "shutil.rmtree"
        assert "pyspark.ml.*" in reasons[0].values["known"]


def test_a_stage_elsewhere_and_invalid_metadata_are_refused(ensemble: PipelineModel, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    ensemble.write().save(f"file://{folder}")
    assert unsafe_stages(f"file://{folder}", FILES) == []
    _edit(folder, paramMap={"language": "Python", "stageUids": ["a/../../../elsewhere"]})
    assert unsafe_stages(f"file://{folder}", FILES)[0].code == "registry.stage-outside"
    (part,) = (folder / "metadata").glob("part-*")
    part.write_text("[]")
    assert unsafe_stages(f"file://{folder}", FILES)[0].code == "registry.invalid-stage-metadata"
    (tmp_path / "empty").mkdir()
    (reason,) = unsafe_stages(f"file://{tmp_path}/empty", FILES)
    assert reason.code == "registry.no-stage-metadata"
    assert reason.values == {"uri": f"file://{tmp_path}/empty", "folder": "metadata"}
