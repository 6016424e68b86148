"""The script that looks for Java, with fake programs only: nothing is installed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from traffic_assets_tests.processes import Processes

SCRIPT = Path(__file__).parents[1] / "scripts" / "require-java.sh"
Look = Callable[..., subprocess.CompletedProcess[str]]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def java(folder: Path, version: str) -> Path:
    """Create a `java` below a folder, as in a JAVA_HOME, and return the folder."""
    program(folder / "bin" / "java", f"echo 'openjdk version \"{version}\" 2025-01-21' >&2")
    return folder


@pytest.fixture
def look(processes: Processes, tmp_path: Path) -> Look:
    """Function that runs the script as root on a Debian whose apt-get puts Java 17 on the PATH."""
    tools = tmp_path / "tools"
    program(tools / "uname", "echo Linux")
    program(tools / "id", "echo 0")
    program(tools / "apt-cache", "exit 0")
    installed = java(tmp_path / "installed", "17.0.14") / "bin" / "java"
    program(tools / "apt-get", f'echo installing; {shutil.which("cp")} {installed} "{tools}/java"')
    for name in ("sed", "head"):
        (tools / name).symlink_to(str(shutil.which(name)))

    def run(home: Path | None = None, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": f"{path}/bin:{tools}" if path else str(tools)}
        if home is not None:
            environ["JAVA_HOME"] = str(home)
        return processes.run(["/bin/sh", SCRIPT], env=environ)

    return run


@pytest.mark.parametrize("version", ["17.0.14", "21.0.6", "21"])
def test_a_suitable_java_is_used_silently(look: Look, tmp_path: Path, version: str) -> None:
    good, bad = java(tmp_path / "good", version), java(tmp_path / "bad", "11.0.26")
    for done in (look(path=good), look(home=good), look(home=good, path=bad)):
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wrong", ["Java 11", "nothing"])
def test_java_home_is_used_even_if_a_suitable_java_is_on_the_path(look: Look, tmp_path: Path, wrong: str) -> None:
    good, home = java(tmp_path / "good", "17.0.14"), tmp_path / "home"
    if wrong == "Java 11":
        java(home, "11.0.26")
    done = look(home=home, path=good)
    assert done.returncode == 1
    assert str(home) in done.stderr
    assert f"({good}/bin/java). Run:  unset JAVA_HOME" in done.stderr
    assert "installing" not in done.stdout


@pytest.mark.parametrize(("version", "shown"), [("1.8.0_442", "Java 8"), ("11.0.26", "Java 11")])
def test_an_unsuitable_java_is_named(look: Look, tmp_path: Path, version: str, shown: str) -> None:
    assert f"{shown} was found" in look(path=java(tmp_path / "old", version)).stderr


def test_without_java_it_is_installed(look: Look) -> None:
    done = look()
    assert done.returncode == 0
    assert "No Java was found" in done.stderr
    assert "installing" in done.stdout


@pytest.mark.parametrize("wrong", ["Java 8", "nothing"])
def test_an_installed_java_is_not_enough_if_java_home_leads_elsewhere(look: Look, tmp_path: Path, wrong: str) -> None:
    home = tmp_path / "home"
    if wrong == "Java 8":
        java(home, "1.8.0_442")
    done = look(home=home)
    assert "installing" in done.stdout
    assert done.returncode == 1
    assert "JAVA_HOME" in done.stderr
