"""Values of assets, with records, generations and files."""

import itertools
from datetime import UTC, datetime

import pytest

from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets_tests.codes import get_code, get_values


def generation(key: str) -> Generation:
    return Generation(f"id-{key}", key, f"file:///x/{key}", datetime(2026, 1, 5, tzinfo=UTC), "run", {"about": key})


def test_the_value_is_read_once_on_first_access() -> None:
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
    for name in ("generation", "record", "files"):
        with pytest.raises(ValueError) as caught:
            getattr(loaded, name)
        assert get_code(caught.value) == "storage.not-one-generation"
        assert get_values(caught.value) == {"count": len(keys), "partitions": keys}


def test_files_are_read_once_on_first_access() -> None:
    read_ids: list[str] = []

    def read(of: Generation) -> dict[str, bytes]:
        read_ids.append(of.id)
        return {"note.txt": b"beside"}

    loaded = AssetInput(lambda: 1, {"a": generation("a")}, read_files=read)
    assert not read_ids
    assert loaded.files == loaded.files == {"note.txt": b"beside"}
    assert read_ids == ["id-a"]
