"""Selection of features: leaky ones, the columns of the feature table, and features to train on."""

import pytest

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.lookup import feature_columns, feature_table_columns, leaky_features
from traffic_assets_tests.codes import get_code, get_values

NAMES = tuple(column.name for column in FEATURES)


def test_leaky_features_of_each_target() -> None:
    assert leaky_features() == ("traffic_efficiency", "congestion_level")
    assert leaky_features("flow") == ("flow_rate",)


def test_leaky_features_are_kept_only_for_the_speed() -> None:
    """Check that the flow is never trained on the flow rate."""
    assert {c.name for c in feature_columns()} >= set(leaky_features())
    assert set(NAMES) - {c.name for c in feature_columns(target="flow")} == {"flow_rate"}


def test_a_feature_table_has_keys_features_and_the_targets() -> None:
    assert [c.name for c in feature_table_columns()] == ["sensor_id", "timestamp", *NAMES, "speed", "flow"]


def test_features_are_excluded_by_name() -> None:
    assert feature_columns() == FEATURES
    left = feature_columns(leaky_features())
    assert [c.name for c in left] == [n for n in NAMES if n not in ("traffic_efficiency", "congestion_level")]


def test_only_named_features_are_kept_in_the_order_of_the_catalogue() -> None:
    only = ["flow_rate", "speed_lag_1", "hour_sin"]
    in_order = [name for name in NAMES if name in only]
    assert [c.name for c in feature_columns(only=only)] == in_order
    assert {c.name for c in feature_columns(["hour_sin"], only=only)} == {"flow_rate", "speed_lag_1"}
    assert {c.name for c in feature_columns(target="flow", only=only)} == {"hour_sin", "speed_lag_1"}
    with pytest.raises(ValueError) as caught:
        feature_columns(only=["hour_sine"])
    assert get_code(caught.value) == "features.unknown"
    assert get_values(caught.value)["setting"] == "training.features"


def test_unknown_names_and_excluding_every_feature_are_refused() -> None:
    with pytest.raises(ValueError) as caught:
        feature_columns(["speed_lag_4", "hour_sin", "speed"])
    assert get_code(caught.value) == "features.unknown"
    values = get_values(caught.value)
    assert values["setting"] == "training.exclude_features"
    assert [name.partition(" (did you mean ")[0] for name in values["names"]] == ["speed", "speed_lag_4"]
    assert "(did you mean speed_lag_" in values["names"][1]
    assert values["allowed"] == list(NAMES)
    with pytest.raises(ValueError) as caught:
        feature_columns(NAMES)
    assert get_code(caught.value) == "features.all-excluded"
    with pytest.raises(ValueError) as caught:
        feature_columns(NAMES, target="flow")
    assert get_code(caught.value) == "features.all-leaky-or-excluded"
    assert get_values(caught.value) == {"target": "flow", "leaky": ("flow_rate",)}
