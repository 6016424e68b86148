"""The registry: immutable, complete versions after any failure, and the refusal to load unknown classes."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_assets.catalogue.column import Column
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.ml.algorithm import algorithm_named, built_in_algorithms
from traffic_assets.ml.fitting.pipeline import fit_pipeline, get_preprocessor
from traffic_assets.ml.preprocessing.feature_set import usable_features
from traffic_assets.registry import store
from traffic_assets.registry.reading import summary
from traffic_assets.registry.store import ModelRegistry, NewVersion
from traffic_assets.registry.versions import RegistryError, Version
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets_tests.codes import get_code, get_values, warns_with
from traffic_assets_tests.registry.examples import made_up, metadata

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Storage = tuple[FileSystem, str]
STEPS = ("claimed", "files written", "published", "pointer swapped")
FOREST = "random_forest"


class CrashError(BaseException):
    """Simulated end of the process."""


@pytest.fixture
def registry(storage: Storage) -> ModelRegistry:
    fs, base = storage
    return ModelRegistry(f"{base}/models", fs)


@pytest.fixture
def local(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(f"file://{tmp_path}/models/", LocalFileSystem())


def _new(registry: ModelRegistry, name: str, lane: str = FOREST) -> NewVersion:
    return made_up(registry.filesystem, registry.root.removesuffix("/models"), lane, name)


def _register(registry: ModelRegistry, name: str, lane: str = FOREST) -> str:
    return registry.register(_new(registry, name, lane)).version


def _contents(registry: ModelRegistry, lane: str = FOREST) -> dict[str, str]:
    """Return the name of the model by version, and require it in every file of the manifest."""
    contents = {}
    for version in registry.versions(lane):
        uri = f"{registry.root}/{lane}/{version}"
        files = {
            "pipeline/metadata/part-0": "pipeline of ",
            "pipeline/stages/0_preprocessor/part-0": "preprocessor of ",
            "pipeline/stages/1_model/data/part-0": "model of ",
            "model/data/part-0": "model of ",
            "artifacts/plot.png": "picture of ",
        }
        names = {
            registry.filesystem.read_bytes(f"{uri}/{path}").decode().removeprefix(text) for path, text in files.items()
        }
        names.add(registry.metadata(lane, version).training.model.rpartition("/")[2])
        assert len(names) == 1
        manifest = json.loads(registry.filesystem.read_bytes(f"{uri}/MANIFEST.json"))
        assert manifest["version"] == registry.metadata(lane, version).version == version
        assert set(manifest["sha256"]) == {*files, "metadata.json"}
        registry.verify(lane, version)
        contents[version] = names.pop()
    return contents


def _pointer(registry: ModelRegistry, lane: str = FOREST) -> str:
    pointer = json.loads(registry.filesystem.read_bytes(f"{registry.root}/{lane}/latest.json"))
    assert pointer["path"] == pointer["version"]
    return str(pointer["version"])


@contextmanager
def _crash_at(step: str | None) -> Iterator[None]:
    """Simulate the end of the process when the registry logs the step."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == f"registry step: {step}":
                raise CrashError

    logger, handler = logging.getLogger(store.__name__), Handler()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_versions_count_up_and_the_last_is_the_latest(registry: ModelRegistry) -> None:
    assert registry.lanes() == []
    assert registry.versions(FOREST) == []
    before = datetime.now(UTC)
    for name, expected in (("one", "v1.0.0"), ("two", "v1.1.0"), ("three", "v1.2.0")):
        assert _register(registry, name) == expected
        assert registry.latest(FOREST) == _pointer(registry) == expected
    assert registry.versions(FOREST) == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert _contents(registry) == {"v1.0.0": "one", "v1.1.0": "two", "v1.2.0": "three"}
    assert registry.lanes() == [FOREST]
    assert registry.filesystem.list(f"{registry.root}/{FOREST}/_staging") == []
    stored = registry.metadata(FOREST)
    assert stored == registry.metadata(FOREST, "v1.2.0") != registry.metadata(FOREST, "v1.1.0")
    assert before <= stored.created_at <= datetime.now(UTC)


def test_a_version_that_was_copied_by_hand_is_refused_and_counts_for_nothing(registry: ModelRegistry) -> None:
    _register(registry, "first")
    uri = f"{registry.root}/{FOREST}"
    registry.filesystem.copy(f"{uri}/v1.0.0", f"{uri}/v7.0.0")
    with pytest.raises(RegistryError) as caught:
        registry.metadata(FOREST, "v7.0.0")
    assert get_code(caught.value) == "registry.misplaced-version"
    assert get_values(caught.value) == {"uri": f"{uri}/v7.0.0", "lane": FOREST, "version": "v1.0.0"}
    assert registry.latest(FOREST) == "v1.0.0"
    assert _register(registry, "second") == "v1.1.0"
    assert _pointer(registry) == "v1.1.0"


def test_the_number_of_a_copy_is_skipped(registry: ModelRegistry) -> None:
    """Otherwise the registration would fail at its last step, when it moves its files to the folder of the copy."""
    _register(registry, "first")
    uri = f"{registry.root}/{FOREST}"
    registry.filesystem.copy(f"{uri}/v1.0.0", f"{uri}/v1.1.0")
    assert registry.latest(FOREST) == "v1.0.0"
    assert _register(registry, "second") == "v1.2.0"
    assert registry.latest(FOREST) == _pointer(registry) == "v1.2.0"
    assert not registry.filesystem.exists(f"{uri}/_claims/v1.1.0.json")


def test_lanes_are_separate_including_those_with_a_prefix(local: ModelRegistry) -> None:
    for lane in ("h15/random_forest", FOREST, "linear_regression", "flow/h15/random_forest"):
        assert _register(local, f"of-{lane.replace('/', '-')}", lane) == "v1.0.0"
    assert _register(local, "second", "h15/random_forest") == "v1.1.0"
    assert local.lanes() == ["flow/h15/random_forest", "h15/random_forest", "linear_regression", FOREST]
    assert [f"{m.lane} {m.version}" for m in local.all_versions()] == [
        "flow/h15/random_forest v1.0.0",
        "h15/random_forest v1.0.0",
        "h15/random_forest v1.1.0",
        "linear_regression v1.0.0",
        "random_forest v1.0.0",
    ]
    assert local.versions("h15") == []
    assert _contents(local, "h15/random_forest") == {"v1.0.0": "of-h15-random_forest", "v1.1.0": "second"}


def test_the_same_generation_is_never_registered_twice(local: ModelRegistry) -> None:
    assert [_register(local, name) for name in ("one", "two", "one", "two")] == ["v1.0.0", "v1.1.0"] * 2
    assert local.versions(FOREST) == ["v1.0.0", "v1.1.0"]
    assert _pointer(local) == "v1.1.0", "registering an old model again does not make it the latest"


def test_earlier_versions_never_change(local: ModelRegistry) -> None:
    _register(local, "one")
    folder = Path(f"{local.root}/{FOREST}/v1.0.0".removeprefix("file://"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("two", "one", "three"):
        _register(local, name)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_each_step_leaves_earlier_versions_complete(registry: ModelRegistry, step: str) -> None:
    _register(registry, "one")
    with _crash_at(step), pytest.raises(CrashError):
        _register(registry, "two")
    published = step in ("published", "pointer swapped")
    assert _contents(registry) == {"v1.0.0": "one"} | ({"v1.1.0": "two"} if published else {})
    version = _register(registry, "two")
    assert version == ("v1.1.0" if published else "v1.2.0"), "a claimed number without a version is a gap"
    assert _contents(registry) == {"v1.0.0": "one", version: "two"}
    assert registry.latest(FOREST) == _pointer(registry) == version


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, *STEPS])), max_size=6))
def test_any_sequence_of_registrations_and_crashes(events: list[tuple[str, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = ModelRegistry(f"file://{folder}/models", LocalFileSystem())
        expected: list[str] = []
        for name, crash_at in events:
            known = name in expected
            if crash_at is None or known:
                with _crash_at(crash_at):
                    _register(registry, name)
            else:
                with _crash_at(crash_at), pytest.raises(CrashError):
                    _register(registry, name)
            if crash_at in (None, "published", "pointer swapped") and not known:
                expected.append(name)
            assert list(_contents(registry).values()) == expected
        if expected:
            assert _register(registry, expected[-1]) == registry.latest(FOREST) == _pointer(registry)


def test_a_failure_in_the_middle_leaves_nothing_behind(local: ModelRegistry) -> None:
    fs = local.filesystem
    new = _new(local, "one")
    for broken, error in (
        (replace(new, pipeline_uri=f"{local.root}/nowhere"), FileNotFoundError),
        (replace(new, model_uri=f"{local.root}/nowhere"), FileNotFoundError),
        (replace(new, artifacts={"../evil.png": b""}), ValueError),
    ):
        with pytest.raises(error):
            local.register(broken)
        assert local.versions(FOREST) == []
        assert fs.list(f"{local.root}/{FOREST}/_staging") == []
    assert local.register(new).version == "v1.3.0"
    assert _contents(local) == {"v1.3.0": "one"}


def test_a_failed_cleanup_does_not_hide_the_first_error(
    local: ModelRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: str) -> None:
        raise StorageError("Permission denied")

    new = replace(_new(local, "one"), artifacts={"../evil.png": b""})
    monkeypatch.setattr(local.filesystem, "delete", refuse)
    with pytest.raises(ValueError) as caught:
        local.register(new)
    assert get_code(caught.value) == "storage.invalid-name"
    assert get_values(caught.value)["what"] == "path segment"
    (warning,) = (record.msg for record in caplog.records if record.levelno == logging.WARNING)
    assert isinstance(warning, CodedText)
    assert (warning.code, warning.values["cause"]) == ("storage.not-removed", "Permission denied")


def test_staged_files_of_killed_registrations_are_pruned(registry: ModelRegistry) -> None:
    _register(registry, "one")
    _register(registry, "two", "flow/h15/random_forest")
    left = [
        f"{registry.root}/{FOREST}/_staging/v1.1.0-0123abcd/model/part-0",
        f"{registry.root}/{FOREST}/.latest.json.0123456789abcdef.aside",
        f"{registry.root}/{FOREST}/_claims/.v1.1.0.json.0123456789abcdef.aside",
        f"{registry.root}/flow/xgboost/_staging/v1.0.0-0123abcd/model/part-0",  # a lane without any version
    ]
    for uri in left:
        registry.filesystem.write_new(uri, b"left")
    assert registry.prune_staging(timedelta(days=1)) == [], "the registration may be in progress"
    removed = registry.prune_staging(timedelta(days=1), now=datetime.now(UTC) + timedelta(days=2))
    assert sorted(removed) == sorted(uri.removesuffix("/model/part-0") for uri in left)
    assert not any(registry.filesystem.exists(uri) for uri in removed)
    assert _contents(registry) == {"v1.0.0": "one"}
    assert _register(registry, "three") == "v1.1.0", "claims stay, and a number without a claim is free"


def test_a_bare_path_is_on_the_local_disk_regardless_of_sparks_default(tmp_path: Path) -> None:
    registry = ModelRegistry(f"{tmp_path}/models/", LocalFileSystem())
    assert registry.root == f"file://{tmp_path}/models"
    with pytest.raises(ValueError) as caught:
        ModelRegistry("models", LocalFileSystem())
    assert get_code(caught.value) == "storage.not-local"
    assert get_values(caught.value) == {"path": "models"}


def test_concurrent_registrations_get_one_version_each(local: ModelRegistry) -> None:
    """Register in threads; for twenty processes on HDFS see `cluster/test_concurrent_registration.py`."""
    new = [_new(local, str(number)) for number in range(8)]
    barrier = threading.Barrier(len(new))

    def run(one: NewVersion) -> str:
        barrier.wait()
        return local.register(one).version

    with ThreadPoolExecutor(len(new)) as pool:
        versions = list(pool.map(run, new))
    assert sorted(versions) == local.versions(FOREST) == [f"v1.{minor}.0" for minor in range(8)]
    assert _contents(local) == {version: str(number) for number, version in enumerate(versions)}
    assert _pointer(local) == "v1.7.0"


def test_versions_are_in_the_order_of_numbers_not_of_text(local: ModelRegistry) -> None:
    for number in range(11):
        _register(local, str(number))
    assert local.versions(FOREST)[-2:] == ["v1.9.0", "v1.10.0"]
    assert local.latest(FOREST) == "v1.10.0"
    assert _register(local, "next") == "v1.11.0"


def test_a_missing_model_or_version_is_named_with_those_that_exist(registry: ModelRegistry) -> None:
    with pytest.raises(RegistryError) as caught:
        registry.latest(FOREST)
    assert get_code(caught.value) == "registry.no-model"
    assert get_values(caught.value) == {"lane": FOREST, "lanes": []}
    _register(registry, "one")
    _register(registry, "two")
    for call in (registry.metadata, registry.verify, registry.load):
        with pytest.raises(RegistryError) as caught:
            call(FOREST, "v1.7.0")
        assert get_code(caught.value) == "registry.no-version"
        assert get_values(caught.value) == {"lane": FOREST, "version": "v1.7.0", "versions": ["v1.0.0", "v1.1.0"]}
        with pytest.raises(RegistryError) as caught:
            call("xgboost")
        assert get_code(caught.value) == "registry.no-model"
        assert get_values(caught.value) == {"lane": "xgboost", "lanes": [FOREST]}
        with pytest.raises(RegistryError) as caught:
            call("xgboost", "v1.0.0")
        assert get_code(caught.value) == "registry.no-version"
        assert get_values(caught.value) == {"lane": "xgboost", "version": "v1.0.0", "versions": []}


@pytest.mark.parametrize(
    "version", ["", "1.0.0", "v1.0", "v1.0.0.0", "v1.0.x", "newest", "../v1.0.0", "v1.0.0/..", "v1.0.0\n"]
)
def test_a_version_with_another_form_is_refused(local: ModelRegistry, version: str) -> None:
    _register(local, "one")
    for call in (local.metadata, local.verify, local.load):
        with pytest.raises(RegistryError) as caught:
            call(FOREST, version)
        assert get_code(caught.value) == "registry.invalid-version"
        assert get_values(caught.value) == {"version": version}


@pytest.mark.parametrize(
    "lane", ["", "..", "../random_forest", "a//b", "/etc", "a/../b", "_staging", "a b", ".hidden", "a:b"]
)
def test_a_lane_that_is_not_a_safe_path_is_refused(local: ModelRegistry, lane: str) -> None:
    new = replace(_new(local, "one"), lane=lane)
    calls: list[Callable[[], object]] = [
        lambda: local.register(new),
        lambda: local.versions(lane),
        lambda: local.latest(lane),
        lambda: local.load(lane, "v1.0.0"),
        lambda: local.metadata(lane),
    ]
    for call in calls:
        with pytest.raises(ValueError) as caught:
            call()
        assert get_code(caught.value) == "storage.invalid-name"
        assert get_values(caught.value)["what"] == "path segment"
    assert local.lanes() == []


def test_a_lane_inside_a_version_is_refused(local: ModelRegistry) -> None:
    _register(local, "one")
    for lane in ("random_forest/v1.0.0", "v1.0.0", "random_forest/v1.0.0/model"):
        with pytest.raises(ValueError) as caught:
            local.register(replace(_new(local, "two"), lane=lane))
        assert get_code(caught.value) == "registry.invalid-lane"
        assert get_values(caught.value) == {"lane": lane}
    assert _contents(local) == {"v1.0.0": "one"}


def _version_folder(registry: ModelRegistry) -> Path:
    return Path(f"{registry.root}/{FOREST}/v1.1.0".removeprefix("file://"))


DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    ("model/data/part-0", lambda folder: (folder / "model/data/part-0").write_bytes(b"model of tw0")),
    ("pipeline/metadata/part-0", lambda folder: (folder / "pipeline/metadata/part-0").unlink()),
    ("artifacts/plot.png", lambda folder: (folder / "artifacts/plot.png").write_bytes(b"")),
    ("pipeline/stages/2_added/part-0", lambda folder: _add(folder / "pipeline/stages/2_added/part-0")),
    ("metadata.json", lambda folder: _edit(folder / "metadata.json", '"rmse":', '"rmse": 1')),
    ("metadata.json", lambda folder: (folder / "metadata.json").write_bytes(b'{"lane": "ran')),
    ("metadata.json", lambda folder: (folder / "metadata.json").unlink()),
    ("MANIFEST.json", lambda folder: (folder / "MANIFEST.json").write_bytes(b'{"sha256"')),
    ("MANIFEST.json", lambda folder: (folder / "MANIFEST.json").write_bytes(b"[]")),
    ("MANIFEST.json", lambda folder: (folder / "MANIFEST.json").unlink()),
]


def _add(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"more")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_a_damaged_file_is_found_and_named(local: ModelRegistry, file: str, damage: Callable[[Path], object]) -> None:
    _register(local, "one")
    _register(local, "two")
    local.verify(FOREST, "v1.1.0")
    damage(_version_folder(local))
    calls: list[Callable[[str], object]] = [lambda v: local.verify(FOREST, v), lambda v: local.load(FOREST, v)]
    for call in calls:
        for version in ("v1.1.0", "latest"):
            with pytest.raises(RegistryError) as caught:
                call(version)
            assert get_code(caught.value) == "registry.damaged-version"
            values = get_values(caught.value)
            assert (values["lane"], values["version"], values["files"]) == (FOREST, "v1.1.0", (file,))
            assert values["versions"] == ["v1.0.0"], "the other versions, without the damaged one"
    local.verify(FOREST, "v1.0.0")


def test_only_versions_that_load_are_offered(local: ModelRegistry) -> None:
    for name in ("one", "two", "three", "four"):
        _register(local, name)
    folder = Path(f"{local.root}/{FOREST}".removeprefix("file://"))
    shutil.copytree(folder / "v1.0.0", folder / "v1.9.0")
    (folder / "v1.1.0" / "model/data/part-0").write_bytes(b"")
    (folder / "v1.2.0" / "metadata.json").unlink()
    (folder / "v1.3.0" / "MANIFEST.json").unlink()
    for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
        with pytest.raises(RegistryError) as caught:
            local.load(FOREST, version)
        assert (get_code(caught.value), get_values(caught.value)["versions"]) == (
            "registry.damaged-version",
            ["v1.0.0"],
        )
    with pytest.raises(RegistryError) as caught:
        local.load(FOREST, "v2.0.0")
    assert get_values(caught.value)["versions"] == ["v1.0.0", "v1.1.0", "v1.3.0"], "registered, without the copy"


def test_a_class_that_no_algorithm_names_is_not_imported(local: ModelRegistry) -> None:
    for name in ("os.system", "pyspark.ml.regression.DecisionTreeRegressionModel", "no_such_module.Model"):
        base = local.root.removesuffix("/models")
        local.register(made_up(local.filesystem, base, FOREST, name.replace(".", "-"), model_class=name))
        with pytest.raises(RegistryError) as caught:
            local.load(FOREST)
        assert get_code(caught.value) == "registry.unknown-model-class"
        values = get_values(caught.value)
        assert (values["model_class"], values["algorithm"]) == (name, FOREST)
        assert {algorithm.model_class for algorithm in built_in_algorithms().values()} <= set(values["known"])


def test_references_of_all_versions_must_stay(local: ModelRegistry) -> None:
    assert local.references() == set()
    ids = {_new(local, name).identity.rsplit("/", 1)[-1] for name in ("one", "two", "three")}
    for name, lane in (("one", FOREST), ("two", FOREST), ("three", "h15/random_forest")):
        _register(local, name, lane)
    shared = local.metadata(FOREST).training
    assert local.references() == ids | {"g1", *shared.days.values(), *shared.sensor_tables}


def test_references_of_a_copy_must_stay_and_do_not_stop_pruning(local: ModelRegistry) -> None:
    _register(local, "one")
    folder = Path(f"{local.root}/{FOREST}".removeprefix("file://"))
    shutil.move(folder / "v1.0.0", folder / "v5.0.0")
    _register(local, "two")
    ids = {_new(local, name).identity.rsplit("/", 1)[-1] for name in ("one", "two")}
    assert ids < local.references()


def test_a_damaged_version_stops_pruning_but_not_registration_or_the_list(local: ModelRegistry) -> None:
    for name in ("one", "two"):
        _register(local, name, FOREST)
    Path(f"{local.root.removeprefix('file://')}/{FOREST}/v1.0.0/metadata.json").write_text("{")
    assert _register(local, "three", FOREST) == "v1.2.0"
    errors: list[RegistryError] = []
    assert [metadata.version for metadata in local.all_versions(errors.append)] == ["v1.1.0", "v1.2.0"]
    with pytest.raises(RegistryError) as caught:
        local.references()
    for error in (*errors, caught.value):
        assert get_code(error) == "registry.damaged-version"
        assert get_values(error)["version"] == "v1.0.0"
        assert get_values(error)["versions"] == ["v1.1.0", "v1.2.0"]
    assert len(errors) == 1


def test_old_names_of_methods_warn_and_work(local: ModelRegistry) -> None:
    _register(local, "one")
    renamed = {"old": "RegistryReader.every", "new": "RegistryReader.all_versions"}
    with warns_with("deprecation.renamed", **renamed):
        assert local.every() == local.all_versions()
    errors: list[RegistryError] = []
    Path(f"{local.root.removeprefix('file://')}/{FOREST}/v1.0.0/metadata.json").write_text("{")
    with warns_with("deprecation.renamed", **renamed):
        assert local.every(damaged=errors.append) == []
    assert len(errors) == 1
    with warns_with("deprecation.renamed", old="ModelRegistry.remove_leftovers", new="ModelRegistry.prune_staging"):
        assert local.remove_leftovers(timedelta(days=1)) == []


def test_each_step_is_logged(local: ModelRegistry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=store.__name__):
        _register(local, "one")
    assert caplog.messages == [f"registry step: {step}" for step in STEPS]
    assert {(r.lane, r.version) for r in caplog.records} == {(FOREST, "v1.0.0")}  # type: ignore[attr-defined]


def test_versions_in_order() -> None:
    assert Version.parse("v1.2.3") == Version(1, 2, 3)
    assert Version(1, 10, 0) > Version(1, 9, 9)
    assert str(Version(1, 2, 3).next()) == "v1.3.0"


def test_a_line_of_a_list() -> None:
    created = datetime(2026, 1, 12, tzinfo=UTC) + timedelta(hours=1)
    assert summary(metadata("h15/random_forest", "v1.2.0", created)) == {
        "lane": "h15/random_forest",
        "version": "v1.2.0",
        "kind": "primary",
        "week": "2026-01-05",
        "r2": 0.9997,
        "rmse": 0.7,
        "mae": 0.2,
        "temporal_rmse": 1.5,
        "created_at": created,
    }


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    table = [(float(i % 17), float(i % 5), i % 3, 2.0 * (i % 17) + 5 * (i % 3)) for i in range(200)]
    return spark.createDataFrame(table, "a double, b double, c int, speed double").coalesce(1)


@pytest.fixture(scope="module")
def real_model(rows: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random forest of two trees with its preprocessor, as Spark stores it."""
    columns = [Column("a", "numeric", "double"), Column("b", "numeric", "double"), Column("c", "categorical", "int")]
    small = RandomForestHyperparameters(numTrees=2, maxDepth=3)
    pipeline = fit_pipeline(rows, usable_features(rows, columns), algorithm_named(FOREST), small, 42)
    folder = tmp_path_factory.mktemp("fitted") / "pipeline"
    pipeline.write().save(f"file://{folder}")
    return folder


def _stored(registry: ModelRegistry, folder: Path) -> NewVersion:
    """Copy the real model to the registry's storage, file by file, and return it ready to register."""
    new = _new(registry, "real")
    uri = f"{registry.root.removesuffix('/models')}/real"
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.startswith("."):  # Hadoop's checksums belong to the local disk
            registry.filesystem.write_new(f"{uri}/{file.relative_to(folder)}", file.read_bytes())
    (bare,) = (entry.uri for entry in registry.filesystem.list(f"{uri}/stages") if "RandomForest" in entry.name)
    return replace(new, pipeline_uri=uri, model_uri=bare)


def test_a_loaded_version_predicts_as_the_model_did(registry: ModelRegistry, rows: DataFrame, real_model: Path) -> None:
    from pyspark.ml import PipelineModel

    registered = registry.register(_stored(registry, real_model))
    loaded = registry.load(FOREST)
    assert loaded.metadata == registered
    assert type(loaded.model).__name__ == "RandomForestRegressionModel"
    expected, predictions = (
        [row.prediction for row in pipeline.transform(rows).collect()]
        for pipeline in (PipelineModel.load(f"file://{real_model}"), loaded.pipeline)
    )
    assert predictions == expected
    assert len(set(predictions)) > 3
    vectors = get_preprocessor(loaded.pipeline).transform(rows)
    assert [row.prediction for row in loaded.model.transform(vectors).collect()] == expected


def test_a_version_contains_no_pickle_and_no_serialized_java(local: ModelRegistry, real_model: Path) -> None:
    """Check that loading a model cannot run code from a file."""
    local.register(_stored(local, real_model))
    files = [path for path in Path(local.root.removeprefix("file://")).rglob("*") if path.is_file()]
    assert {path.suffix for path in files if path.stat().st_size} >= {".json", ".parquet"}
    for path in files:
        content = path.read_bytes()
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".ser"}
        assert not content.startswith((*(bytes([0x80, protocol]) for protocol in range(2, 6)), b"\xac\xed\x00\x05"))
