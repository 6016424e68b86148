"""One tiny week, trained once for all tests that only look at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings
from traffic_assets_tests.runs import run_features, run_train
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings, write_tiny_readings


@dataclass(frozen=True)
class Deployment:
    """A tiny deployment with its feature table, and what its train job did."""

    base: Path
    settings: Settings
    instance: dg.DagsterInstance
    features: dg.ExecuteInProcessResult
    train: dg.ExecuteInProcessResult | None = None

    @property
    def hdfs(self) -> HdfsResource:
        """Its storage."""
        resource = build_resources(self.settings)["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource


def deploy(base: Path, instance: dg.DagsterInstance) -> Deployment:
    """Readings and features of a tiny deployment."""
    settings = tiny_settings(base)
    write_tiny_readings(base)
    features = run_features(build_defs(settings), instance, DAYS)
    assert features.success
    return Deployment(base, settings, instance, features)


@pytest.fixture(scope="session")
def with_features(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Deployment]:
    """Features only; tests lay their own settings over the same storage."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield deploy(tmp_path_factory.mktemp("features"), instance)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Deployment]:
    """A whole week, trained and registered; look, but do not touch."""
    with dg.DagsterInstance.ephemeral() as instance:
        made = deploy(tmp_path_factory.mktemp("trained"), instance)
        train = run_train(build_defs(made.settings), instance, WEEK)
        yield Deployment(made.base, made.settings, made.instance, made.features, train)
