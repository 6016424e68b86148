"""A lane's registry entry: what it records, what it refuses, what it removes."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from traffic_assets.assets.registry import registry_of, remove_old
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs import publish
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.registry.examples import made_up, training
from traffic_assets_tests.runs import failures, run_train
from traffic_assets_tests.tiny import DAYS, IMPOSSIBLE, LANES, WEEK, only_lanes, tiny_settings


@pytest.mark.parametrize("name", LANES)
def test_a_version_records_all_that_made_it(trained: Deployment, name: str) -> None:
    metadata = registry_of(trained.hdfs).metadata(name)
    assert metadata.kind == algorithm_named(name).kind
    assert sorted(metadata.training.days) == DAYS
    for day, generation in metadata.training.days.items():
        current = trained.hdfs.dataset("feature_table").current(day)
        assert current is not None
        assert current.id == generation
    for uri in (metadata.training.splits, metadata.training.preprocessor, metadata.training.model):
        assert trained.hdfs.filesystem.exists(uri)
    assert metadata.hyperparameters == trained.settings.enabled_models[name].hyperparameters.model_dump()
    assert metadata.gap["rmse"] == pytest.approx(metadata.metrics["train"]["rmse"] - metadata.metrics["test"]["rmse"])
    assert metadata.model_bytes > 0
    assert {c["name"] for c in metadata.columns} >= {"speed", "sensor_id", "traffic_efficiency"}


def test_a_registry_entry_alone_refuses_what_the_gate_refused(with_features: Deployment) -> None:
    changes = {**only_lanes("linear_regression"), "evaluation": {"thresholds": {"linear_regression": IMPOSSIBLE}}}
    defs = build_defs(tiny_settings(with_features.base, changes))
    first = run_train(defs, with_features.instance, WEEK)
    assert not first.success
    before = registry_of(with_features.hdfs).versions("linear_regression")
    alone = run_train(defs, with_features.instance, WEEK, only=["linear_regression_registry_entry"])
    assert not alone.success
    assert "misses its targets" in failures(alone)["linear_regression_registry_entry"]
    assert registry_of(with_features.hdfs).versions("linear_regression") == before


class TestRetention:
    """Retention as the asset applies it, once its version is registered; on the local disk, without Spark."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return tiny_settings(tmp_path, {"persistence": {"keep_generations_hours": 24}})

    @pytest.fixture
    def hdfs(self, settings: Settings) -> HdfsResource:
        resource = build_resources(settings)["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource

    @pytest.fixture
    def replaced(self, hdfs: HdfsResource, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """By asset, the URIs of two generations of two days ago, both replaced; the first model is registered."""
        made = {}
        registry = local_path(registry_of(hdfs).root)
        for killed in ("random_forest/_staging/v1.0.0-0123abcd", "xgboost/_staging/v1.0.0-0123abcd"):
            registry.joinpath(killed).mkdir(parents=True)
            os.utime(registry / killed, (1, 1))
        with monkeypatch.context() as patch:
            patch.setattr(publish, "datetime", _DaysAgo)
            for key in ("random_forest_cv_report", "random_forest_model", "random_forest_evaluation"):
                made[key] = [_published(hdfs.dataset(key)) for _ in range(3)][:2]
        kept = made["random_forest_model"][0]
        new = made_up(hdfs.filesystem, hdfs.base_uri, "random_forest", "g", training=training(kept))
        registry_of(hdfs).register(new)
        return made

    def test_what_a_version_refers_to_stays_and_the_rest_goes(
        self, hdfs: HdfsResource, settings: Settings, replaced: dict[str, list[str]]
    ) -> None:
        told: list[str] = []
        removed = remove_old(hdfs, registry_of(hdfs), settings, told.append)
        kept = replaced["random_forest_model"][0]
        left = [f"{registry_of(hdfs).root}/{lane}/_staging/v1.0.0-0123abcd" for lane in ("random_forest", "xgboost")]
        assert sorted(removed) == sorted([*left, *(uri for uris in replaced.values() for uri in uris if uri != kept)])
        assert hdfs.filesystem.exists(f"{kept}/part-0")
        for key in replaced:
            current = hdfs.dataset(key).current(WEEK)
            assert current is not None
            assert hdfs.filesystem.exists(current.uri)
        assert told == []

    def test_what_cannot_be_removed_only_warns(
        self,
        hdfs: HdfsResource,
        settings: Settings,
        replaced: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        damaged, forbidden, fine = ("random_forest_cv_report", "random_forest_model", "random_forest_evaluation")
        local_path(hdfs.dataset(damaged).root).joinpath("_pointers", f"{WEEK}.json").write_text("{")
        delete = LocalFileSystem.delete

        def refuse(filesystem: LocalFileSystem, uri: str) -> None:
            if f"/{forbidden}/" in uri or "/xgboost/_staging/" in uri:
                raise StorageError("Permission denied")
            delete(filesystem, uri)

        monkeypatch.setattr(LocalFileSystem, "delete", refuse)
        told: list[str] = []
        assert remove_old(hdfs, registry_of(hdfs), settings, told.append) == replaced[fine]
        assert [line.split(":")[0] for line in told] == [damaged, forbidden, "the registry"]
        assert "is damaged" in told[0]
        assert all("Permission denied" in line for line in told[1:])
        assert all(hdfs.filesystem.exists(uri) for key in (damaged, forbidden) for uri in replaced[key])

    def test_nothing_goes_where_it_is_not_known_what_must_stay(
        self, hdfs: HdfsResource, settings: Settings, replaced: dict[str, list[str]]
    ) -> None:
        (version,) = local_path(registry_of(hdfs).root).glob("random_forest/v*/metadata.json")
        version.write_text("{")
        told: list[str] = []
        assert remove_old(hdfs, registry_of(hdfs), settings, told.append) == []
        assert "nothing old is removed" in told[0]


class _DaysAgo(datetime):
    """A clock two days late, for what has to look old."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) - timedelta(days=2)


def _published(dataset: Dataset) -> str:
    staged = dataset.stage("run-1")
    dataset.filesystem.write_new(f"{staged}/part-0", os.urandom(4))
    return dataset.publish(WEEK, staged, "run-1", {}).uri
