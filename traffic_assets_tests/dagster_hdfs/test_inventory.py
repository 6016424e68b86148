"""The files of a generation, compared with the record of its publication."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets_tests.codes import get_code, get_values

Storage = tuple[FileSystem, str]
PART, NESTED, FIGURE = "part-0.parquet", "split=train/part-1.parquet", "_files/map.png"
CONTENTS = {PART: b"12345678", NESTED: b"1234", FIGURE: b"12", "_SUCCESS": b"", f".{PART}.crc": b"crc "}
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "emptied": lambda content: b"",
    "shortened": lambda content: content[:-1],
    "longer": lambda content: content + b"0",
}


@pytest.fixture
def dataset(storage: Storage) -> Dataset:
    fs, base = storage
    return Dataset(f"{base}/a ß 100%20 folder/features", fs, "date", "feature_table", "rebuild {first} {last}")


@pytest.fixture
def local(tmp_path: Path) -> Dataset:
    """A dataset for tests that do not depend on the file system."""
    return Dataset(str(tmp_path / "features"), LocalFileSystem(), "date")


def publish(dataset: Dataset, key: str, contents: dict[str, bytes] = CONTENTS, **record: Any) -> Generation:
    staged = dataset.stage("run-1")
    for path, content in contents.items():
        dataset.filesystem.write_new(f"{staged}/{path}", content)
    return dataset.publish(key, staged, "run-1", record)


def publish_earlier(dataset: Dataset, key: str, recorded: int, contents: dict[str, bytes]) -> Generation:
    """Publish a generation as earlier code did, whose record has the bytes of the folder and no files."""
    published = publish(dataset, key, contents)
    published.record["bytes"] = recorded
    del published.record["files"]
    dataset.filesystem.write_bytes(f"{dataset.root}/_pointers/{key}.json", dataset._to_json(published))
    current = dataset.current(key)
    assert current is not None
    assert "files" not in current.record
    return current


def change(dataset: Dataset, uri: str, damage: str) -> int | None:
    """Damage a file, and return its bytes; None if it is missing."""
    content = DAMAGES[damage](dataset.filesystem.read_bytes(uri))
    dataset.filesystem.delete(uri)
    if content is None:
        return None
    dataset.filesystem.write_new(uri, content)
    return len(content)


def test_a_published_generation_is_whole(dataset: Dataset) -> None:
    published = [publish(dataset, key) for key in ("2026-01-05", "2026-01-06")]
    assert published[0].record["files"] == {FIGURE: 2, PART: 8, NESTED: 4}
    assert published[0].record["bytes"] == 18, "checksum files included"
    assert [current.record for current in dataset.current_generations().values()] == [g.record for g in published]
    dataset.require_whole(published)
    dataset.require_whole([])


@pytest.mark.parametrize("damage", list(DAMAGES))
@pytest.mark.parametrize("path", [PART, NESTED, FIGURE])
def test_a_damaged_file_is_named_with_its_partition_and_the_remedy(dataset: Dataset, path: str, damage: str) -> None:
    publish(dataset, "2026-01-05")
    second = publish(dataset, "2026-01-06")
    recorded, uri = len(CONTENTS[path]), f"{second.uri}/{path}"
    size = change(dataset, uri, damage)
    with pytest.raises(StorageError) as caught:
        dataset.require_whole(dataset.current_generations().values())
    assert (caught.value.kind, caught.value.retryable) == ("damaged_generation", False)
    assert get_code(caught.value) == "storage.damaged-generation"
    difference = f"missing, {recorded} bytes recorded" if size is None else f"{size} bytes, {recorded} recorded"
    assert get_values(caught.value) == {
        "subject": "feature_table 2026-01-06",
        "files": {uri: difference},
        "remedy": "rebuild 2026-01-06 2026-01-06",
    }


def test_every_damaged_partition_is_named_at_once(dataset: Dataset) -> None:
    published = [publish(dataset, f"2026-01-0{day}") for day in range(5, 9)]
    for generation in (published[0], published[2]):
        change(dataset, f"{generation.uri}/{PART}", "emptied")
    with pytest.raises(StorageError) as caught:
        dataset.require_whole(published)
    values = get_values(caught.value)
    assert values["subject"] == "feature_table 2026-01-05, 2026-01-07"
    assert list(values["files"]) == [f"{published[0].uri}/{PART}", f"{published[2].uri}/{PART}"]
    assert values["remedy"] == "rebuild 2026-01-05 2026-01-07"


def test_a_missing_generation_is_named_with_the_remedy(dataset: Dataset) -> None:
    first, second = publish(dataset, "2026-01-05"), publish(dataset, "2026-01-06")
    dataset.filesystem.rename(second.uri, f"{dataset.root}/elsewhere")
    with pytest.raises(StorageError) as caught:
        dataset.require_whole([first, second])
    assert get_code(caught.value) == "storage.missing-generation"
    assert caught.value.args[0] == (
        f"The generation of feature_table 2026-01-06 is missing ({second.uri}). Fix: rebuild 2026-01-06 2026-01-06."
    )


def test_a_file_that_was_added_is_an_error_if_spark_would_read_it(local: Dataset) -> None:
    published = publish(local, "2026-01-05")
    for path in (".part-9.parquet.crc", "_temporary/part-9", "split=train/_SUCCESS", ".DS_Store"):
        local.filesystem.write_new(f"{published.uri}/{path}", b"more")
        local.require_whole([published])
    local.filesystem.write_new(f"{published.uri}/split=train/part-9", b"more")
    with pytest.raises(StorageError) as caught:
        local.require_whole([published])
    assert get_values(caught.value)["files"] == {f"{published.uri}/split=train/part-9": "4 bytes, not recorded"}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "_f/g"]), st.binary(min_size=1, max_size=4), min_size=1),
    st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "_f/g"]), st.sampled_from(sorted(DAMAGES))),
)
def test_exactly_the_damaged_files_are_named(contents: dict[str, bytes], damages: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset(folder, LocalFileSystem(), "date")
        published = publish(dataset, "2026-01-05", contents)
        damaged = {f"{published.uri}/{path}" for path in contents.keys() & damages.keys()}
        for uri in damaged:
            change(dataset, uri, damages[uri.removeprefix(f"{published.uri}/")])
        if damaged:
            with pytest.raises(StorageError) as caught:
                dataset.require_whole([published])
            assert get_values(caught.value)["files"].keys() == damaged
        else:
            dataset.require_whole([published])


class TestRecordsOfEarlierCode:
    """Generations whose record has the bytes of the folder, and lists no files."""

    CHECKSUM = 8 + 4 * 2  # of a file of 600 bytes

    @pytest.fixture
    def contents(self) -> dict[str, bytes]:
        return {"part-0": b"0" * 600, ".part-0.crc": b"1" * self.CHECKSUM, "_SUCCESS": b""}

    @pytest.fixture
    def published(self, local: Dataset, contents: dict[str, bytes]) -> Generation:
        return publish_earlier(local, "2026-01-05", 600 + self.CHECKSUM, contents)

    def test_it_is_whole(self, local: Dataset, published: Generation) -> None:
        local.require_whole([published])

    def test_a_copy_may_lack_the_checksum_files_of_the_local_disk(self, local: Dataset, published: Generation) -> None:
        local.filesystem.delete(f"{published.uri}/.part-0.crc")
        local.require_whole([published])

    @pytest.mark.parametrize("damage", list(DAMAGES))
    def test_other_bytes_are_an_error(self, local: Dataset, published: Generation, damage: str) -> None:
        size = change(local, f"{published.uri}/part-0", damage) or 0
        with pytest.raises(StorageError) as caught:
            local.require_whole([published])
        total = size + self.CHECKSUM
        expected = f"{total} bytes, {600 + self.CHECKSUM} recorded"
        assert get_values(caught.value)["files"] == {published.uri: expected}
        assert get_values(caught.value)["remedy"] == "materialize features 2026-01-05 again"

    def test_a_loss_is_noticed_on_storage_without_checksum_files(self, local: Dataset) -> None:
        contents = {"part-0": b"0" * 600, "part-1": b"1" * 600}
        published = publish_earlier(local, "2026-01-05", 1200, contents)
        local.require_whole([published])
        local_path(f"{published.uri}/part-1").write_bytes(b"")
        with pytest.raises(StorageError):
            local.require_whole([published])

    def test_a_record_without_bytes_is_accepted(self, local: Dataset, contents: dict[str, bytes]) -> None:
        published = publish_earlier(local, "2026-01-05", 0, contents)
        del published.record["bytes"]
        local.require_whole([published])
