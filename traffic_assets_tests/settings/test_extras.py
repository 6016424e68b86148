"""The command that installs an extra, for a clone and for an installed package."""

import shlex
import tomllib
from pathlib import Path

import pytest

from traffic_assets.ml.algorithm import built_in_algorithms
from traffic_assets.settings.extras import install_command


@pytest.mark.parametrize("name", ["clone", "a folder with spaces"])
def test_a_clone_is_installed_from_its_folder(tmp_path: Path, name: str) -> None:
    clone = tmp_path / name
    clone.mkdir()
    assert shlex.split(install_command("tpe", clone)) == ["pip", "install", "traffic-assets[tpe]"]
    (clone / "pyproject.toml").touch()
    assert shlex.split(install_command("tpe", clone)) == ["pip", "install", "-e", f"{clone}[tpe]"]


def test_brackets_are_quoted_for_the_shell(tmp_path: Path) -> None:
    assert install_command("svr", tmp_path) == "pip install 'traffic-assets[svr]'"


def test_the_extras_that_are_named_are_those_of_the_project() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("the package is not run from a clone")
    declared = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert {"tpe", *(a.requirements.extra for a in built_in_algorithms().values() if a.requirements)} <= set(declared)
    assert install_command("tpe") == f"pip install -e '{project.parent}[tpe]'"
