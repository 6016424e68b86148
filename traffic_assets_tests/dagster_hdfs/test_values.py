"""A value with its company."""

import itertools
from datetime import UTC, datetime

import pytest

from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.values import AssetInput


def generation(key: str) -> Generation:
    return Generation(f"id-{key}", key, f"file:///x/{key}", datetime(2026, 1, 5, tzinfo=UTC), "run", {"about": key})


def test_the_value_is_read_once_and_only_when_it_is_asked_for() -> None:
    numbers = itertools.count(1)
    loaded = AssetInput(lambda: next(numbers), {"a": generation("a")})
    assert loaded.record == {"about": "a"}
    assert (next(numbers), loaded.value, loaded.value) == (1, 2, 2)


def test_one_generation_is_the_generation() -> None:
    one = generation("a")
    assert AssetInput(lambda: 1, {"a": one}).generation is one


def test_each_partition_has_its_own_record() -> None:
    many = AssetInput(lambda: 1, {key: generation(key) for key in "ab"})
    assert many.records == {"a": {"about": "a"}, "b": {"about": "b"}}


@pytest.mark.parametrize("keys", [[], ["a", "b"]])
def test_none_or_many_have_no_single_generation_or_record(keys: list[str]) -> None:
    loaded = AssetInput(lambda: 1, {key: generation(key) for key in keys})
    with pytest.raises(ValueError, match=f"{len(keys)} generations"):
        _ = loaded.generation
    with pytest.raises(ValueError, match=f"{len(keys)} generations"):
        _ = loaded.record
    with pytest.raises(ValueError, match=f"{len(keys)} generations"):
        _ = loaded.files


def test_files_are_read_once_and_only_when_they_are_asked_for() -> None:
    asked: list[str] = []

    def read(of: Generation) -> dict[str, bytes]:
        asked.append(of.id)
        return {"note.txt": b"beside"}

    loaded = AssetInput(lambda: 1, {"a": generation("a")}, read_files=read)
    assert not asked
    assert loaded.files == loaded.files == {"note.txt": b"beside"}
    assert asked == ["id-a"]
