"""The example of a scikit-learn-style configuration, with changes and with files over it."""

import json
from pathlib import Path
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.sklearn_config.translation import translate
from traffic_assets_tests.settings.problems import problem, write

FILE = Path(__file__).with_name("users_ml_training_config.json")


def content() -> dict[str, Any]:
    """Return the content of the example file."""
    configuration: dict[str, Any] = json.loads(FILE.read_text())
    return configuration


def with_changes(section: str, **changes: Any) -> dict[str, Any]:
    """Return the content of the example file with other values in a section."""
    configuration = content()
    configuration[section] |= changes
    return configuration


def load(tmp_path: Path, configuration: dict[str, Any]) -> Settings:
    """Return the settings of a configuration."""
    return load_settings(write(tmp_path / "config.json", configuration), environ={})


def over_the_file(tmp_path: Path, *layers: dict[str, Any]) -> str:
    """Return the path of a file that extends the example file, with one file for each layer."""
    below = str(FILE)
    for number, layer in enumerate(layers):
        below = write(tmp_path / f"layer_{number}.json", {"extends": below, **layer})
    return below


def load_over_the_file(tmp_path: Path, *layers: dict[str, Any], environ: dict[str, str] | None = None) -> Settings:
    """Return the settings of layers over the example file."""
    return load_settings(over_the_file(tmp_path, *layers), environ=environ or {})


def refusal(tmp_path: Path, configuration: dict[str, Any]) -> CodedText:
    """Return the one problem of a configuration."""
    return problem(write(tmp_path / "config.json", configuration))


def translation_warnings(configuration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the values of each warning of the translation, by code."""
    return {text.code: text.values for text in translate(configuration).warnings}
