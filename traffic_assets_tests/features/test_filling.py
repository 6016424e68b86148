"""Fills of missing speeds in lags and means, which never use the reading or later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_assets.catalogue.features import FEATURES
from traffic_assets.features.engineering import lookback_minutes
from traffic_assets.settings.data import DataSettings, FillSettings
from traffic_assets_tests.features.test_engineering import MONDAY, SUNDAY, at, epoch, features, past

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Readings = dict[int, float | None]  # by seconds from midnight
INTERVAL = 300
EARLY = [column.name for column in FEATURES if column.available_at in ("always", "before")]
FILLS = [
    FillSettings(forward_fill=True, longest_gap_minutes=10),
    FillSettings(interpolation=True, longest_gap_minutes=10),
    FillSettings(forward_fill=True, interpolation=True, longest_gap_minutes=20),
]
IDS = ["forward fill", "interpolation", "both"]


def filling(fill: FillSettings) -> DataSettings:
    return DataSettings(fill=fill)


@pytest.mark.parametrize(
    ("fill", "lags", "mean"),
    [
        (FillSettings(), (None, None, 54.0), 54.0),
        (FillSettings(forward_fill=True, longest_gap_minutes=10), (54.0, 54.0, 54.0), 54.0),
        (FillSettings(forward_fill=True, longest_gap_minutes=5), (None, 54.0, 54.0), 54.0),
    ],
)
def test_forward_fill_is_limited_to_the_longest_gap(
    spark: SparkSession, fill: FillSettings, lags: tuple[float | None, ...], mean: float
) -> None:
    readings = [
        ("A", epoch(f"{MONDAY} 06:{minute:02d}"), speed) for minute, speed in ((0, 54.0), (5, None), (15, 20.0))
    ]
    row = at(features(spark, readings, [MONDAY], filling(fill)), "A", f"{MONDAY} 06:15")
    assert past(row)[:4] == (*lags, mean)
    assert row["speed_variance"] is None, "one measured speed has no variance"
    assert row["speed"] == 20.0


def test_interpolation_uses_neighbours_before_the_reading(spark: SparkSession) -> None:
    readings = [("A", epoch(f"{MONDAY} 06:{m:02d}"), v) for m, v in ((0, 60.0), (15, 54.0), (20, 10.0), (30, 90.0))]
    fill = FillSettings(interpolation=True, longest_gap_minutes=10)
    rows = features(spark, readings, [MONDAY], filling(fill))
    assert past(at(rows, "A", f"{MONDAY} 06:15"))[:4] == (None, None, 60.0, 60.0), "15 itself is not a neighbour"
    assert past(at(rows, "A", f"{MONDAY} 06:20"))[:4] == (54.0, 56.0, 58.0, pytest.approx(56.0))
    last = at(rows, "A", f"{MONDAY} 06:30")
    assert past(last)[:4] == (None, 10.0, 54.0, 32.0), "no speed follows the gap at 25"
    assert last["speed_ma_30min"] == pytest.approx((60 + 58 + 56 + 54 + 10) / 5)
    assert last["speed_variance"] == pytest.approx((60**2 + 54**2 + 10**2) / 3 - (124 / 3) ** 2), "as measured"


def test_interpolation_takes_precedence_over_forward_fill(spark: SparkSession) -> None:
    readings = [("A", epoch(f"{MONDAY} 06:{m:02d}"), v) for m, v in ((0, 60.0), (10, 40.0), (20, 10.0))]
    fill = FillSettings(interpolation=True, forward_fill=True, longest_gap_minutes=5)
    row = at(features(spark, readings, [MONDAY], filling(fill)), "A", f"{MONDAY} 06:20")
    assert past(row)[:4] == (40.0, 40.0, 50.0, pytest.approx(130 / 3))


def test_fills_use_the_day_before(spark: SparkSession) -> None:
    """Check that a reading after midnight has the same past as one at noon."""
    fill = FillSettings(forward_fill=True, longest_gap_minutes=60)
    assert lookback_minutes(filling(fill)) == 120
    night = [("A", epoch(f"{SUNDAY} 22:05"), 10.0), ("A", epoch(f"{SUNDAY} 23:30"), 50.0)]
    noon = [("B", epoch(f"{MONDAY} 10:05"), 10.0), ("B", epoch(f"{MONDAY} 11:30"), 50.0)]
    ends = [("A", epoch(f"{MONDAY} 00:00"), 1.0), ("B", epoch(f"{MONDAY} 12:00"), 1.0)]
    rows = features(spark, [*night, *noon, *ends], [MONDAY], filling(fill))
    filled = past(at(rows, "A", f"{MONDAY} 00:00"))
    assert filled == past(at(rows, "B", f"{MONDAY} 12:00"))
    # 23:00 and 23:05 from 22:05, nothing near enough until 23:30, then 50
    assert filled[5] == pytest.approx((2 * 10 + 6 * 50) / 8)


def test_lags_of_long_intervals_use_the_day_before_too(spark: SparkSession) -> None:
    data = DataSettings(interval_minutes=30)
    readings = [("A", epoch(f"{SUNDAY} 22:30"), 10.0), ("A", epoch(f"{MONDAY} 00:00"), 20.0)]
    assert past(at(features(spark, readings, [MONDAY], data), "A", f"{MONDAY} 00:00"))[:3] == (None, None, 10.0)


def filled(known: dict[int, float], moment: int, fill: FillSettings) -> float | None:
    """Fill an interval naively; `known` has the speeds that were measured before the reading."""
    gap = 60 * fill.longest_gap_minutes
    older = max((t for t in known if moment - gap <= t < moment), default=None)
    newer = min((t for t in known if moment < t <= moment + gap), default=None)
    if fill.interpolation and older is not None and newer is not None:
        share = (moment - older) / (newer - older)
        return (1 - share) * known[older] + share * known[newer]
    return known[older] if fill.forward_fill and older is not None else None


def expected_past(readings: Readings, now: int, fill: FillSettings) -> list[float | None]:
    """Compute lags, means and variance naively."""
    known = {t: speed for t, speed in readings.items() if speed is not None and t < now}

    def interval(back: int) -> float | None:
        moment = now - back * INTERVAL
        return known[moment] if moment in known else filled(known, moment, fill)

    def mean(values: list[float]) -> float | None:
        return sum(values) / len(values) if values else None

    means = []
    for minutes in (15, 30, 60):
        moments = [now - back * INTERVAL for back in range(1, 60 * minutes // INTERVAL + 1)]
        fills = [filled(known, moment, fill) for moment in moments if moment not in known]
        measured = [speed for t, speed in known.items() if t >= now - 60 * minutes]
        means.append(mean([*measured, *(speed for speed in fills if speed is not None)]))
    recent = [speed for t, speed in known.items() if t >= now - 1800]
    middle = mean(recent)
    variance = mean([(v - middle) ** 2 for v in recent]) if middle is not None and len(recent) > 1 else None
    return [interval(1), interval(2), interval(3), *means, variance]


SPEEDS = st.none() | st.integers(0, 480).map(lambda quarters: quarters / 4)
ON_TIME = st.integers(-30, 24).map(lambda slot: slot * INTERVAL)
LATE = st.integers(-60, 48).map(lambda half: half * INTERVAL // 2)  # every other one between two intervals
SERIES = st.dictionaries(ON_TIME | LATE, SPEEDS, min_size=5, max_size=60) | st.dictionaries(
    ON_TIME, SPEEDS, min_size=20, max_size=54
)


@pytest.mark.parametrize("fill", FILLS, ids=IDS)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(sensors=st.lists(SERIES, min_size=15, max_size=25))
def test_the_filled_past_equals_a_naive_search(
    spark: SparkSession, fill: FillSettings, sensors: list[Readings]
) -> None:
    midnight = epoch(f"{MONDAY} 00:00")
    readings = [(str(i), midnight + t, speed) for i, series in enumerate(sensors) for t, speed in series.items()]
    rows = features(spark, readings, [MONDAY], filling(fill))
    filled = {(int(r["sensor_id"]), int(r["timestamp"].timestamp()) - midnight): past(r) for r in rows}
    expected = {
        (i, now): tuple(v if v is None else pytest.approx(v) for v in expected_past(series, now, fill))
        for i, series in enumerate(sensors)
        for now, speed in series.items()
        if now >= 0 and speed is not None
    }
    assert filled == expected


NEAR = st.dictionaries(st.integers(-24, 24).map(lambda half: half * INTERVAL // 2), SPEEDS, max_size=20)


@st.composite
def futures(draw: st.DrawFn) -> tuple[Readings, Readings, int]:
    """Generate two series that agree before an instant, at which both have a reading."""
    before, now = draw(NEAR), draw(st.integers(0, 6)) * INTERVAL
    shared = {t: speed for t, speed in before.items() if t < now}
    later = [{now + abs(t): speed for t, speed in draw(NEAR).items()} for _ in range(2)]
    return (
        {**shared, **later[0], now: draw(st.floats(0, 120))},
        {**shared, **later[1], now: draw(st.floats(0, 120))},
        now,
    )


@pytest.mark.parametrize("fill", [FillSettings(), *FILLS], ids=["none", *IDS])
@settings(max_examples=4, deadline=None, derandomize=True)
@given(pairs=st.lists(futures(), min_size=8, max_size=15))
def test_the_past_does_not_depend_on_the_reading_or_later_ones(
    spark: SparkSession, fill: FillSettings, pairs: list[tuple[Readings, Readings, int]]
) -> None:
    midnight = epoch(f"{MONDAY} 00:00")
    readings = [
        (f"{which} {i}", midnight + t, speed)
        for i, (one, other, _) in enumerate(pairs)
        for which, series in (("one", one), ("other", other))
        for t, speed in series.items()
    ]
    rows = {
        (r["sensor_id"], int(r["timestamp"].timestamp()) - midnight): r
        for r in features(spark, readings, [MONDAY], filling(fill))
    }
    for i, (_, _, now) in enumerate(pairs):
        one, other = rows[f"one {i}", now], rows[f"other {i}", now]
        assert {name: one[name] for name in EARLY} == {name: other[name] for name in EARLY}
