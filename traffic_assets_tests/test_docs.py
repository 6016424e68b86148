"""The documentation: settings that it shows are valid, links exist, and nothing is counted by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import load_settings, profile_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_PLUGINS = {"extending.md"}
"""Pages whose settings require a package that is not installed; `test_plugins.py` trains with them."""


def _settings_shown() -> list[Any]:
    shown = []
    for page in PAGES:
        for number, block in enumerate(re.findall(r"^```json\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)):
            content = json.loads(block)
            if page.name not in OF_PLUGINS and content.get("extends", "local") in profile_names():
                shown.append(pytest.param(content, id=f"{page.stem}-{number}"))
    return shown


@pytest.mark.parametrize("content", _settings_shown())
def test_settings_that_are_shown_are_valid(content: dict[str, Any]) -> None:
    profile = content.pop("extends", "local")
    assert load_settings(profile, content, environ={}).enabled_models


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_counts_features_by_hand(page: Path) -> None:
    assert re.findall(r"\b\d+ features\b", page.read_text()) == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_outside_the_site_lead_to_files(page: str) -> None:
    """Check the links that `mkdocs build --strict` does not check."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    page = (folder / "index.md").read_text()
    assert [path.name for path in sorted(folder.glob("0*.md")) if f"]({path.name})" not in page] == []
