"""The reference pages, which contain everything that the code defines, with a description."""

import doctest
import importlib
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from pydantic import BaseModel

from traffic_assets.build import build_defs
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.stored import STORED_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.cli.app import app
from traffic_assets.messages.catalogue import catalogue
from traffic_assets.settings import load_settings, profile_names
from traffic_assets.settings.keys import find_model
from traffic_assets.settings.schema import Settings

ROOT = Path(__file__).parents[1]
MODELS = ("linear_regression", "random_forest", "gradient_boosted_trees")


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rows(page: str) -> list[list[str]]:
    """Return the cells of every row of every table."""
    drawn = (line for line in page.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in drawn]


def _values(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of all settings below a section, without the sections."""
    for name, field in model.model_fields.items():
        section = find_model(field.annotation)
        if section is None or all(inner.is_required() for inner in section.model_fields.values()):
            yield name
        else:
            yield from _values(section)


def test_every_setting_has_its_row_with_a_description(reference: ModuleType) -> None:
    rows = [row for row in _rows(reference.settings_page()) if len(row) == 5]
    assert {row[0] for row in rows} - {"setting"} == {f"`{name}`" for name in _values(Settings)}
    assert [row[0] for row in rows if not row[1] or not row[4]] == []


def test_ranges_defaults_and_allowed_values_are_those_of_the_model(reference: ModuleType) -> None:
    rows = {row[0]: row for row in _rows(reference.settings_page())}
    assert rows["`fold_gap_minutes`"][1:4] == ["integer", "`60`", "≥ 0, ≤ 534,240"]
    assert rows["`scaler`"][1:4] == ["`standard`, `min_max`, `robust`", "`standard`", ""]
    assert rows["`keep_generations_hours`"][1:4] == ["number or null", "`null`", "≥ 24, ≤ 876,000"]
    assert rows["`learning_rate`"][3] == "> 0, ≤ 1"


def test_the_thresholds_of_each_model_are_shown(reference: ModuleType) -> None:
    thresholds = load_settings("local", environ={}).evaluation.targets.random_forest.model_dump()
    rows = {row[0]: row for row in _rows(reference.settings_page()) if len(row) == 6}
    assert rows["`random_forest`"][1:] == [f"`{value}`" for value in thresholds.values()]


def test_examples_of_the_functions_are_correct(reference: ModuleType) -> None:
    done = doctest.testmod(reference)
    assert done.attempted > 0
    assert done.failed == 0


def test_every_profile_is_shown(reference: ModuleType) -> None:
    page = reference.settings_page()
    assert all(f"### `{name}`" in page for name in profile_names())


def test_every_column_has_its_row(reference: ModuleType) -> None:
    page = reference.columns_page()
    named = [row[0] for row in _rows(page)]
    columns = (*READING_COLUMNS, *SENSOR_COLUMNS, *FEATURES, *TARGETS.values(), *STORED_COLUMNS)
    assert [column.name for column in columns if f"`{column.name}`" not in named] == []
    assert f"{len(FEATURES)} features:" in page


def test_every_command_has_its_section(reference: ModuleType) -> None:
    page = reference.commands_page()
    group = typer.main.get_group(app)
    commands = [*group.commands, "models list", "models show"]
    assert [name for name in commands if f"# `traffic-assets {name}`" not in page] == []
    assert "`--schema`" in page
    assert "…" not in page.partition("**Commands**")[2].partition("## ")[0]


def test_every_definition_has_its_row(reference: ModuleType) -> None:
    defs = build_defs(load_settings("local", environ={}))
    graph = defs.resolve_asset_graph()
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    names |= {key.name for key in graph.asset_check_keys}
    names |= {job.name for job in defs.jobs or ()} | {sensor.name for sensor in defs.sensors or ()}
    names |= set(defs.resources or {})
    for model in MODELS:
        names = {name.replace(f"{model}_", "<model>_") for name in names}
    shown = {row[0] for row in _rows(reference.definitions_page())}
    assert {f"`{name}`" for name in names} - shown == set()


def test_every_name_of_the_python_api_can_be_imported(reference: ModuleType) -> None:
    named = re.findall(r"^::: (\S+)\.(\w+)$", reference.api_page(), re.MULTILINE)
    assert len(named) == sum(len(members) for _, members in reference.API)
    assert [f"{module}.{name}" for module, name in named if not hasattr(importlib.import_module(module), name)] == []


def test_the_stored_page_of_the_messages_is_that_of_the_code(reference: ModuleType) -> None:
    stored = ROOT / "docs" / "troubleshooting.md"
    if os.environ.get("UPDATE_SNAPSHOT"):
        stored.write_text(reference.troubleshooting_page(), encoding="utf-8")
    assert stored.read_text("utf-8") == reference.troubleshooting_page()


def test_every_message_is_under_its_code_with_its_fix(reference: ModuleType) -> None:
    page = reference.troubleshooting_page()
    for code, message in catalogue().items():
        assert f"### {code}\n" in page
        section = page.partition(f"### {code}\n")[2].partition("\n#")[0]
        assert ("**Fix:**" in section) is bool(message.fix)
