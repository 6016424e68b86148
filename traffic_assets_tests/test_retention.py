"""Retention: generations that are pruned and kept, and the coverage of all datasets."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.assets.groups import build_assets, pruned_keys
from traffic_assets.assets.registry import get_registry
from traffic_assets.dagster_hdfs import publish
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets.resources import build_resources
from traffic_assets.retention import prune
from traffic_assets.settings import Settings
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.registry.examples import made_up, training
from traffic_assets_tests.tiny import WEEK, tiny_settings


def test_every_stored_dataset_is_pruned_or_kept_forever(trained: Deployment) -> None:
    """Check every dataset that a training stores. One that is never pruned would grow forever."""
    hdfs = trained.hdfs
    built = build_assets(trained.settings)
    kept = {key.to_user_string() for group, assets in built if not group.pruned for a in assets for key in a.keys}
    known = {local_path(hdfs.dataset(key).root) for key in (*pruned_keys(built), *kept)}
    base = local_path(hdfs.base_uri)
    stored = {pointers.parent for pointers in base.rglob("_pointers")}
    assert len(stored) > len(trained.settings.enabled_models)
    assert stored <= known


class TestRetention:
    """Retention on the local disk, without Spark."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return tiny_settings(tmp_path, {"persistence": {"keep_generations_hours": 24}})

    @pytest.fixture
    def resource(self, settings: Settings) -> HdfsResource:
        resource = build_resources(settings, pruned_keys(build_assets(settings)))["hdfs"]
        assert isinstance(resource, HdfsResource)
        return resource

    @pytest.fixture
    def replaced(self, resource: HdfsResource, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """URIs of two generations per asset, replaced two days ago; the first model is registered."""
        made = {}
        registry = local_path(get_registry(resource).root)
        for killed in ("random_forest/_staging/v1.0.0-0123abcd", "xgboost/_staging/v1.0.0-0123abcd"):
            registry.joinpath(killed).mkdir(parents=True)
            os.utime(registry / killed, (1, 1))
        with monkeypatch.context() as patch:
            patch.setattr(publish, "datetime", _DaysAgo)
            for key in ("random_forest_cv_report", "random_forest_model", "random_forest_evaluation"):
                made[key] = [_published(resource.dataset(key)) for _ in range(3)][:2]
        kept = made["random_forest_model"][0]
        new = made_up(resource.filesystem, resource.base_uri, "random_forest", "g", training=training(kept))
        get_registry(resource).register(new)
        return made

    def test_references_of_a_version_stay_and_the_rest_is_removed(
        self, resource: HdfsResource, replaced: dict[str, list[str]]
    ) -> None:
        notices: list[Any] = []
        removed = prune(resource, get_registry(resource), 24, notices.append)
        kept = replaced["random_forest_model"][0]
        left = [
            f"{get_registry(resource).root}/{lane}/_staging/v1.0.0-0123abcd" for lane in ("random_forest", "xgboost")
        ]
        assert sorted(removed) == sorted([*left, *(uri for uris in replaced.values() for uri in uris if uri != kept)])
        assert resource.filesystem.exists(f"{kept}/part-0")
        for key in replaced:
            current = resource.dataset(key).current(WEEK)
            assert current is not None
            assert resource.filesystem.exists(current.uri)
        assert notices == []

    def test_a_failed_removal_only_warns(
        self,
        resource: HdfsResource,
        replaced: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        damaged, forbidden, fine = ("random_forest_cv_report", "random_forest_model", "random_forest_evaluation")
        local_path(resource.dataset(damaged).root).joinpath("_pointers", f"{WEEK}.json").write_text("{")
        delete = LocalFileSystem.delete

        def refuse(filesystem: LocalFileSystem, uri: str) -> None:
            if f"/{forbidden}/" in uri or "/xgboost/_staging/" in uri:
                raise StorageError("Permission denied")
            delete(filesystem, uri)

        monkeypatch.setattr(LocalFileSystem, "delete", refuse)
        notices: list[Any] = []
        assert prune(resource, get_registry(resource), 24, notices.append) == replaced[fine]
        assert [text.code for text in notices] == [
            "retention.dataset-not-pruned",
            "retention.dataset-not-pruned",
            "retention.registry-not-pruned",
        ]
        assert [text.values.get("asset") for text in notices] == [damaged, forbidden, None]
        assert [text.values["root"] for text in notices] == [
            resource.dataset(damaged).root,
            resource.dataset(forbidden).root,
            get_registry(resource).root,
        ]
        assert f"{WEEK}.json" in notices[0].values["cause"]
        assert [text.values["cause"] for text in notices[1:]] == ["Permission denied"] * 2
        assert all(resource.filesystem.exists(uri) for key in (damaged, forbidden) for uri in replaced[key])

    def test_nothing_is_removed_while_the_references_are_unknown(
        self, resource: HdfsResource, replaced: dict[str, list[str]]
    ) -> None:
        (version,) = local_path(get_registry(resource).root).glob("random_forest/v*/metadata.json")
        version.write_text("{")
        notices: list[Any] = []
        assert prune(resource, get_registry(resource), 24, notices.append) == []
        (notice,) = notices
        assert notice.code == "retention.references-unknown"
        assert str(version.parent) in notice.values["cause"]


class _DaysAgo(datetime):
    """A clock that is two days slow, for data that must look old."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) - timedelta(days=2)


def _published(dataset: Dataset) -> str:
    staged = dataset.stage("run-1")
    dataset.filesystem.write_new(f"{staged}/part-0", os.urandom(4))
    return dataset.publish(WEEK, staged, "run-1", {}).uri
