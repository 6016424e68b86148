"""Imports from earlier documentation, which keep working with a warning."""

import importlib
from types import ModuleType

import pytest

from traffic_assets.deprecation import moved_names
from traffic_assets.settings.models.random_forest import RandomForestSettings
from traffic_assets_tests.codes import get_code, get_values, warns_with

SHOWN = [("traffic_assets.ml.metric_spec", "Metric", "traffic_assets.ml.metrics.spec")]


@pytest.mark.parametrize(("old", "name", "new"), SHOWN)
def test_an_old_import_gives_the_same_object_with_a_warning(old: str, name: str, new: str) -> None:
    with pytest.warns(DeprecationWarning) as warned:
        moved = getattr(importlib.import_module(old), name)
    assert moved is getattr(importlib.import_module(new), name)
    (warning,) = warned
    assert isinstance(warning.message, Warning)
    assert get_code(warning.message) == "deprecation.moved"
    assert get_values(warning.message) == {"old": f"{old}.{name}", "new": new}


def test_an_unknown_name_is_an_attribute_error() -> None:
    module = ModuleType("old")
    module.__getattr__ = moved_names("old", {"Metric": "traffic_assets.ml.metrics.spec"})  # type: ignore[method-assign]
    with pytest.raises(AttributeError, match="module 'old' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_old_methods_of_settings_give_what_the_new_ones_do() -> None:
    section = RandomForestSettings()
    new = "ModelSettings.override_hyperparameters"
    with warns_with("deprecation.renamed", old="ModelSettings.requested", new=new):
        assert section.requested({"numTrees": 3}) == section.override_hyperparameters({"numTrees": 3})
    with warns_with("deprecation.renamed", old="Hyperparameters.whole", new="Hyperparameters.is_integer"):
        assert section.hyperparameters.whole("numTrees")
