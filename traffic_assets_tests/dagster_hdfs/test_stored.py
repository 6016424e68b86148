"""A value with its company."""

from datetime import UTC, datetime

import pytest

from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.stored import Stored


def generation(key: str) -> Generation:
    return Generation(f"id-{key}", key, f"file:///x/{key}", datetime(2026, 1, 5, tzinfo=UTC), "run", {})


def test_one_generation_is_the_generation() -> None:
    one = generation("a")
    assert Stored(1, generations={"a": one}).generation is one


@pytest.mark.parametrize("keys", [[], ["a", "b"]])
def test_none_or_many_have_no_single_generation(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{len(keys)} generations"):
        _ = Stored(1, generations={key: generation(key) for key in keys}).generation
