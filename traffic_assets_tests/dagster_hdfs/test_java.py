"""The Java that Spark would start: found as Spark finds it, with fake programs only."""

from pathlib import Path

import pytest

from traffic_assets.dagster_hdfs.java import JavaError, java_version, require_java
from traffic_assets.dagster_hdfs.message import find_coded_text
from traffic_assets.dagster_hdfs.resources import SparkResource

pytestmark = pytest.mark.usefixtures("processes")


def _java(folder: Path, prints: str) -> Path:
    """Create a `java` below a folder, as in a JAVA_HOME, and return the folder."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{prints}' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Use":
    return Use(monkeypatch, tmp_path)


class Use:
    """Creates fake Javas, and puts them where Spark looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch, self._folder = monkeypatch, folder
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
        monkeypatch.setenv("PATH", str(folder / "empty"))

    def path(self, version: str) -> Path:
        made = _java(self._folder / "on path", f'openjdk version "{version}" 2025-01-21')
        self._patch.setenv("PATH", f"{made}/bin")
        return made / "bin" / "java"

    def home(self, prints: str | None) -> Path:
        home = self._folder / "home"
        home.mkdir()
        if prints is not None:
            _java(home / "java", prints)
            home = home / "java"
        self._patch.setenv("JAVA_HOME", str(home))
        return home


def _refused() -> tuple[str, dict[str, object]]:
    with pytest.raises(JavaError) as caught:
        require_java()
    text = find_coded_text(caught.value)
    assert text is not None
    return text.code, text.values


@pytest.mark.parametrize("version", ["17.0.14", "21.0.6", "21"])
def test_a_suitable_java_is_accepted(use: Use, version: str) -> None:
    use.path(version)
    require_java()
    use.home(f'openjdk version "{version}"')
    require_java()


@pytest.mark.parametrize(("version", "major"), [("1.8.0_402", 8), ("11.0.22", 11), ("24", 24)])
def test_another_version_is_refused_with_its_path(use: Use, version: str, major: int) -> None:
    path = use.path(version)
    assert java_version(str(path)) == major
    code, values = _refused()
    assert code == "java.unsupported-version"
    assert (values["version"], values["path"], values["supported"]) == (major, str(path), "17 or 21")


def test_no_java_is_refused(use: Use) -> None:
    assert _refused()[0] == "java.missing"


def test_a_home_without_java_is_refused_by_name(use: Use) -> None:
    home = use.home(None)
    assert _refused() == ("java.wrong-home", {**_refused()[1], "home": str(home)})


def test_a_home_that_hides_a_suitable_java_is_named(use: Use) -> None:
    path, home = use.path("17.0.14"), use.home('openjdk version "11.0.22"')
    code, values = _refused()
    assert (code, values["home"], values["java"]) == ("java.hidden-by-home", str(home), str(path))
    assert (values["supported"], bool(values["install"])) == ("17 or 21", True)


def test_a_program_that_is_no_java_is_refused(use: Use) -> None:
    use.home("hello")
    assert _refused()[0] == "java.unknown-version"


def test_a_session_is_not_started_with_such_a_java(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    use.path("11.0.22")
    with pytest.raises(JavaError):
        SparkResource().session  # noqa: B018
