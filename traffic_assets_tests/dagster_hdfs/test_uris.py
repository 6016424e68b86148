"""Names and URIs: no name leads out of the base, and no password reaches a message."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from traffic_assets.dagster_hdfs.uris import (
    Internal,
    absolute_uri,
    is_local,
    join,
    local_path,
    redact,
    safe_name,
    split,
)
from traffic_assets_tests.codes import get_code, get_values

BASES = ("/data", "file:///data/x", "hdfs://namenode:9000/traffic-data", "hdfs://namenode:9000")
NASTY = [
    "",
    ".",
    "..",
    "a/b",
    "/a",
    "a\\b",
    "a\n",
    "a\x00",
    "a:b",
    "_staging",
    ".hidden",
    "a b",
    "ü",
    "a%2fb",
    "a*",
    "١",
    "x" * 201,
]


@pytest.mark.parametrize("name", NASTY)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        safe_name(name, "partition key")
    assert get_code(caught.value) == "storage.invalid-name"
    assert get_values(caught.value)["what"] == "partition key"
    assert get_values(caught.value)["length"] == 200
    with pytest.raises(ValueError) as caught:
        join("/data", "fine", name)
    assert get_values(caught.value)["what"] == "path segment"


@pytest.mark.parametrize("name", ["2026-01-05", "date=2026-01-05", "v1.0.0", "a..b", "h15", "x" * 200])
def test_names_that_are_allowed(name: str) -> None:
    assert safe_name(name) == name


@given(st.text(max_size=12), st.sampled_from(BASES))
@example("..", "/data")
@example("a\n", "/data")
def test_a_name_is_refused_or_stays_one_segment_below_the_base(name: str, base: str) -> None:
    try:
        uri = join(base, name)
    except ValueError as error:
        assert get_values(error)["name"] == name
        return
    assert posixpath.normpath(uri) == posixpath.normpath(f"{base}/{name}")
    assert split(uri) == (base, name)
    assert name.isascii() and name.isprintable() and not set(name) & set("/\\: ")


@given(st.lists(st.from_regex(r"[a-z0-9=][a-z0-9._=-]{0,8}", fullmatch=True), max_size=4))
def test_join_adds_exactly_the_given_segments(parts: list[str]) -> None:
    for base in BASES:
        assert join(f"{base}/", *parts) == "/".join([base, *parts])


def test_internal_folders_are_named_by_their_own_constants_only() -> None:
    assert join("/data", Internal.POINTERS, "2026-01-05.json") == "/data/_pointers/2026-01-05.json"
    with pytest.raises(ValueError) as caught:
        join("/data", "_pointers")
    assert get_code(caught.value) == "storage.invalid-name"
    assert get_values(caught.value)["name"] == "_pointers"


@pytest.mark.parametrize(
    "uri", ["/data/x", "file:/data/x", "file:///data/x", "FILE:///data/x", "file://localhost/data/x"]
)
def test_local_uris(uri: str) -> None:
    assert is_local(uri)
    assert str(local_path(uri)) == "/data/x"
    assert absolute_uri(uri) == "file:///data/x"


@pytest.mark.parametrize("uri", ["data/x", "file:data", "file://otherhost/data", "//data", "hdfs://h/data"])
def test_uris_that_are_not_local(uri: str) -> None:
    with pytest.raises(ValueError) as caught:
        local_path(uri)
    assert get_code(caught.value) == "storage.not-local"
    assert get_values(caught.value) == {"path": uri}


def test_relative_paths_have_no_absolute_uri() -> None:
    with pytest.raises(ValueError) as caught:
        absolute_uri("data/x")
    assert get_code(caught.value) == "storage.not-local"
    assert get_values(caught.value) == {"path": "data/x"}
    assert absolute_uri("hdfs://h:1/x") == "hdfs://h:1/x"


@given(st.text("abc/@: \n", max_size=6))
def test_passwords_never_reach_a_message(tail: str) -> None:
    text = redact(f"cannot read hdfs://jane:s3cret@host:9000/a and s3a://key:s3cret@bucket/{tail}")
    assert "s3cret" not in text
    assert "hdfs://***@host:9000/a" in text
    assert redact("abfss://container@account/x") == "abfss://container@account/x"
