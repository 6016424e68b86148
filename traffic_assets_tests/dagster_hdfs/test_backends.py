"""Storage backends of installed packages: by scheme, imported when used, errors that name the package."""

from __future__ import annotations

import sys

import pytest

from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backend_of, backends, filesystem_for
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets_tests.packages import Install

STORE = """
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem

class Store(LocalFileSystem):
    def __init__(self, uri, spark=None):
        self.made_for, self.spark = uri, spark
"""


def _no_session() -> object:
    raise AssertionError("the session was asked for")


def test_a_scheme_is_its_backends_and_others_stay_as_they_are(install: Install) -> None:
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
    assert backend_of("acme://x") is not None
    assert "acme_store" not in sys.modules


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise ImportError('no client')", "it cannot be imported: ImportError: no client"),
        ("Store = 5", "the entry point gives no function or class; what it gives is a int"),
        ("def Store(uri, spark): return uri", "it made no FileSystem for acme://x/y, but a str"),
    ],
)
def test_a_broken_backend_is_refused_by_name_and_cause(install: Install, code: str, problem: str) -> None:
    install("acme-store", code, {GROUP: {"acme": "Store"}})
    with pytest.raises(BackendError) as caught:
        filesystem_for("acme://x/y")
    assert str(caught.value) == (
        f"the storage backend acme of acme-store 2.1 (entry point acme = acme_store:Store in {GROUP}) cannot be used: "
        f"{problem}"
    )


def test_one_scheme_of_two_packages_is_refused(install: Install) -> None:
    install("acme-store", STORE, {GROUP: {"acme": "Store"}})
    install("other-store", STORE, {GROUP: {"ACME": "Store"}})
    with pytest.raises(BackendError, match=r"acme-store 2\.1 and other-store 2\.1 give the same scheme"):
        filesystem_for("acme://x")


def test_the_local_disk_is_nobodys(install: Install) -> None:
    install("acme-store", STORE, {GROUP: {"file": "Store"}})
    assert type(filesystem_for("file:///data")) is LocalFileSystem
    assert backend_of("file:///data") is None
    with pytest.raises(BackendError, match="the scheme 'file' is the local disk's"):
        backends()[0].factory()
