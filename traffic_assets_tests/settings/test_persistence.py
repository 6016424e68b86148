"""Storage locations: only schemes with an atomic rename are accepted, and those of installed storage backends."""

import logging

import pytest

from traffic_assets.dagster_hdfs.installed_backends import GROUP
from traffic_assets.settings import load_settings
from traffic_assets.settings.persistence import ATOMIC, HIERARCHICAL, OBJECT_STORES
from traffic_assets_tests.packages import Install
from traffic_assets_tests.settings.problems import problem


@pytest.mark.parametrize("scheme", OBJECT_STORES)
def test_an_object_store_is_refused_by_name(scheme: str) -> None:
    uri = f"{scheme}://bucket/traffic"
    text = problem("local", persistence={"base_uri": uri})
    assert text.code == "settings.no-atomic-rename"
    assert text.values == {"path": "persistence.base_uri", "scheme": scheme, "uri": uri}


@pytest.mark.parametrize("scheme", ["swift", "r2", "adl", "https", "http", "ftp", "har", "S4"])
def test_a_scheme_that_is_not_known_to_rename_atomically_is_refused(scheme: str, install: Install) -> None:
    install("acme-store", "def store(uri, spark): ...", {GROUP: {"acme": "store"}})
    text = problem("local", persistence={"base_uri": f"{scheme}://host/traffic"})
    assert text.code == "settings.unknown-storage"
    assert text.values["scheme"] == scheme.lower()
    assert {"file", "hdfs", "abfss", "acme"} < set(text.values["schemes"])


@pytest.mark.parametrize("scheme", [*ATOMIC, *HIERARCHICAL, "HDFS"])
def test_a_scheme_that_renames_atomically_is_accepted(scheme: str) -> None:
    assert load_settings("local", {"persistence": {"base_uri": f"{scheme}:///traffic"}}, {})


@pytest.mark.parametrize("folder", ["traffic", "~/traffic", "/traffic", "file:///traffic", "a folder"])
def test_a_folder_is_accepted(folder: str) -> None:
    assert load_settings("local", {"persistence": {"base_uri": folder}}, {}).persistence.base_uri.startswith("file:///")


def test_the_input_may_be_on_an_object_store() -> None:
    uri = "s3a://bucket/readings"
    assert load_settings("local", {"data": {"source": uri}}, {}).data.source == uri


def test_an_installed_backend_takes_the_scheme(install: Install) -> None:
    install("acme-store", "def store(uri, spark): ...", {GROUP: {"s3a": "store"}})
    assert load_settings("local", {"persistence": {"base_uri": "s3a://bucket/x"}}, {}).persistence.base_uri


def test_a_store_that_may_lack_the_rename_is_accepted_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_settings("local", {"persistence": {"base_uri": "abfss://container@account.dfs.example/x"}}, {})
    assert [record.message.split("]")[0] for record in caplog.records] == ["[settings.needs-hierarchical-namespace"]
