"""Fictional models and metadata for tests of the registry, without pytest, because processes under test use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.registry.metadata import Training, VersionMetadata
from traffic_assets.registry.store import NewVersion

SCORES: dict[str, Any] = {"rows": 20, "rmse": 0.7, "mae": 0.2, "mape": 0.01, "r2": 0.9997}


def training(model_uri: str = "file:///base/generations/g1") -> Training:
    """Return the provenance of a version, with the generation of the model."""
    return Training(
        week="2026-01-05",
        days={"2026-01-05": "g5", "2026-01-06": "g6"},
        sensor_tables=["s1"],
        split_id="abc",
        splits="file:///base/splits/g1",
        preprocessor="file:///base/preprocessor/g1",
        model=model_uri,
        rows={"train": 72, "validation": 8, "test": 20},
        seeds={"split": 42},
        profile="local",
        run_id="run-1",
    )


def metadata(lane: str, version: str, created_at: datetime | None = None, **changed: Any) -> VersionMetadata:
    """Return the metadata of a fictional random forest, with some values replaced."""
    return VersionMetadata.model_validate(
        {
            "lane": lane,
            "version": version,
            "kind": "primary",
            "algorithm": "random_forest",
            "model_class": "pyspark.ml.regression.RandomForestRegressionModel",
            "created_at": created_at or datetime(2026, 1, 12, tzinfo=UTC),
            "metrics": {"train": SCORES, "test": SCORES},
            "temporal": {"metrics": SCORES | {"rmse": 1.5}},
            "cross_validation": None,
            "gap": {"rmse": 0.0, "mae": 0.0, "r2": None},
            "targets": [],
            "hyperparameters": {"numTrees": 3},
            "importances": {"features": {"a": 1.0}},
            "facts": {"trees": 3},
            "features": {"numeric": ["a"], "categorical": [], "missing": []},
            "slots": ["a"],
            "columns": [{"name": "a", "type": "double"}],
            "training": training(),
            "model_bytes": 11,
            "training_minutes": 0.1,
            "code_version": "0.1.0",
            "libraries": {"python": "3.11"},
            **changed,
        }
    )


def made_up(fs: FileSystem, base: str, lane: str, name: str, **changed: Any) -> NewVersion:
    """Store a model of a few small files that all contain its name, and return it ready to register."""
    uri = f"{base}/generations/{name}"
    if not fs.exists(uri):
        fs.write_new(f"{uri}/metadata/part-0", f"pipeline of {name}".encode())
        fs.write_new(f"{uri}/stages/0_preprocessor/part-0", f"preprocessor of {name}".encode())
        fs.write_new(f"{uri}/stages/1_model/data/part-0", f"model of {name}".encode())

    def make_metadata(version: str, created_at: datetime) -> VersionMetadata:
        return metadata(lane, version, created_at, **{"training": training(uri), **changed})

    plots = {"plot.png": f"picture of {name}".encode()}
    return NewVersion(lane, uri, f"{uri}/stages/1_model", plots, make_metadata, identity=uri)
