"""Metadata of a version: its fields, and the refusal of any others."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import version

import pyspark
import pytest
from pydantic import ValidationError

import traffic_assets
from traffic_assets.registry.metadata import LIBRARIES, Training, VersionMetadata, code_version, library_versions
from traffic_assets_tests.registry.examples import metadata, training


def test_metadata_survives_json() -> None:
    whole = metadata("h15/random_forest", "v1.2.0")
    assert VersionMetadata.model_validate_json(whole.model_dump_json()) == whole
    assert json.loads(whole.model_dump_json())["created_at"] == "2026-01-12T00:00:00Z"


def test_nan_is_null_in_json() -> None:
    stored = metadata("a", "v1.0.0", gap={"r2": math.nan}, metrics={"test": {"mape": math.nan}}).model_dump_json()
    back = VersionMetadata.model_validate_json(stored)
    assert back.gap == {"r2": None}
    assert back.metrics == {"test": {"mape": None}}


def test_unknown_and_missing_fields_are_refused() -> None:
    good = metadata("a", "v1.0.0").model_dump()
    with pytest.raises(ValidationError, match="pickle"):
        VersionMetadata.model_validate(good | {"pickle": "x"})
    with pytest.raises(ValidationError, match="slots"):
        VersionMetadata.model_validate({key: value for key, value in good.items() if key != "slots"})
    with pytest.raises(ValidationError, match="who"):
        Training.model_validate(training().model_dump() | {"who": "me"})


def test_metadata_cannot_be_changed() -> None:
    stored = metadata("a", "v1.0.0")
    with pytest.raises(ValidationError, match="frozen"):
        stored.version = "v9.0.0"  # type: ignore[misc]


def test_references_are_the_generations_that_must_stay() -> None:
    """Check references by id, which remain valid if the base is moved or has another address."""
    described = training("file:///base/generations/g7")
    assert described.references == {"g1", "g7", *described.days.values(), *described.sensor_tables}
    assert described.days
    assert described.sensor_tables


def test_versions_of_libraries_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = library_versions()
    assert set(versions) == {"python", *LIBRARIES}
    assert versions["python"] == platform.python_version()
    assert versions["pyspark"] == pyspark.__version__
    assert code_version() == traffic_assets.__version__ == version("traffic-assets")
    monkeypatch.setattr("traffic_assets.registry.metadata.LIBRARIES", ("no-such-library",))
    assert library_versions()["no-such-library"] == "not installed"


def test_packages_that_add_an_algorithm_or_a_metric_are_recorded(far: str) -> None:
    assert library_versions()["acme-metrics"] == "2.1"
