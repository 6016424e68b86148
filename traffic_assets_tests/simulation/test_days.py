"""Simulated days: equal specifications give equal readings."""

from datetime import date

import pytest

from traffic_assets.simulation import days
from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.network import READING_SCHEMA
from traffic_assets.simulation.spec import SampleSpec


def test_same_spec_same_tables_and_another_seed_other_tables() -> None:
    first, again, other = (list(simulate_days(SampleSpec(days=2, seed=seed))) for seed in (42, 42, 43))
    for (day, table), (day_again, table_again), (day_other, table_other) in zip(first, again, other, strict=True):
        assert day == day_again == day_other
        assert table.schema.equals(READING_SCHEMA, check_metadata=True)
        assert table.equals(table_again)
        assert not table.equals(table_other)


def test_longer_sample_extends_a_shorter_one(monkeypatch: pytest.MonkeyPatch) -> None:
    around_dst = date(2026, 3, 5)
    fourteen = dict(simulate_days(SampleSpec(first_day=around_dst, days=14)))
    monkeypatch.setattr(days, "CELLS_AT_ONCE", 1)  # one day at a time
    seven = dict(simulate_days(SampleSpec(first_day=around_dst, days=7)))
    assert list(seven) == list(fourteen)[:7]
    assert all(table.equals(fourteen[day]) for day, table in seven.items())
    later = SampleSpec(first_day=date(2026, 3, 8), days=1)
    assert next(simulate_days(later))[1].equals(fourteen[date(2026, 3, 8)])


@pytest.mark.parametrize("minutes", [1, 15])
def test_other_intervals(minutes: int) -> None:
    ((_, table),) = simulate_days(SampleSpec(days=1, interval_minutes=minutes))
    frame = table.to_pandas()
    assert frame["timestamp"].nunique() == 1440 // minutes
    assert (frame["flow"] * 60 / minutes / frame["lanes"]).max() == pytest.approx(1900, rel=0.25)
