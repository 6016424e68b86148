"""Problems of settings: code and values of each, from the errors of a section or of the loader."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.settings import SettingsError, load_settings
from traffic_assets.settings.pydantic_errors import coded_text


def write(path: Path, content: object) -> str:
    """Write a settings file, and return its path."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def problems(profile: Any = None, environ: dict[str, str] | None = None, **overrides: Any) -> list[CodedText]:
    """Return the problems of settings that do not load."""
    with pytest.raises(SettingsError) as caught:
        load_settings(profile, overrides, environ or {})
    return caught.value.problems


def problem(profile: Any = None, environ: dict[str, str] | None = None, **overrides: Any) -> CodedText:
    """Return the one problem of settings that do not load."""
    (only,) = problems(profile, environ, **overrides)
    return only


def paths(result: list[CodedText]) -> list[str]:
    """Return the path of each problem."""
    return [text.values["path"] for text in result]


def codes(error: ValidationError | SettingsError) -> list[str]:
    """Return the code of each problem."""
    return [text.code for text in texts(error)]


def texts(error: ValidationError | SettingsError) -> list[CodedText]:
    """Return the message of each problem."""
    return error.problems if isinstance(error, SettingsError) else [coded_text(item) for item in error.errors()]
