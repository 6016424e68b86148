"""Later code works on what release 0.1.0 stored: models predict the same, and a week is reported, evaluated, trained.

If a test fails, the code broke a promise to stored data. Change the code, not the data.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from traffic_assets.assets.groups import build_assets, pruned_keys
from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.cli.app import app
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.ml.estimators.ensembles import EnsembleModel
from traffic_assets.registry import ModelRegistry
from traffic_assets.resources import build_resources
from traffic_assets.retention import prune
from traffic_assets.settings import Settings, load_settings
from traffic_assets_tests.runs import failures, materialized, run_train
from traffic_assets_tests.stored.make import SECONDS, WEEK_LANES, WORK
from traffic_assets_tests.tiny import DAYS, NO_DIAGNOSTICS, WEEK

STORED = Path(__file__).parent
EVALUATION = "linear_regression_evaluation"
"""The asset that was materialised twice, so that retention has a generation to prune."""


def copy_base(target: Path, **persistence: Any) -> Path:
    """Copy the stored base folder and its profile to a folder that a test may change; return the profile.

    Records and documents contain absolute URIs of the folder that they were written in. They are replaced here, as by
    a person who moves a base folder. Registered versions are immutable and stay as they are.
    """
    base, profile = target / "base", json.loads((STORED / "profile.json").read_text())
    shutil.copytree(STORED / "base", base)
    for path in (base / "training").rglob("*.json"):
        path.write_bytes(path.read_bytes().replace(f"file://{WORK}/week/".encode(), f"file://{base}/".encode()))
    profile["persistence"] |= {"base_uri": str(base), **persistence}
    path = target / "profile.json"
    path.write_text(json.dumps(profile))
    return path


def storage(settings: Settings) -> HdfsResource:
    """Return the storage of a deployment."""
    hdfs = build_resources(settings, pruned_keys(build_assets(settings)))["hdfs"]
    assert isinstance(hdfs, HdfsResource)
    return hdfs


def document(hdfs: HdfsResource, key: str) -> dict[str, Any]:
    """Return the current document of an asset."""
    current = hdfs.dataset(key).current(WEEK)
    assert current is not None
    value = json.loads(hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}"))
    assert isinstance(value, dict)
    return value


def generations(hdfs: HdfsResource, key: str) -> list[str]:
    """Return the URIs of an asset's generations of the week, oldest first."""
    return sorted(entry.uri for entry in hdfs.filesystem.list(f"{hdfs.dataset(key).root}/_generations/{WEEK}"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A copy of the stored deployment, with its own profile of that time."""
    return load_settings(copy_base(tmp_path, keep_generations_hours=24), environ={})


def test_a_stored_ensemble_predicts_the_same(spark: SparkSession) -> None:
    loaded = ModelRegistry(str(STORED / "models"), LocalFileSystem()).load("ensemble")
    assert loaded.metadata.version == "v1.0.0"
    assert isinstance(loaded.model, EnsembleModel)
    assert [member.name for member in loaded.model.members] == ["linear_regression", "random_forest", "svr"]
    assert all(member.weight > 0 for member in loaded.model.members)
    rows = read_current(spark, f"file://{STORED}/base/processed/ml-features")
    predicted = loaded.pipeline.transform(rows).selectExpr("sensor_id", SECONDS, "prediction").collect()
    predictions = {(row["sensor_id"], row["at"]): row["prediction"] for row in predicted}
    expected = json.loads((STORED / "predictions.json").read_text())
    assert len(expected) == 20
    for row in expected:
        assert predictions[row["sensor_id"], row["at"]] == pytest.approx(row["prediction"], abs=1e-9)


def test_stored_versions_are_undamaged() -> None:
    for folder, lanes in (("models", ["ensemble"]), ("base/models", list(WEEK_LANES))):
        registry = ModelRegistry(str(STORED / folder), LocalFileSystem())
        assert registry.lanes() == lanes
        for lane in lanes:
            registry.verify(lane)


def test_a_stored_report_is_copied(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", WEEK, "-p", str(copy_base(tmp_path)), "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert f"Training week {WEEK}" in page.read_text()
    assert "Random forest" in page.read_text()


def test_stored_models_are_listed_and_shown(tmp_path: Path) -> None:
    profile = str(copy_base(tmp_path))
    listed = CliRunner().invoke(app, ["models", "list", "-p", profile])
    assert listed.exit_code == 0, listed.output
    assert all(lane in listed.output for lane in WEEK_LANES)
    shown = CliRunner().invoke(app, ["models", "show", "random_forest", "-p", profile])
    assert sorted(json.loads(shown.output)["training"]["days"]) == DAYS


def test_one_evaluation_is_run_again(spark: SparkSession, settings: Settings) -> None:
    hdfs = storage(settings)
    before = document(hdfs, "random_forest_evaluation")
    keys = ["random_forest_diagnostics", "random_forest_evaluation"]
    with dg.DagsterInstance.ephemeral() as instance:
        again = run_train(build_defs(settings), instance, WEEK, only=keys)
    assert again.success, failures(again)
    assert materialized(again) == set(keys)
    assert len(generations(hdfs, "random_forest_evaluation")) == 2
    after = document(hdfs, "random_forest_evaluation")
    assert set(after) >= set(before), "fields of stored documents stay"
    for split in ("train", "test"):
        for metric in ("rows", "rmse", "mae", "mape", "r2", "bias"):
            assert after[split][metric] == pytest.approx(before[split][metric], abs=1e-9)


def test_the_week_is_trained_again_and_what_it_replaces_is_kept_or_pruned(spark: SparkSession, tmp_path: Path) -> None:
    cheaper = {"evaluation": {"diagnostics": NO_DIAGNOSTICS}}
    settings = load_settings(copy_base(tmp_path, keep_generations_hours=24), cheaper, environ={})
    hdfs = storage(settings)
    registry = get_registry(hdfs)
    first = {lane: registry.metadata(lane) for lane in WEEK_LANES}
    replaced, current = generations(hdfs, EVALUATION)
    with dg.DagsterInstance.ephemeral() as instance:
        train = run_train(build_defs(settings), instance, WEEK)
    assert train.success, failures(train)
    for lane in WEEK_LANES:
        assert registry.versions(lane) == ["v1.0.0", "v1.1.0"]
        second = registry.metadata(lane)
        assert second.training.days == first[lane].training.days, "the same features"
        assert second.training.split_id == first[lane].training.split_id
        assert second.metrics["test"]["rmse"] == pytest.approx(first[lane].metrics["test"]["rmse"])
    kept = generations(hdfs, EVALUATION)
    assert replaced not in kept, "replaced long ago"
    assert current in kept, "replaced a moment ago"


def test_retention_prunes_what_was_replaced_and_nothing_else(settings: Settings) -> None:
    hdfs = storage(settings)
    replaced, current = generations(hdfs, EVALUATION)
    killed = hdfs.dataset("random_forest_model").stage("killed")
    folder = Path(killed.removeprefix("file://"))
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder, (1, 1))
    told: list[str] = []
    hours = settings.persistence.keep_generations_hours
    assert sorted(prune(hdfs, get_registry(hdfs), hours, told.append)) == sorted([replaced, killed])
    assert told == []
    assert generations(hdfs, EVALUATION) == [current]
    assert prune(hdfs, get_registry(hdfs), hours, told.append) == []
