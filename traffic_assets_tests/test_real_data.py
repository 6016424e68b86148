"""Training on real detector data, from raw readings to registered models."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.resources import build_resources
from traffic_assets.settings.loading import merge
from traffic_assets_tests import real_data
from traffic_assets_tests.runs import failures, run_features, run_train
from traffic_assets_tests.tiny import only_lanes, tiny_settings

FOLDER = real_data.folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="TRAFFIC_REAL_DATA does not name the folder of the real data")

TEN_SENSORS = 10


@pytest.fixture
def whole_weeks() -> None:
    """Mark a test that trains whole weeks of real data (`tiers.py`)."""


def write_some_of_san_diego(data: Path, target: Path) -> int:
    return real_data.write_san_diego(data, target, every=TEN_SENSORS)


@pytest.mark.parametrize(
    ("write", "settings", "days", "week", "missing"),
    [
        (write_some_of_san_diego, real_data.SAN_DIEGO_SETTINGS, real_data.SAN_DIEGO_DAYS,
         real_data.SAN_DIEGO_WEEK, {"flow_rate", "occupancy_ratio"}),
        (real_data.write_emeryville, real_data.EMERYVILLE_SETTINGS, real_data.EMERYVILLE_DAYS,
         real_data.EMERYVILLE_WEEK,
         {"lat_normalized", "lon_normalized", "distance_from_center", "sensor_cluster"}),
    ],
    ids=["san_diego", "emeryville"],
)  # fmt: skip
@pytest.mark.usefixtures("whole_weeks")
def test_from_raw_readings_to_registered_models(
    spark: SparkSession,
    tmp_path: Path,
    write: Callable[[Path, Path], int],
    settings: Mapping[str, Any],
    days: Sequence[str],
    week: str,
    missing: set[str],
) -> None:
    assert FOLDER is not None
    write(FOLDER, tmp_path / "raw" / "readings")
    names = ("linear_regression", "gradient_boosted_trees")
    window = {"training": {"window_weeks": -(-len(days) // 7), "minimum_days": len(days)}}
    changes = merge(merge(only_lanes(*names), window), settings)
    configured = tiny_settings(tmp_path, changes)
    with dg.DagsterInstance.ephemeral() as instance:
        features = run_features(build_defs(configured), instance, days)
        assert features.success, failures(features)
        train = run_train(build_defs(configured), instance, week)
    assert train.success, failures(train)
    registry = get_registry(build_resources(configured)["hdfs"])
    for name in names:
        metadata = registry.metadata(name)
        assert set(metadata.features["missing"]) == missing
        assert sorted(metadata.training.days) == sorted(days)
    assert registry.metadata("linear_regression").metrics["test"]["r2"] > 0.9
