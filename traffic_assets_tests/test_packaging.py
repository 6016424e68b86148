"""The wheel: it contains only the package, and the installed command works."""

import os
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from traffic_assets_tests.processes import Processes
from traffic_assets_tests.wheels import ROOT, install_wheel

PACKAGE = "traffic_assets"


def _metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_it_contains_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    files = [path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*") if path.is_file()]
    expected = {path.as_posix() for path in files if "__pycache__" not in path.parts}
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == expected
    assert f"{PACKAGE}/py.typed" in names


def test_its_metadata_names_the_license(wheel: Path) -> None:
    metadata = _metadata(wheel)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_its_classifiers_name_the_python_that_runs_the_tests(wheel: Path) -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"Programming Language :: Python :: {version}" in _metadata(wheel).get_all("Classifier", [])


def test_its_command_runs_from_where_it_is_installed(processes: Processes, wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    environ = {**os.environ, **install_wheel(processes, wheel, installed)}
    shown = processes.run([installed / "bin" / "traffic-assets", "--help"], cwd=tmp_path, env=environ)
    assert shown.returncode == 0, shown.stderr
    assert "demo" in shown.stdout
    where = processes.python("-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=tmp_path, env=environ)
    assert where.stdout.strip() == str(installed / PACKAGE / "__init__.py")
