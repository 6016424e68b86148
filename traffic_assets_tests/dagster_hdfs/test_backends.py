"""Storage backends of installed packages: chosen by scheme, imported on first use, named in errors."""

from __future__ import annotations

import sys

import pytest

from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backends, filesystem_for, find_backend
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.packages import Install

STORE = """
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem

class Store(LocalFileSystem):
    def __init__(self, uri, spark=None):
        self.made_for, self.spark = uri, spark
"""


def _no_session() -> object:
    raise AssertionError("the session was requested")


def test_a_backend_serves_its_scheme_and_others_are_unchanged(install: Install) -> None:
    assert isinstance(filesystem_for("acme://x/y", _no_session), HadoopFileSystem)  # type: ignore[arg-type]
    install("acme-store", STORE, {GROUP: {"Acme": "Store"}})
    for uri in ("acme://x/y", "ACME://x"):
        made = filesystem_for(uri, _no_session)  # type: ignore[arg-type]
        assert type(made).__name__ == "Store"
        assert (made.made_for, made.spark) == (uri, _no_session)  # type: ignore[attr-defined]
    assert filesystem_for("acme://x").spark is None  # type: ignore[attr-defined]
    assert isinstance(filesystem_for("hdfs://x/y", _no_session), HadoopFileSystem)  # type: ignore[arg-type]
    assert type(filesystem_for("/data")) is LocalFileSystem
    (only,) = backends()
    assert (only.scheme, only.source, only.distribution) == ("acme", "acme_store:Store", "acme-store 2.1")


def test_a_backend_is_not_imported_before_its_scheme_is_used(install: Install) -> None:
    install("acme-store", "raise ImportError('no client')", {GROUP: {"acme": "Store"}})
    assert isinstance(filesystem_for("hdfs://x/y", _no_session), HadoopFileSystem)  # type: ignore[arg-type]
    assert find_backend("acme://x") is not None
    assert "acme_store" not in sys.modules


@pytest.mark.parametrize(
    ("source", "code", "values"),
    [
        ("raise ImportError('no client')", "storage.backend-not-imported", {"cause": "ImportError: no client"}),
        ("Store = 5", "storage.backend-not-callable", {"type": "int"}),
        ("def Store(uri, spark): return uri", "storage.backend-no-filesystem", {"uri": "acme://x/y", "type": "str"}),
    ],
)
def test_a_broken_backend_is_refused_by_name_and_cause(
    install: Install, source: str, code: str, values: dict[str, str]
) -> None:
    install("acme-store", source, {GROUP: {"acme": "Store"}})
    with pytest.raises(BackendError) as caught:
        filesystem_for("acme://x/y")
    assert get_code(caught.value) == code
    backend = f"acme of acme-store 2.1 (entry point acme = acme_store:Store in {GROUP})"
    assert get_values(caught.value) == {"backend": backend, **values}


def test_one_scheme_of_two_packages_is_refused(install: Install) -> None:
    install("acme-store", STORE, {GROUP: {"acme": "Store"}})
    install("other-store", STORE, {GROUP: {"ACME": "Store"}})
    with pytest.raises(BackendError) as caught:
        filesystem_for("acme://x")
    assert get_code(caught.value) == "storage.backend-rivals"
    assert get_values(caught.value)["packages"] == ["acme-store 2.1", "other-store 2.1"]


def test_no_backend_has_the_scheme_of_the_local_disk(install: Install) -> None:
    install("acme-store", STORE, {GROUP: {"file": "Store"}})
    assert type(filesystem_for("file:///data")) is LocalFileSystem
    assert find_backend("file:///data") is None
    with pytest.raises(BackendError) as caught:
        backends()[0].factory()
    assert get_code(caught.value) == "storage.backend-of-local-disk"
    assert get_values(caught.value)["scheme"] == "file"
