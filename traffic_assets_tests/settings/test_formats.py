"""Formats: each pattern in the settings has a description."""

from collections.abc import Iterator
from typing import Any

import pytest

from traffic_assets.settings import SettingsError, load_settings
from traffic_assets.settings.formats import (
    BROWSE_URL,
    DEPLOYMENT,
    DESCRIPTIONS,
    DRIVER_MEMORY,
    HISTORY_URL,
    MASTER,
    OWNER,
    SUBSET_STRATEGY,
    describe_format,
)
from traffic_assets.settings.schema import Settings
from traffic_assets_tests.codes import get_code


def patterns(schema: Any) -> Iterator[str]:
    """Yield each pattern of a JSON schema."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from patterns(item)


def test_every_pattern_of_a_setting_has_a_description() -> None:
    """Compare with the schema, which lacks the pattern of a text that may also be a number."""
    assert set(patterns(Settings.model_json_schema())) == set(DESCRIPTIONS) - {SUBSET_STRATEGY}


def test_a_pattern_of_an_installed_package_is_shown_as_it_is() -> None:
    assert describe_format("^[a-z]+$") == "text"


@pytest.mark.parametrize(
    ("overrides", "path", "pattern"),
    [
        ({"deployment": "San Diego"}, "deployment", DEPLOYMENT),
        ({"owners": ["jane"]}, "owners.0", OWNER),
        ({"spark": {"driver_memory": "lots"}}, "spark.driver_memory", DRIVER_MEMORY),
        ({"spark": {"master": "cluster"}}, "spark.master", MASTER),
        ({"spark": {"history_url": "http://history"}}, "spark.history_url", HISTORY_URL),
        ({"persistence": {"browse_url": "http://files"}}, "persistence.browse_url", BROWSE_URL),
        (
            {"models": {"random_forest": {"hyperparameters": {"featureSubsetStrategy": "half"}}}},
            "models.random_forest.hyperparameters.featureSubsetStrategy",
            SUBSET_STRATEGY,
        ),
    ],
)
def test_a_text_in_another_format_is_refused_with_the_description(
    overrides: dict[str, Any], path: str, pattern: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings("local", overrides, environ={})
    assert get_code(caught.value) == "settings.invalid"
    (problem,) = caught.value.problems
    assert problem.code == "settings.invalid-format"
    assert {name: problem.values[name] for name in ("path", "format", "pattern")} == {
        "path": path,
        "format": DESCRIPTIONS[pattern],
        "pattern": pattern,
    }
