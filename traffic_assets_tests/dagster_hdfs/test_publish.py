"""Publishing partitions: the current generation is always the complete old one or the complete new one."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_assets.dagster_hdfs import publish
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation, PointerError
from traffic_assets_tests.codes import get_code, get_values

Storage = tuple[FileSystem, str]
STEPS = ("staging written", "renamed", "pointer written aside", "pointer swapped")
PARTS = 3
DAY = timedelta(days=1)


class CrashError(BaseException):
    """Simulated end of the process."""


@pytest.fixture
def dataset(storage: Storage) -> Dataset:
    fs, base = storage
    return Dataset(f"{base}/features", fs, "date")


@pytest.fixture
def local(tmp_path: Path) -> Dataset:
    """A dataset for tests that do not depend on the file system."""
    return Dataset(f"file://{tmp_path}/features", LocalFileSystem(), "date")


def _publish(dataset: Dataset, key: str, content: str) -> Generation:
    staged = dataset.stage("run-1")
    for part in range(PARTS):
        dataset.filesystem.write_new(f"{staged}/part-{part}", content.encode())
    return dataset.publish(key, staged, "run-1", {"content": content})


def _parts(dataset: Dataset, generation: Generation) -> list[FileStatus]:
    """Return the data files that Spark reads, whose names do not begin with _."""
    return [entry for entry in dataset.filesystem.list(generation.uri) if not entry.name.startswith("_")]


def _content(dataset: Dataset, key: str) -> str | None:
    """Return the content that a reader gets, the same in every part and in the record."""
    generation = dataset.current(key)
    if generation is None:
        return None
    parts = _parts(dataset, generation)
    contents = {dataset.filesystem.read_bytes(part.uri).decode() for part in parts}
    assert (len(parts), contents) == (PARTS, {generation.record["content"]})
    return contents.pop()


@contextmanager
def _at_step(step: str, action: Any) -> Iterator[None]:
    """Call the action when a publisher logs the step, as the kill tests do."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == f"publish step: {step}":
                action(record)

    logger, handler = logging.getLogger(publish.__name__), Handler()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_a_published_generation_is_current(dataset: Dataset) -> None:
    assert dataset.current("2026-01-05") is None
    assert dataset.partitions() == []
    published = _publish(dataset, "2026-01-05", "first")
    assert dataset.current("2026-01-05") == published
    assert published.uri == f"{dataset.root}/_generations/date=2026-01-05/{published.id}"
    assert published.run_id == "run-1"
    assert datetime.now(UTC) - published.published_at < timedelta(minutes=5)
    assert _content(dataset, "2026-01-05") == "first"
    assert dataset.filesystem.list(f"{dataset.root}/_staging") == []


def test_a_second_generation_replaces_the_first(dataset: Dataset) -> None:
    first = _publish(dataset, "2026-01-05", "first")
    second = _publish(dataset, "2026-01-05", "second")
    assert second.id > first.id
    assert _content(dataset, "2026-01-05") == "second"
    assert dataset.filesystem.read_bytes(f"{first.uri}/part-0") == b"first", "its readers can continue"


def test_partitions_in_order(local: Dataset) -> None:
    for key in ("2026-01-07", "2026-01-05", "2026-01-06"):
        _publish(local, key, key)
    assert local.partitions() == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert list(local.current_generations()) == local.partitions()
    keys = ["2026-01-07", "2026-01-08", "2026-01-05"]
    assert list(local.current_generations(keys)) == ["2026-01-07", "2026-01-05"]


class Waiting(LocalFileSystem):
    """File system that answers only if pointers are read at the same time."""

    def __init__(self, readers: int) -> None:
        self.barrier = threading.Barrier(readers, timeout=60)

    def read_bytes(self, uri: str) -> bytes:
        self.barrier.wait()
        return super().read_bytes(uri)


def test_pointers_of_many_days_are_read_at_the_same_time(local: Dataset) -> None:
    for day in range(5, 9):
        _publish(local, f"2026-01-0{day}", str(day))
    waiting = Dataset(local.root, Waiting(4), "date")
    assert waiting.current_generations() == local.current_generations()


def test_small_files_are_read_only_if_they_are_whole(dataset: Dataset) -> None:
    staged = dataset.stage("run-1")
    dataset.filesystem.write_new(f"{staged}/_files/note.txt", b"beside")
    published = dataset.publish("2026-01-05", staged, "run-1", {})
    assert dataset.files(published) == {"note.txt": b"beside"}
    dataset.filesystem.write_bytes(f"{published.uri}/_files/note.txt", b"")
    with pytest.raises(StorageError) as caught:
        dataset.files(published)
    assert get_code(caught.value) == "storage.damaged-generation"


def test_one_staging_folder_may_hold_many_partitions(dataset: Dataset) -> None:
    staged = dataset.stage("run-1")
    for key in ("2026-01-05", "2026-01-06"):
        dataset.filesystem.write_new(f"{staged}/date={key}/part-0", key.encode())
        dataset.publish(key, f"{staged}/date={key}", "run-1", {})
    dataset.discard(staged)
    dataset.discard(staged)
    assert dataset.filesystem.list(f"{dataset.root}/_staging") == []
    for key, generation in dataset.current_generations().items():
        assert dataset.filesystem.read_bytes(f"{generation.uri}/part-0") == key.encode()


def test_datasets_without_partition_column(storage: Storage) -> None:
    fs, base = storage
    dataset = Dataset(f"{base}/sensors/", fs)
    generation = _publish(dataset, UNPARTITIONED, "table")
    assert generation.uri == f"{base}/sensors/_generations/all/{generation.id}"
    assert dataset.current(UNPARTITIONED) == generation
    assert not fs.exists(f"{base}/sensors/_pointers/other.json")


def test_readers_never_miss_a_partition_that_is_replaced(dataset: Dataset) -> None:
    _publish(dataset, "2026-01-05", "0")
    done = threading.Event()

    def read() -> int:
        count = 0
        while not done.is_set() or count < 20:
            assert _content(dataset, "2026-01-05") is not None
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for number in range(30):
                _publish(dataset, "2026-01-05", str(number))
        finally:
            done.set()
        assert reader.result() >= 20


def test_concurrent_publishers_leave_one_whole_generation(dataset: Dataset) -> None:
    barrier = threading.Barrier(6)

    def run(number: int) -> Generation:
        barrier.wait()
        return _publish(dataset, "2026-01-05", str(number))

    with ThreadPoolExecutor(6) as pool:
        published = list(pool.map(run, range(6)))
    assert len({generation.id for generation in published}) == 6
    assert dataset.current("2026-01-05") in published
    assert _content(dataset, "2026-01-05") in {"0", "1", "2", "3", "4", "5"}
    assert len(dataset.filesystem.list(f"{dataset.root}/_generations/date=2026-01-05")) == 6
    assert dataset.filesystem.list(f"{dataset.root}/_staging") == []


def test_two_publishers_that_meet_between_rename_and_swap(dataset: Dataset) -> None:
    """Check that the later swap wins even if its generation is older, and that pruning keeps the current one."""

    def overtake(record: logging.LogRecord) -> None:
        if record.generation == first[0]:  # type: ignore[attr-defined]
            _publish(dataset, "2026-01-05", "fast")

    first: list[str] = []
    with _at_step("staging written", lambda record: first.append(record.generation)), _at_step("renamed", overtake):
        _publish(dataset, "2026-01-05", "slow")
    assert _content(dataset, "2026-01-05") == "slow"
    removed = dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 2 * DAY)
    assert [uri.rpartition("/")[2] > first[0] for uri in removed] == [True]
    assert _content(dataset, "2026-01-05") == "slow"


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_each_step_leaves_the_old_or_the_new_generation(dataset: Dataset, step: str) -> None:
    def crash(_: logging.LogRecord) -> None:
        raise CrashError

    _publish(dataset, "2026-01-05", "old")
    with _at_step(step, crash), pytest.raises(CrashError):
        _publish(dataset, "2026-01-05", "new")
    assert _content(dataset, "2026-01-05") == ("new" if step == "pointer swapped" else "old")
    _publish(dataset, "2026-01-05", "next")
    assert _content(dataset, "2026-01-05") == "next"
    dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 2 * DAY)
    assert len(dataset.filesystem.list(f"{dataset.root}/_generations/date=2026-01-05")) == 1
    assert dataset.filesystem.list(f"{dataset.root}/_staging") == []
    assert _content(dataset, "2026-01-05") == "next"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, *STEPS]), st.booleans()), max_size=8))
def test_any_sequence_of_publications_crashes_and_prunes(events: list[tuple[str, str | None, bool]]) -> None:
    def crash(_: logging.LogRecord) -> None:
        raise CrashError

    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset(folder, LocalFileSystem(), "date")
        expected: dict[str, str] = {}
        for number, (key, crash_at, clean) in enumerate(events):
            if crash_at is None:
                _publish(dataset, key, str(number))
            else:
                with _at_step(crash_at, crash), pytest.raises(CrashError):
                    _publish(dataset, key, str(number))
            if crash_at in (None, "pointer swapped"):
                expected[key] = str(number)
            if clean:
                dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 2 * DAY)
            assert {key: _content(dataset, key) for key in dataset.current_generations()} == expected


def test_old_generations_are_removed(dataset: Dataset) -> None:
    named, old, current = (_publish(dataset, "2026-01-05", name) for name in ("named", "old", "current"))
    abandoned = dataset.stage("killed-run")
    assert dataset.prune_generations(DAY, [named.uri]) == [], "nothing is a day old"
    later = datetime.now(UTC) + 2 * DAY
    assert dataset.prune_generations(DAY, [named.uri], now=later) == [old.uri, abandoned]
    assert not dataset.filesystem.exists(old.uri)
    assert dataset.prune_generations(DAY, lambda uri: uri != named.uri, now=later) == [named.uri]
    assert dataset.prune_generations(DAY, [], now=later + 1000 * DAY) == []
    assert dataset.current("2026-01-05") == current
    assert _content(dataset, "2026-01-05") == "current"


def test_the_age_of_a_generation_begins_when_it_is_replaced(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), LocalFileSystem())
    old = _publish(dataset, "all", "old")
    past = tmp_path / "_generations" / "all" / f"20250101T000000000000-{old.id[-8:]}"
    Path(old.uri.removeprefix("file://")).rename(past)
    _publish(dataset, "all", "new")
    assert dataset.prune_generations(DAY, []) == [], "it was current a moment ago, so it may be in use"
    assert dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 2 * DAY) == [f"file://{past}"]


@pytest.mark.parametrize("killed_at", ["renamed", "pointer swapped"])
def test_an_orphan_of_a_killed_publisher_replaces_no_generation(tmp_path: Path, killed_at: str) -> None:
    """Check an orphan that is a year old: the generation before it was current until a moment ago."""

    def crash(_: logging.LogRecord) -> None:
        raise CrashError

    dataset = Dataset(str(tmp_path), LocalFileSystem())
    folder = tmp_path / "_generations" / "all"
    old = _publish(dataset, "all", "old")
    Path(old.uri.removeprefix("file://")).rename(folder / f"20240101T000000000000-{old.id[-8:]}")
    with _at_step("renamed", crash), pytest.raises(CrashError):
        _publish(dataset, "all", "orphan")
    orphan = next(path for path in folder.iterdir() if not path.name.startswith("2024"))
    orphan.rename(folder / f"20250101T000000000000-{orphan.name[-8:]}")
    if killed_at == "renamed":
        _publish(dataset, "all", "new")
    else:
        with _at_step("pointer swapped", crash), pytest.raises(CrashError):
            _publish(dataset, "all", "new")
    assert dataset.prune_generations(DAY, []) == []
    assert len(dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 2 * DAY)) == 2
    assert _content(dataset, "all") == "new"


def test_a_retention_period_that_is_too_short_is_refused(local: Dataset) -> None:
    with pytest.raises(ValueError) as caught:
        local.prune_generations(timedelta(hours=23), [])
    assert get_code(caught.value) == "storage.short-retention"
    assert get_values(caught.value) == {"keep": timedelta(hours=23), "shortest": DAY}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda text: text[:50], "JSONDecodeError"),
        (lambda text: "", "JSONDecodeError"),
        (lambda text: "[]", "TypeError"),
        (lambda text: text.replace("run_id", "other"), "KeyError"),
        (lambda text: text.replace("_generations/", "../elsewhere/"), "ValueError"),
        (lambda text: text.replace("date=2026-01-05", "date=2026-01-06"), None),
        (lambda text: text.replace('"published_at": "', '"published_at": "x'), "isoformat"),
        (lambda text: text.replace('"record": {', '"record": 1, "other": {'), "TypeError"),
        (lambda text: "\ufffe" + text, "JSONDecodeError"),
    ],
)
def test_a_damaged_pointer_is_named(tmp_path: Path, change: Any, cause: str | None) -> None:
    dataset = Dataset(str(tmp_path), LocalFileSystem(), "date", "feature_table", "rebuild {first} {last}")
    _publish(dataset, "2026-01-05", "first")
    old = _publish(dataset, "2026-01-05", "second")
    pointer = tmp_path / "_pointers" / "2026-01-05.json"
    pointer.write_text(change(pointer.read_text()))
    for call in (
        lambda: dataset.current("2026-01-05"),
        dataset.current_generations,
        lambda: dataset.prune_generations(DAY, [], now=datetime.now(UTC) + 9 * DAY),
    ):
        with pytest.raises(PointerError) as caught:
            call()
        values = get_values(caught.value)
        assert values["pointer"] == f"file://{pointer}"
        assert (values["subject"], values["remedy"]) == ("feature_table 2026-01-05", "rebuild 2026-01-05 2026-01-05")
        if cause is None:
            assert get_code(caught.value) == "storage.foreign-pointer"
            assert (values["partition"], "date=2026-01-06" in values["path"]) == ("2026-01-05", True)
        else:
            assert get_code(caught.value) == "storage.damaged-pointer"
            assert cause in values["cause"]
    assert dataset.filesystem.exists(old.uri), "nothing is removed while the current generation is unknown"
    assert _content_after_repair(dataset) == "third"


def _content_after_repair(dataset: Dataset) -> str | None:
    _publish(dataset, "2026-01-05", "third")
    return _content(dataset, "2026-01-05")


def test_invalid_publications_are_refused(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), LocalFileSystem(), "date")
    staged = dataset.stage("run-1")
    calls: list[tuple[Callable[[], object], str, dict[str, Any]]] = []
    for key in ("", "..", "a/b", "_pointers", "2026-01-05 10:00"):
        name = {"name": key, "what": "partition key", "length": 200}
        calls.append((partial(dataset.publish, key, staged, "run-1", {}), "storage.invalid-name", name))
        calls.append((partial(dataset.current, key), "storage.invalid-name", name))
    run = {"name": "../run", "what": "run id", "length": 200}
    calls.append((lambda: dataset.stage("../run"), "storage.invalid-name", run))
    for folder in (f"{tmp_path}/elsewhere", f"{staged}/../../_generations"):
        outside = {"uri": folder, "staging": f"{dataset.root}/_staging"}
        calls.append((partial(dataset.publish, "2026-01-05", folder, "run-1", {}), "storage.not-staged", outside))
    calls.append(
        (lambda: Dataset(str(tmp_path), dataset.filesystem, "a=b"), "storage.invalid-column", {"column": "a=b"})
    )
    calls.append((lambda: Dataset("relative", dataset.filesystem), "storage.not-local", {"path": "relative"}))
    for call, code, values in calls:
        with pytest.raises(ValueError) as caught:
            call()
        assert (get_code(caught.value), get_values(caught.value)) == (code, values)
    with pytest.raises(TypeError, match="JSON"):
        dataset.publish("2026-01-05", staged, "run-1", {"when": datetime.now(UTC)})
    with pytest.raises(ValueError, match="JSON"):
        dataset.publish("2026-01-05", staged, "run-1", {"r2": float("nan")})
    assert dataset.partitions() == []
    dataset.discard(staged)
    with pytest.raises(FileNotFoundError):
        dataset.publish("2026-01-05", staged, "run-1", {})
    assert dataset.partitions() == []


def test_a_base_may_have_dots_in_its_name(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path / "a..b"), LocalFileSystem())
    _publish(dataset, "all", "first")
    assert _content(dataset, "all") == "first"


class Refusing(LocalFileSystem):
    """File system that refuses to delete, and to write files of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write_new(self, uri: str, data: bytes) -> None:
        if uri.endswith(f"/{self.name}"):
            raise StorageError("The namespace quota is used up", "name_quota")
        super().write_new(uri, data)

    def delete(self, uri: str) -> None:
        raise StorageError("Permission denied", "permission")


def test_a_published_generation_does_not_fail_in_a_later_step(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = Dataset(str(tmp_path), Refusing("_published"))
    published = _publish(dataset, "all", "first")
    assert dataset.current("all") == published
    (warning,) = (record.msg for record in caplog.records if record.levelno == logging.WARNING)
    assert isinstance(warning, CodedText)
    assert warning.code == "storage.not-marked"
    assert warning.values == {"uri": published.uri, "cause": "The namespace quota is used up"}


def test_a_failed_discard_is_logged_and_hides_no_other_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = Dataset(str(tmp_path), Refusing("part-1"))
    staged = dataset.stage("run-1")
    dataset.discard(staged)
    (warning,) = (record.msg for record in caplog.records if record.levelno == logging.WARNING)
    assert isinstance(warning, CodedText)
    assert (warning.code, warning.values) == ("storage.not-removed", {"uri": staged, "cause": "Permission denied"})


def test_the_pointer_describes_its_generation(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), LocalFileSystem(), "date")
    published = _publish(dataset, "2026-01-05", "first")
    pointer = json.loads((tmp_path / "_pointers" / "2026-01-05.json").read_text())
    assert pointer == {
        "generation": published.id,
        "path": f"_generations/date=2026-01-05/{published.id}",
        "published_at": published.published_at.isoformat(),
        "run_id": "run-1",
        "record": {"content": "first", "bytes": 15, "files": {"part-0": 5, "part-1": 5, "part-2": 5}},
    }
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert _content(Dataset(f"file://{moved}", LocalFileSystem(), "date"), "2026-01-05") == "first"


def test_each_step_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="traffic_assets.dagster_hdfs.publish"):
        _publish(Dataset(str(tmp_path), LocalFileSystem()), "all", "first")
    assert caplog.messages == [f"publish step: {step}" for step in STEPS]
    assert [record.step for record in caplog.records] == list(STEPS)  # type: ignore[attr-defined]
