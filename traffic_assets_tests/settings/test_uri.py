"""URIs of folders, and the refusal of URIs with passwords."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.persistence import PersistenceSettings
from traffic_assets_tests.settings.problems import codes, texts


def test_a_folder_becomes_a_file_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def base(uri: str) -> str:
        return PersistenceSettings(base_uri=uri).base_uri

    here = f"file://{tmp_path.resolve()}"
    assert PersistenceSettings().base_uri == f"{here}/traffic-data"
    assert base("data") == base("./data/") == base("x/../data") == f"{here}/data"
    assert (
        base(f"{tmp_path}/data") == base(f"file://{tmp_path}/data/") == base(f"file:{tmp_path}/data") == f"{here}/data"
    )
    assert base("~/data") == f"{here}/home/data"
    assert base("with space") == f"{here}/with space"  # as Spark writes it
    with pytest.raises(ValidationError) as caught:
        base("")
    assert codes(caught.value) == ["settings.empty-uri"]


@pytest.mark.parametrize(
    "uri",
    ["hdfs://namenode:9000/traffic", "hdfs:///traffic", "viewfs://c/x", "abfss://container@account.dfs.example/x"],
)
def test_other_uris_stay_as_they_are(uri: str) -> None:
    assert PersistenceSettings(base_uri=uri).base_uri == uri
    assert PersistenceSettings(base_uri=f"{uri}/").base_uri == uri
    assert DataSettings(source=uri, sensors_source=uri).sensors_source == uri


@pytest.mark.parametrize(
    "uri", ["hdfs://me:pw@namenode/x", "hdfs://me@namenode/x", "s3a://KEY:SECRET@bucket", "abfss://c:pw@account/x"]
)
@pytest.mark.parametrize("key", ["base_uri", "source", "sensors_source"])
def test_passwords_in_uris_are_refused(key: str, uri: str) -> None:
    section: Any = PersistenceSettings if key == "base_uri" else DataSettings
    with pytest.raises(ValidationError) as caught:
        section(**{key: uri})
    (text,) = texts(caught.value)
    assert text.code == "settings.credentials-in-uri"
    scheme, _, host = uri.partition("://")
    assert text.values == {"uri": f"{scheme}://***@{host.rpartition('@')[2]}"}
