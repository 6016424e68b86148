"""The script that writes and checks constraints.txt; nothing is downloaded."""

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def constraints() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("constraints", ROOT / "scripts" / "constraints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_extra_is_required_and_the_project_itself_is_not(constraints: ModuleType) -> None:
    project = {
        "name": "acme",
        "dependencies": ["numpy>=2"],
        "optional-dependencies": {"fast": ["acme-fast>=1"], "test": ["pytest>=8", "acme[fast]"]},
    }
    assert constraints.requirements(project) == ["acme-fast>=1", "numpy>=2", "pytest>=8"]


def test_a_file_is_read_as_it_was_written(constraints: ModuleType) -> None:
    text = constraints.render({"PyYAML": "6.0.3", "mypy_extensions": "1.2.0", "alembic": "1.20.1"})
    lines = text.splitlines()
    assert lines[0].startswith("#")
    assert "make constraints" in text
    assert [line for line in lines if not line.startswith("#")] == [
        "alembic==1.20.1",
        "mypy_extensions==1.2.0",
        "PyYAML==6.0.3",
    ]
    assert constraints.read_pins(text) == {"alembic": "1.20.1", "mypy-extensions": "1.2.0", "pyyaml": "6.0.3"}


def test_each_difference_is_named(constraints: ModuleType) -> None:
    pins = {"kept": "1", "gone": "2", "moved": "3", "absent": "4"}
    assert constraints.differences(pins, {"kept": "1", "moved": "3.1", "absent": "", "new": "5"}) == [
        "absent: pinned to 4, but nothing is installed",
        "gone: pinned (2), but nothing requires it",
        "moved: pinned to 3, but 3.1 is installed",
        "new: required, but not pinned",
    ]


def test_requirements_of_requirements_are_found_with_extras_and_markers(constraints: ModuleType) -> None:
    closure = constraints.installed_closure(["pyspark[ml]>=4", "nowhere; python_version < '3'", "not-installed-here"])
    assert {"pyspark", "py4j", "numpy"} <= closure.keys(), "numpy is required only by the extra"
    assert "nowhere" not in closure
    assert "pandas" not in closure, "the extra `sql` was not requested"
    assert closure["not-installed-here"] == ""


def test_the_repositorys_file_matches_pyproject(constraints: ModuleType) -> None:
    """Compare it with pyproject.toml only. `make lint` compares it with all installed packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "constraints.txt").read_text()
    pins = constraints.read_pins(text)
    for wanted in map(Requirement, constraints.requirements(project)):
        assert pins.get(constraints.canonicalize(wanted.name), "") in wanted.specifier, wanted
    names = [line.split("==")[0] for line in text.splitlines() if not line.startswith("#")]
    assert names == sorted(names, key=constraints.canonicalize)
    assert "make constraints" in text
