"""Naming rules of CONTRIBUTING, in the package, the benchmarks and the scripts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("traffic_assets", "benchmarks", "scripts")
MODULES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TEMPLATES = sorted(path.relative_to(ROOT) for path in (ROOT / "traffic_assets").rglob("*.j2"))

VAGUE = ("found", "given")
ALLOWED = {
    ("traffic_assets/settings/schema.py", "targets_of"): "the old name of Settings.get_thresholds, until 1.0",
    ("traffic_assets/settings/models/base.py", "requested"): "the old name of override_hyperparameters, until 1.0",
    ("traffic_assets/settings/models/base.py", "given"): "the public argument of override_hyperparameters",
    (
        "traffic_assets/settings/models/ensemble.py",
        "given",
    ): "the public argument of override_hyperparameters",
}
"""Names that break a rule and stay: reason by file and name."""


def refused_names(source: str) -> Iterator[str]:
    """Yield the names in a module's source that break a rule."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if _is_refused_function(node.name, [ast.unparse(decorator) for decorator in node.decorator_list]):
                yield node.name
        elif isinstance(node, ast.arg) and node.arg in VAGUE:
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
            yield node.id


def _is_refused_function(name: str, decorators: list[str]) -> bool:
    name = name.strip("_")
    is_attribute = any("property" in decorator for decorator in decorators)
    is_participle = "_" not in name and name.endswith("ed") and not is_attribute
    return name.startswith("of_") or name.endswith("_of") or is_participle


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_names_follow_the_rules(module: Path) -> None:
    names = refused_names((ROOT / module).read_text("utf-8"))
    assert [name for name in names if (module.as_posix(), name) not in ALLOWED] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_names_in_templates_follow_the_rules(template: Path) -> None:
    code = " ".join(re.findall(r"{[{%].*?[%}]}", (ROOT / template).read_text("utf-8")))
    assert re.findall(r"\b(?:of_\w+|\w+_of|found|given)\b", re.sub(r'".*?"', "", code)) == []


def test_every_exception_is_needed() -> None:
    used = {(m.as_posix(), name) for m in MODULES for name in refused_names((ROOT / m).read_text("utf-8"))}
    assert used >= ALLOWED.keys()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def week_of(day): ...", ["week_of"]),
        ("class Lane:\n    def _of_target(self): ...", ["_of_target"]),
        ("async def measured(step): ...", ["measured"]),
        ("lambda given: given", ["given"]),
        ("found, rest = split(text)", ["found"]),
        ("if (found := find(text)): ...", ["found"]),
        ("[x for found in rows]", ["found"]),
        ("class Slice:\n    @property\n    def covered(self): ...", []),
        ("refuse(given=value)", []),
        ("def cost_of_output(context): ...", []),
    ],
)
def test_a_name_that_breaks_a_rule_is_detected(source: str, names: list[str]) -> None:
    assert list(refused_names(source)) == names
