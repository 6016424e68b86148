"""The catalogue: the defined features, and the leaky ones among them."""

from typing import get_args

import pytest

from traffic_assets.catalogue.features import CATEGORICAL_FEATURES, FEATURES
from traffic_assets.catalogue.lookup import feature_columns, feature_table_columns, leaky_features
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.settings.target import Target
from traffic_assets_tests.codes import code_of, values_of

NAMES = tuple(column.name for column in FEATURES)
BEFORE = {f"speed_lag_{k}" for k in (1, 2, 3)} | {f"speed_ma_{m}min" for m in (15, 30, 60)} | {"speed_variance"}


def test_the_features_of_the_definition() -> None:
    numeric = {
        "hour_sin",
        "hour_cos",
        "time_since_midnight",
        "lat_normalized",
        "lon_normalized",
        "distance_from_center",
        "traffic_efficiency",
        "occupancy_ratio",
        "flow_rate",
    }
    categorical = {"highway_encoded", "is_weekend", "is_rush_hour", "sensor_cluster", "congestion_level"}
    assert len(NAMES) == len(set(NAMES))
    assert set(NAMES) == numeric | BEFORE | categorical
    assert {c.name for c in CATEGORICAL_FEATURES} == categorical
    assert {c.name: c.role for c in FEATURES if c.name in categorical} == dict.fromkeys(categorical, "categorical")
    assert {c.spark_type for c in FEATURES if c.role == "numeric"} == {"double"}


def test_availability_of_each_feature() -> None:
    assert {c.name for c in FEATURES if c.available_at == "before"} == BEFORE
    assert {c.name for c in FEATURES if c.available_at == "with the reading"} == {"occupancy_ratio", "flow_rate"}
    assert leaky_features() == ("traffic_efficiency", "congestion_level")
    assert leaky_features("flow") == ("flow_rate",)
    assert not any(target.is_leaky(name) for name, target in TARGETS.items())  # targets are not features
    assert {target.available_at for target in TARGETS.values()} == {"with the target"}


def test_every_target_of_the_settings_is_in_the_catalogue() -> None:
    assert get_args(Target) == tuple(TARGETS)
    assert {target.role for target in TARGETS.values()} == {"target"}
    assert all(target.unit for target in TARGETS.values())


def test_leaky_features_are_kept_only_for_the_speed() -> None:
    """Check that the flow is never trained on the flow rate."""
    assert {c.name for c in feature_columns()} >= set(leaky_features())
    assert set(NAMES) - {c.name for c in feature_columns(target="flow")} == {"flow_rate"}


def test_ranges_of_the_definition() -> None:
    by_name = {c.name: (c.low, c.high) for c in FEATURES}
    assert by_name["hour_sin"] == by_name["hour_cos"] == (-1, 1)
    assert by_name["time_since_midnight"] == (0, 1440)
    assert by_name["traffic_efficiency"] == (0, 1.5)
    assert by_name["congestion_level"] == (0, 3)
    assert by_name["speed_variance"] == (0, None)
    assert by_name["speed_lag_3"] == (TARGETS["speed"].low, TARGETS["speed"].high) == (0, 120)


def test_every_feature_is_computed_from_input_columns() -> None:
    read = {c.name for c in (*READING_COLUMNS, *SENSOR_COLUMNS)}
    for column in FEATURES:
        assert column.source, column.name
        assert set(column.source) <= read
        assert column.description


def test_a_feature_table_has_keys_features_and_the_targets() -> None:
    assert [c.name for c in feature_table_columns()] == ["sensor_id", "timestamp", *NAMES, "speed", "flow"]


def test_features_are_excluded_by_name() -> None:
    assert feature_columns() == FEATURES
    left = feature_columns(leaky_features())
    assert [c.name for c in left] == [n for n in NAMES if n not in ("traffic_efficiency", "congestion_level")]


def test_unknown_names_and_excluding_every_feature_are_refused() -> None:
    with pytest.raises(ValueError) as caught:
        feature_columns(["speed_lag_4", "hour_sin", "speed"])
    assert code_of(caught.value) == "features.unknown"
    values = values_of(caught.value)
    assert values["setting"] == "training.exclude_features"
    assert [name.partition(" (did you mean ")[0] for name in values["names"]] == ["speed", "speed_lag_4"]
    assert "(did you mean speed_lag_" in values["names"][1]
    assert values["allowed"] == list(NAMES)
    with pytest.raises(ValueError) as caught:
        feature_columns(NAMES)
    assert code_of(caught.value) == "features.all-excluded"
    with pytest.raises(ValueError) as caught:
        feature_columns(NAMES, target="flow")
    assert code_of(caught.value) == "features.all-leaky-or-excluded"
    assert values_of(caught.value) == {"target": "flow", "leaky": ("flow_rate",)}
