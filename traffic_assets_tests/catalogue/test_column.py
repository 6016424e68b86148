"""Columns of the catalogue, and the conditions for a leaky feature."""

import pytest

from traffic_assets.catalogue.column import Availability, Column, Role


@pytest.mark.parametrize(
    ("role", "available_at", "source", "leaky"),
    [
        ("numeric", "with the target", ("speed", "free_flow_speed"), True),
        ("categorical", "with the reading", ("speed",), True),
        ("numeric", "before", ("speed",), False),
        ("numeric", "always", ("speed",), False),
        ("numeric", "with the reading", ("flow", "lanes"), False),
        ("measurement", "with the reading", ("speed",), False),
        ("target", "with the target", ("speed",), False),
    ],
)
def test_a_feature_is_leaky_if_it_is_computed_from_the_target_of_its_own_interval(
    role: Role, available_at: Availability, source: tuple[str, ...], leaky: bool
) -> None:
    column = Column("a", role, "double", available_at=available_at, source=source)
    assert column.is_leaky("speed") is leaky


def test_a_feature_may_be_leaky_for_one_target_only() -> None:
    flow_rate = Column("flow_rate", "numeric", "double", available_at="with the reading", source=("flow", "lanes"))
    assert (flow_rate.is_leaky("flow"), flow_rate.is_leaky("speed")) == (True, False)
