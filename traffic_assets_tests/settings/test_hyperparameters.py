"""The old import path of hyperparameters and model settings, which keeps working."""

import ast
import importlib
import inspect

import pytest

from traffic_assets.settings import hyperparameters, models
from traffic_assets_tests.codes import get_code, get_values


def _declared() -> dict[str, str]:
    """Return the new module of each name by the imports that type checkers see."""
    tree = ast.parse(inspect.getsource(hyperparameters))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: node.module
        for node in imports
        for alias in node.names
        if node.module and node.module.startswith(models.__name__)
    }


@pytest.mark.parametrize(("name", "module"), _declared().items())
def test_an_old_import_is_the_same_object_with_a_warning(name: str, module: str) -> None:
    with pytest.warns(DeprecationWarning) as warned:
        moved = getattr(hyperparameters, name)
    assert moved is getattr(importlib.import_module(module), name)
    (warning,) = warned
    assert isinstance(warning.message, Warning)
    assert get_code(warning.message) == "deprecation.moved"
    assert get_values(warning.message) == {"old": f"{hyperparameters.__name__}.{name}", "new": module}


def test_documented_names_and_the_classes_of_every_model_can_be_imported() -> None:
    assert {"Grid", "Hyperparameters", "ModelSettings", "Range", "grid_points"} <= set(_declared())
    for name in ("LinearRegression", "RandomForest", "GradientBoostedTrees", "XGBoost", "SVR", "Ensemble"):
        assert {f"{name}Hyperparameters", f"{name}Settings"} <= set(_declared())
