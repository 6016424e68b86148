"""Features of installed packages: valid ones are in the catalogue, others are refused."""

from typing import Any
from unittest.mock import Mock

import pytest

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.extension import Feature
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.lookup import all_features, feature_columns, feature_table_columns, leaky_features
from traffic_assets.ml.algorithm import ROW
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.metrics.metrics import PREDICTION
from traffic_assets.ml.preprocessing.pipeline import ASSEMBLED, SELECTED, VECTOR
from traffic_assets.ml.splits.shares import SPLIT
from traffic_assets.settings.plugins import FEATURE_GROUP, plugins
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.packages import Install

CODE = """
from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.extension import Feature

def feature(name, **changes):
    column = Column(name, **{"role": "numeric", "spark_type": "double", "source": ("speed",), **changes})
    return Feature(name=name, title=name, column=column, expression=lambda data: None)

LEVEL = feature("level", available_at="with the target")
SPEED_LAG_1 = feature("speed_lag_1")
"""


def test_an_installed_feature_is_in_the_catalogue_until_it_is_excluded(install: Install) -> None:
    install("acme-features", CODE, {FEATURE_GROUP: {"level": "LEVEL"}})
    assert [column.name for column in all_features()] == [*(c.name for c in FEATURES), "level"]
    assert "level" in [column.name for column in feature_table_columns()]
    assert "level" in leaky_features("speed"), "it contains the speed of its own interval"
    assert "level" in [column.name for column in feature_columns()]
    assert "level" not in [column.name for column in feature_columns(exclude=["level"])]
    assert [column.name for column in feature_columns(only=["level"])] == ["level"]


def test_the_name_of_a_built_in_column_is_refused(install: Install) -> None:
    install("acme-features", CODE, {FEATURE_GROUP: {"speed_lag_1": "SPEED_LAG_1"}})
    (plugin,) = plugins(FEATURE_GROUP)
    assert plugin.problem is not None
    assert plugin.problem.code == "plugins.built-in-name"
    assert plugin.problem.values["name"] == "speed_lag_1"
    assert all_features() == FEATURES


@pytest.mark.parametrize(
    "name", [SPLIT, ROW, STOP, VECTOR, ASSEMBLED, SELECTED, PREDICTION, "numbers", "free_flow_speed", "date"]
)
def test_the_name_of_a_column_that_training_adds_is_refused(install: Install, name: str) -> None:
    install("acme-features", f"{CODE}\nOWN = feature({name!r})", {FEATURE_GROUP: {name: "OWN"}})
    (plugin,) = plugins(FEATURE_GROUP)
    assert plugin.problem is not None
    assert plugin.problem.code == "plugins.built-in-name"


@pytest.mark.parametrize(
    ("column", "lookback", "code", "values"),
    [
        (Column("other", "numeric", "double"), 0, "features.wrong-column-name", {"column": "other"}),
        (Column("level", "target", "double"), 0, "features.wrong-role", {"role": "target"}),
        (
            Column("level", "numeric", "string"),
            0,
            "features.wrong-type",
            {"role": "numeric", "type": "string", "allowed": ("double",)},
        ),
        (Column("level", "numeric", "double"), 2000, "features.wrong-lookback", {"given": 2000, "longest": 1440}),
    ],
)
def test_an_invalid_feature_is_refused(column: Column, lookback: int, code: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError) as caught:
        Feature(name="level", title="Level", column=column, expression=lambda _: Mock(), lookback_minutes=lookback)
    assert get_code(caught.value) == code
    assert get_values(caught.value) == {"feature": "level", **values}


def test_a_feature_without_a_function_is_refused() -> None:
    broken: Any = None
    with pytest.raises(ValueError) as caught:
        Feature(name="level", title="Level", column=Column("level", "numeric", "double"), expression=broken)
    assert get_code(caught.value) == "features.no-expression"
