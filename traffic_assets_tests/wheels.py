"""The wheel of this project, built and installed for the tests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from traffic_assets_tests.processes import Processes

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "traffic_assets", "traffic_assets_tests")
PIP = ("-m", "pip", "--disable-pip-version-check")


def build_wheel(processes: Processes, folder: Path) -> Path:
    """Build the wheel from a copy of the sources, because a build writes next to them, and return its path."""
    source, target = folder / "source", folder / "wheel"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    done = processes.python(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, source)
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl")
    return built


def install_wheel(processes: Processes, wheel: Path, folder: Path) -> Mapping[str, str]:
    """Install the wheel into a folder, beside the packages of this environment.

    Returns:
        The variables with which Python imports the package from that folder.
    """
    done = processes.python(*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": str(folder)}
