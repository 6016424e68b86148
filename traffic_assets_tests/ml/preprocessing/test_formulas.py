"""Formulas of created features: their sources and SQL, and the formulas that are refused."""

from __future__ import annotations

import pytest

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.lookup import feature_columns
from traffic_assets.ml.preprocessing.formulas import is_leaky, parse_formula, require_sources, without_source
from traffic_assets_tests.codes import get_code, get_values


@pytest.mark.parametrize(
    ("formula", "sources", "sql", "column"),
    [
        ("a*b", ("a", "b"), "`a` * `b`", "created_a_times_b"),
        ("a/b", ("a", "b"), "`a` / nullif(`b`, 0)", "created_a_per_b"),
        ("a^2", ("a",), "`a` * `a`", "created_a_power_2"),
        ("a^3", ("a",), "`a` * `a` * `a`", "created_a_power_3"),
    ],
)
def test_a_formula_is_one_expression_over_the_row(
    formula: str, sources: tuple[str, ...], sql: str, column: str
) -> None:
    parsed = parse_formula(formula)
    assert (parsed.name, parsed.sources, parsed.sql, parsed.column) == (formula, sources, sql, column)


@pytest.mark.parametrize("formula", ["a", "a+b", "a*b*c", "a*", ""])
def test_invalid_formulas_are_refused(formula: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_formula(formula)
    assert get_code(caught.value) == "preprocessing.invalid-formula"
    assert get_values(caught.value) == {"formula": formula}


@pytest.mark.parametrize(
    "formula", ["traffic_efficiency^2", "flow_rate*traffic_efficiency", "flow_rate/traffic_efficiency"]
)
def test_features_created_from_leaky_features_are_leaky(formula: str) -> None:
    assert is_leaky(formula, "speed")


def test_features_created_from_other_features_are_not_leaky() -> None:
    assert not is_leaky("flow_rate*occupancy_ratio", "speed")


def test_formulas_of_numeric_features_are_accepted() -> None:
    require_sources(
        ["flow_rate*occupancy_ratio", "speed_lag_1/speed_ma_60min", "flow_rate^3"], FEATURES, ["is_weekend"]
    )


def test_every_formula_that_cannot_be_computed_is_listed_with_its_reason() -> None:
    formulas = ["flow_rate/lanes", "congestion_level^2", "flow_rate*traffic_efficiency", "flow_rate^2"]
    with pytest.raises(ValueError) as caught:
        require_sources(formulas, FEATURES, ["traffic_efficiency"])
    assert get_code(caught.value) == "preprocessing.unusable-formulas"
    assert get_values(caught.value)["reasons"] == [
        "flow_rate/lanes: no such feature: lanes",
        "congestion_level^2: congestion_level is categorical",
        "flow_rate*traffic_efficiency: traffic_efficiency is in training.exclude_features",
    ]
    assert get_values(caught.value)["numeric"] == [column.name for column in FEATURES if column.role == "numeric"]


def test_formulas_of_features_outside_training_features_are_refused() -> None:
    require_sources(["flow_rate^2"], FEATURES, only=["flow_rate", "hour_sin"])
    with pytest.raises(ValueError) as caught:
        require_sources(["flow_rate*hour_cos"], FEATURES, only=["flow_rate", "hour_sin"])
    assert get_code(caught.value) == "preprocessing.unusable-formulas"
    assert get_values(caught.value)["reasons"] == ["flow_rate*hour_cos: hour_cos is not in training.features"]


def test_leaky_sources_of_a_target_are_missing() -> None:
    formulas = ["flow_rate*occupancy_ratio", "speed_lag_1^2", "hour_sin/flow_rate"]
    assert without_source(formulas, feature_columns(target="flow")) == {
        "flow_rate*occupancy_ratio": ["flow_rate"],
        "hour_sin/flow_rate": ["flow_rate"],
    }
    assert without_source(formulas, feature_columns()) == {}
