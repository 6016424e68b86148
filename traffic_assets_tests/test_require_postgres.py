"""The script that looks for PostgreSQL, with fake programs only: nothing is installed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from traffic_assets_tests.processes import Processes

SCRIPT = Path(__file__).parents[1] / "scripts" / "require-postgres.sh"
Look = Callable[[], subprocess.CompletedProcess[str]]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def look(processes: Processes, tmp_path: Path) -> Look:
    """Function that runs the script as root on a Debian whose apt-get puts `initdb` on the PATH."""
    tools = tmp_path / "tools"
    program(tools / "id", "echo 0")
    program(tools / "apt-cache", "exit 0")
    program(tools / "apt-get", f'echo "$@" >> {tmp_path}/log; : > {tools}/initdb; /bin/chmod 755 {tools}/initdb')

    def run() -> subprocess.CompletedProcess[str]:
        environ = {"PATH": str(tools), "POSTGRES_FOLDER": str(tmp_path / "postgresql")}
        return processes.run(["/bin/sh", SCRIPT], env=environ)

    return run


@pytest.mark.parametrize("where", ["tools/initdb", "postgresql/15/bin/initdb"])
def test_a_server_is_found_silently(look: Look, tmp_path: Path, where: str) -> None:
    program(tmp_path / where, "exit 0")
    done = look()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "log").exists()


def test_it_is_installed_for_root_on_debian(look: Look, tmp_path: Path) -> None:
    done = look()
    assert done.returncode == 0, done.stderr
    assert "+ apt-get install -y --no-install-recommends postgresql" in done.stdout
    assert (tmp_path / "log").read_text().endswith("--no-install-recommends postgresql\n")


def test_another_user_is_shown_the_command(look: Look, tmp_path: Path) -> None:
    program(tmp_path / "tools" / "id", "echo 1000")
    done = look()
    assert done.returncode == 1
    assert "sudo apt-get install postgresql" in done.stderr
    assert not (tmp_path / "log").exists()
