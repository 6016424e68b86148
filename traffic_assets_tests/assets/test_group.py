"""Contributions of asset modules: the parameters with which their assets require a guard."""

import dagster as dg

from traffic_assets.assets.group import DAY_GUARD, WEEK_GUARD, Guard


def test_a_guard_parameter_requires_a_resource_and_is_not_an_input() -> None:
    @dg.asset
    def guarded(day_guard: Guard, week_guard: Guard) -> None: ...

    assert guarded.required_resource_keys >= {DAY_GUARD, WEEK_GUARD}
    assert guarded.keys_by_input_name == {}
