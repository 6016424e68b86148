"""Content versions: an output that changes needs another version."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from traffic_assets.catalogue.lookup import all_features, feature_table_columns
from traffic_assets.catalogue.readings import READINGS_VERSION
from traffic_assets.catalogue.sensors import SENSORS_VERSION
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.features.engineering import build_features
from traffic_assets.features.sensors import build_sensor_table
from traffic_assets.readings.ingestion import ingest_readings
from traffic_assets.readings.readers import Source
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.content_versions import STORED, Versions, digest, find_problems, may_be_stored

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FRIDAY, SATURDAY = "2026-01-09", "2026-01-10"
SETTINGS = DataSettings(
    interval_minutes=15, free_flow_speed="per_sensor", speed_unit="km/h", timestamps="local", max_bad_share=0.5
)
SENSORS = {"A": (32.7, -117.1, "I-5", "4"), "B": (32.8, -117.2, "SR-52", ""), "C": (32.9, -117.0, "I-5", "2")}
BAD = [
    "A,2026-01-09T07:00:00,77,12,0.1,,,,",  # a duplicate
    "A,yesterday,77,12,0.1,,,,",
    "B,2026-01-09T07:02:31,-3,12,0.1,,,,",
    "B,2026-01-09T07:11:00+01:00,88,12,0.1,,,,",
]


def write_readings(folder: Path) -> None:
    """Write two fixed days: gaps, a missing speed, a weekend, a rush hour, two stamp formats and bad rows."""
    for day in (FRIDAY, SATURDAY):
        rows = list(_rows(day)) + (BAD if day == FRIDAY else [])
        (folder / f"date={day}").mkdir(parents=True)
        header = "station,time,speed,volume,occ,lat,lon,road,lanes"
        (folder / f"date={day}" / "x.csv").write_text("\n".join([header, *rows]))


def _rows(day: str) -> Iterator[str]:
    for s, (name, (lat, lon, highway, lanes)) in enumerate(SENSORS.items()):
        for i in range(36):
            at = datetime.fromisoformat(f"{day}T02:30:00").replace(tzinfo=UTC) + timedelta(minutes=15 * i)
            if i % 11 == s:
                continue
            stamp = at.strftime("%m/%d/%Y %H:%M:%S" if i % 5 == 0 else "%Y-%m-%dT%H:%M:%S")
            speed = "" if i % 13 == 4 else f"{40 + (17 * i + 29 * s) % 83}"
            yield f"{name},{stamp},{speed},{(7 * i + s) % 90},{(i % 20) / 25},{lat},{lon},{highway},{lanes}"


def current_versions(spark: SparkSession, folder: Path) -> Versions:
    """Return version and digest of each dataset and feature of the fixed days."""
    source = Source(f"file://{folder}", LocalFileSystem())
    table = build_sensor_table(spark, source, SETTINGS)
    ingested = ingest_readings(spark, source, [FRIDAY, SATURDAY], SETTINGS)
    assert ingested.refused == {}
    features = build_features(ingested.rows, table.rows, [FRIDAY, SATURDAY], SETTINGS)
    keys = ["sensor_id", "timestamp"]
    own = {column.name: column for column in feature_table_columns() if column.name not in keys}
    versions = {
        "sensor_table": {
            "version": SENSORS_VERSION,
            "digest": digest(table.rows, sorted(table.rows.columns), ["sensor_id"]),
        },
        "sensor_readings": {
            "version": READINGS_VERSION,
            "digest": digest(ingested.rows, sorted(ingested.rows.columns), keys),
        },
        **{
            name: {
                "version": column.version,
                "digest": digest(features, [*keys, name], keys, [column.spark_type, column.unit]),
            }
            for name, column in own.items()
        },
    }
    ingested.cached.unpersist()
    return versions


def test_an_output_that_changed_has_another_content_version(spark: SparkSession, tmp_path: Path) -> None:
    write_readings(tmp_path)
    current = current_versions(spark, tmp_path)
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    problems = find_problems(stored, current)
    if problems and os.environ.get("UPDATE_SNAPSHOT") and may_be_stored(problems):
        STORED.write_text(json.dumps(current, indent=1) + "\n")
        return
    assert problems == [], (
        f"Fix: raise the versions named here, then store them with UPDATE_SNAPSHOT=1 ({STORED.name})."
    )


def test_the_fixed_days_have_values_in_every_feature(spark: SparkSession, tmp_path: Path) -> None:
    write_readings(tmp_path)
    source = Source(f"file://{tmp_path}", LocalFileSystem())
    table = build_sensor_table(spark, source, SETTINGS)
    ingested = ingest_readings(spark, source, [FRIDAY, SATURDAY], SETTINGS)
    rows = build_features(ingested.rows, table.rows, [FRIDAY, SATURDAY], SETTINGS).collect()
    ingested.cached.unpersist()
    for column in all_features():
        values = {row[column.name] for row in rows}
        assert len(values - {None}) > 1, f"{column.name} is constant, so a change of its formula could pass unnoticed"


STORED_EXAMPLE = {"flow_rate": {"version": 2, "digest": "a"}}


@pytest.mark.parametrize(
    ("current", "problem", "storable"),
    [
        ({"flow_rate": {"version": 2, "digest": "a"}}, [], True),
        (
            {"flow_rate": {"version": 2, "digest": "b"}},
            ["flow_rate: the output changed, and the version is still 2; raise it"],
            False,
        ),
        ({"flow_rate": {"version": 3, "digest": "b"}}, ["flow_rate: version 3 is not stored yet"], True),
        ({"flow_rate": {"version": 3, "digest": "a"}}, ["flow_rate: version 3 is not stored yet"], True),
        ({}, ["flow_rate: not in the code any more"], True),
    ],
    ids=["same", "changed", "raised", "raised alone", "gone"],
)
def test_a_changed_output_is_stored_only_with_a_raised_version(
    current: Versions, problem: list[str], storable: bool
) -> None:
    assert find_problems(STORED_EXAMPLE, current) == problem
    assert may_be_stored(problem) == storable
