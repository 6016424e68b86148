"""A tiny deployment for tests of the jobs' results; its fixtures are in `conftest.py`."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings
from traffic_assets_tests.runs import run_features
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings, write_tiny_readings

FEATURES = ("raw", "processed")
"""Folders below the base with readings and features."""
TRAINED = (*FEATURES, "training", "models")
"""Folders below the base of a trained deployment."""


@dataclass(frozen=True)
class Deployment:
    """A tiny deployment with the results of its `features` and `train` jobs."""

    base: Path
    settings: Settings
    instance: dg.DagsterInstance
    features: dg.ExecuteInProcessResult
    train: dg.ExecuteInProcessResult | None = None

    @property
    def hdfs(self) -> HdfsResource:
        """Storage of the deployment."""
        resource = build_resources(self.settings)["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource

    def document(self, key: str, week: str = WEEK) -> dict[str, Any]:
        """Return the stored JSON document of an asset."""
        current = self.hdfs.dataset(key).current(week)
        assert current is not None, key
        content = json.loads(self.hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}"))
        assert isinstance(content, dict)
        return content


def copied(
    made: Deployment,
    base: Path,
    instance: dg.DagsterInstance,
    changes: Mapping[str, Any] | None = None,
    folders: Sequence[str] = FEATURES,
) -> Deployment:
    """Copy the data of a deployment to another base, for a test that changes it.

    Args:
        made: Deployment to copy.
        base: Base folder of the copy.
        instance: Dagster instance of the copy.
        changes: Changes to the tiny settings of the copy.
        folders: Folders below the base to copy.
    """
    for folder in folders:
        shutil.copytree(made.base / folder, base / folder)
    return Deployment(base, tiny_settings(base, changes), instance, made.features)


def deploy(base: Path, instance: dg.DagsterInstance, changes: Mapping[str, Any] | None = None) -> Deployment:
    """Build the readings and features of a tiny deployment."""
    settings = tiny_settings(base, changes)
    write_tiny_readings(base)
    features = run_features(build_defs(settings), instance, DAYS)
    assert features.success
    return Deployment(base, settings, instance, features)
