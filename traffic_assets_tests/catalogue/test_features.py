"""Built-in features: their names, roles, availability, ranges and sources."""

from traffic_assets.catalogue.features import CATEGORICAL_FEATURES, FEATURES
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.targets import TARGETS

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
