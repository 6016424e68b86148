"""The simulated network behaves like traffic, and the same spec always gives the same readings."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from traffic_assets.features import sample
from traffic_assets.features.sample import SampleSpec, require_simulated, sensors, simulate_days, write_sample


def readings(spec: SampleSpec) -> pd.DataFrame:
    frame = pa.concat_tables([table for _, table in simulate_days(spec)]).to_pandas()
    frame["local"] = frame["timestamp"].dt.tz_convert(spec.time_zone)
    return frame


def speed_grid(frame: pd.DataFrame) -> pd.DataFrame:
    """Speeds by interval (all of them) and sensor."""
    grid = frame.pivot(index="timestamp", columns="sensor_id", values="speed")
    return grid.reindex(pd.date_range(grid.index.min(), grid.index.max(), freq="5min"))


@pytest.fixture(scope="module", params=[42, 7], ids=["default", "seed 7"])
def spec(request: pytest.FixtureRequest) -> SampleSpec:
    return SampleSpec(seed=request.param)


@pytest.fixture(scope="module")
def frame(spec: SampleSpec) -> pd.DataFrame:
    return readings(spec)


def test_network_is_large_enough_and_plausible(spec: SampleSpec) -> None:
    table = sensors(spec).to_pandas()
    assert sensors(spec).schema.equals(sample.SENSOR_SCHEMA)
    assert len(table) == table["sensor_id"].nunique() == spec.sensors >= 12
    assert table["highway"].nunique() >= 3
    assert table["lanes"].between(2, 6).all()
    for _, corridor in table.groupby("highway", sort=False):
        north = np.diff(corridor["latitude"]) * 69.0
        east = np.diff(corridor["longitude"]) * 58.1
        miles = np.hypot(north, east)
        assert ((miles > 0.25) & (miles < 1.25)).all()
        # Downstream is always the same way.
        assert (north * north[0] + east * east[0] > 0).all()


def test_readings_carry_their_sensor(spec: SampleSpec, frame: pd.DataFrame) -> None:
    carried = frame[["sensor_id", "latitude", "longitude", "highway", "lanes"]].drop_duplicates()
    pd.testing.assert_frame_equal(carried.reset_index(drop=True), sensors(spec).to_pandas())


def test_same_spec_same_tables_and_another_seed_other_tables() -> None:
    first, again, other = (list(simulate_days(SampleSpec(days=2, seed=seed))) for seed in (42, 42, 43))
    for (day, table), (day_again, table_again), (day_other, table_other) in zip(first, again, other, strict=True):
        assert day == day_again == day_other
        assert table.schema.equals(sample.READING_SCHEMA, check_metadata=True)
        assert table.equals(table_again)
        assert not table.equals(table_other)


def test_longer_sample_extends_a_shorter_one(monkeypatch: pytest.MonkeyPatch) -> None:
    around_dst = date(2026, 3, 5)
    fourteen = dict(simulate_days(SampleSpec(first_day=around_dst, days=14)))
    monkeypatch.setattr(sample, "CELLS_AT_ONCE", 1)  # one day at a time
    seven = dict(simulate_days(SampleSpec(first_day=around_dst, days=7)))
    assert list(seven) == list(fourteen)[:7]
    assert all(table.equals(fourteen[day]) for day, table in seven.items())
    later = SampleSpec(first_day=date(2026, 3, 8), days=1)
    assert next(simulate_days(later))[1].equals(fourteen[date(2026, 3, 8)])


def test_no_reading_twice_and_in_order(frame: pd.DataFrame) -> None:
    assert not frame.duplicated(["sensor_id", "timestamp"]).any()
    for _, of_day in frame.groupby(frame["local"].dt.date):
        keys = of_day[["sensor_id", "timestamp"]]
        pd.testing.assert_frame_equal(keys, keys.sort_values(["sensor_id", "timestamp"]))


def test_intervals_go_missing(spec: SampleSpec, frame: pd.DataFrame) -> None:
    expected = spec.days * spec.sensors * 288
    assert 0.02 <= 1 - len(frame) / expected <= 0.06
    assert 0 < frame["speed"].isna().mean() < 0.01
    assert frame.drop(columns="speed").notna().all(axis=None)
    gaps = frame.groupby("sensor_id")["timestamp"].diff() / pd.Timedelta(minutes=5) - 1
    assert (gaps == 1).sum() > 1000  # isolated
    assert gaps.max() >= 12  # an outage of an hour or more


def test_one_day_of_one_sensor_misses_intervals_too() -> None:
    for seed in range(5):
        ((_, table),) = simulate_days(SampleSpec(sensors=1, days=1, seed=seed))
        assert len(table) <= 0.98 * 288


def test_some_readings_are_stuck(frame: pd.DataFrame) -> None:
    same = frame.groupby("sensor_id")["speed"].diff() == 0.0
    assert same.sum() >= 3


def test_speeds_spread_as_on_a_freeway(frame: pd.DataFrame) -> None:
    speed = frame["speed"].dropna()
    assert speed.between(3, 90).all()
    assert speed.min() < 20
    assert speed.max() > 70
    assert 10 <= speed.std() <= 14
    assert 0.05 <= (speed < sample.CONGESTED_BELOW_MPH).mean() <= 0.25


def test_free_flow_at_night(frame: pd.DataFrame) -> None:
    night = frame[frame["local"].dt.hour < 4].groupby("sensor_id")["speed"]
    assert night.mean().between(62, 70).all()
    assert night.std().between(1.2, 2.5).all()
    assert 1.5 <= night.std().mean() <= 2.5


def test_persistence_error_at_15_minutes(frame: pd.DataFrame) -> None:
    grid = speed_grid(frame)
    assert 2.0 <= np.sqrt(np.nanmean((grid.shift(-3) - grid) ** 2)) <= 4.0


def test_weekday_peaks_are_slower_than_the_same_hours_at_weekends(frame: pd.DataFrame) -> None:
    weekday = frame["local"].dt.weekday < 5
    for hours in ([7, 8], [16, 17]):
        peak = frame["local"].dt.hour.isin(hours)
        assert frame[weekday & peak]["speed"].mean() < frame[~weekday & peak]["speed"].mean() - 5
        assert frame[weekday & peak]["flow"].mean() > frame[~weekday & peak]["flow"].mean()


def test_corridors_differ_in_their_heavy_peak(frame: pd.DataFrame) -> None:
    weekdays = frame[frame["local"].dt.weekday < 5]
    hour = weekdays["local"].dt.hour
    morning = weekdays[hour.between(7, 9)].groupby("highway")["speed"].mean()
    evening = weekdays[hour.between(16, 18)].groupby("highway")["speed"].mean()
    assert (morning < evening - 5).any()
    assert (evening < morning - 5).any()


def test_queues_spread_upstream(spec: SampleSpec, frame: pd.DataFrame) -> None:
    """In a heavy peak, a sensor near the bottleneck slows down before one further upstream."""
    table = sensors(spec).to_pandas()
    corridor = table[table["highway"] == table["highway"].iloc[0]]  # heavy in the morning
    weekdays = frame[(frame["local"].dt.weekday < 5) & frame["local"].dt.hour.between(5, 11)]
    slow = weekdays[weekdays["speed"] < sample.CONGESTED_BELOW_MPH]
    onset = slow.groupby([slow["local"].dt.date, "sensor_id"])["timestamp"].min().unstack("sensor_id")
    upstream, near = corridor["sensor_id"].iloc[[0, 3]]
    delay = (onset[upstream] - onset[near]) / pd.Timedelta(minutes=1)
    assert delay.median() >= 10


def test_incidents_cause_rare_congestion_outside_the_peaks() -> None:
    frame = readings(SampleSpec(days=42))
    hour, weekend = frame["local"].dt.hour, frame["local"].dt.weekday >= 5
    outside = frame[(weekend & hour.between(9, 20)) | (~weekend & hour.between(12, 13))]
    slow = outside["speed"].dropna() < sample.CONGESTED_BELOW_MPH
    assert slow.sum() >= 12
    assert slow.mean() < 0.05


def test_flow_stays_within_capacity(frame: pd.DataFrame) -> None:
    per_lane_hour = frame["flow"] * 12 / frame["lanes"]
    assert per_lane_hour.between(0, 2200).all()
    assert per_lane_hour.max() > 1600
    assert (frame["flow"] == frame["flow"].round()).all()  # vehicles are counted


def test_flow_speed_and_occupancy_agree(frame: pd.DataFrame) -> None:
    assert frame["occupancy"].between(0, 1).all()
    known = frame.dropna(subset="speed")
    density = known["flow"] * 12 / known["speed"] / known["lanes"]
    effective_feet = 5280 * known["occupancy"] / density
    assert effective_feet.groupby(known["sensor_id"]).median().between(21.5, 25.5).all()
    assert effective_feet.quantile([0.005, 0.995]).between(19, 28).all()
    assert np.corrcoef(density, known["occupancy"])[0, 1] > 0.98
    # The congested branch: less flow than at capacity, and more density than at free flow.
    jammed = known["speed"] < 25
    assert density[jammed].min() > density[known["speed"] > 60].max()
    assert known[jammed]["flow"].mean() / known[jammed]["lanes"].mean() * 12 < 1700


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 3, 9), 24), (date(2026, 11, 1), 25)])
def test_local_days_have_as_many_hours_as_the_clock_says(day: date, hours: int) -> None:
    ((simulated, table),) = simulate_days(SampleSpec(first_day=day, days=1))
    stamps = table.to_pandas()["timestamp"]
    assert simulated == day
    assert set(stamps.dt.tz_convert("America/Los_Angeles").dt.date) == {day}
    assert stamps.nunique() == hours * 12
    assert stamps.max() - stamps.min() == pd.Timedelta(hours=hours) - pd.Timedelta(minutes=5)


def test_demand_follows_the_local_clock_across_a_change_of_clocks() -> None:
    frame = readings(SampleSpec(first_day=date(2026, 3, 2), days=14))  # clocks change on Sunday 8 March
    weekdays = frame[frame["local"].dt.weekday < 5]
    before = weekdays["local"].dt.date <= date(2026, 3, 6)
    hour = weekdays["local"].dt.hour
    flows = [weekdays[part].groupby(hour[part])["flow"].mean() for part in (before, ~before)]
    assert (flows[0] / flows[1]).loc[[4, 5, 6]].between(0.85, 1.18).all()


@pytest.mark.parametrize("minutes", [1, 15])
def test_other_intervals(minutes: int) -> None:
    ((_, table),) = simulate_days(SampleSpec(days=1, interval_minutes=minutes))
    frame = table.to_pandas()
    assert frame["timestamp"].nunique() == 1440 // minutes
    assert (frame["flow"] * 60 / minutes / frame["lanes"]).max() == pytest.approx(1900, rel=0.25)


def test_bad_rows_only_when_asked_for() -> None:
    ((_, clean),) = simulate_days(SampleSpec(days=1))
    ((_, spoilt),) = simulate_days(SampleSpec(days=1, bad_share=0.1))
    frame = spoilt.to_pandas()
    repeated = frame.duplicated(["sensor_id", "timestamp"])
    out_of_range = (frame["speed"] < 0) | (frame["speed"] > 100)
    assert (repeated.sum() + out_of_range.sum()) / len(frame) == pytest.approx(0.1, abs=0.001)
    assert repeated.sum() > 0
    assert (frame["speed"] < 0).any()
    assert (frame["speed"] > 100).any()
    # The rest is what it is without bad rows.
    kept = frame[~repeated & ~out_of_range]
    merged = kept.merge(clean.to_pandas(), how="left", on=list(frame.columns), indicator=True)
    assert (merged["_merge"] == "both").all()


@pytest.mark.parametrize("count", [1, 2, 5, 40, 100])
def test_any_number_of_sensors(count: int) -> None:
    spec = SampleSpec(sensors=count, days=1)
    table = sensors(spec).to_pandas()
    assert len(table) == count
    assert table["highway"].nunique() >= min(3, count)
    ((_, day),) = simulate_days(spec)
    assert set(day["sensor_id"].to_pylist()) == set(table["sensor_id"])
    assert day.to_pandas()["speed"].dropna().between(3, 90).all()


def test_more_sensors_more_highways() -> None:
    counts = [len(set(sensors(SampleSpec(sensors=count))["highway"].to_pylist())) for count in (16, 36, 72)]
    assert counts == sorted(set(counts))


def test_a_network_of_thousands_is_as_sensible(tmp_path: Path) -> None:
    report = write_sample(SampleSpec(sensors=2500, days=2), tmp_path)
    assert report.sensors == 2500
    assert 0.05 <= report.congested_share <= 0.25
    assert 2 <= report.persistence_rmse_15min_mph <= 4


def test_the_largest_network_has_its_sensors_on_the_map_and_apart() -> None:
    table = sensors(SampleSpec(sensors=50_000)).to_pandas()
    assert table["sensor_id"].is_unique
    assert not table.duplicated(["latitude", "longitude"]).any()
    assert table["latitude"].between(-80, 80).all()
    assert table["longitude"].between(-180, 180).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sensors": 0}, "sensors is 0; allowed is 1 to 50000"),
        ({"days": 0}, "days is 0; allowed is 1 to 3660"),
        ({"seed": -1}, "seed is -1; allowed is 0 to"),
        ({"interval_minutes": 7}, "interval_minutes is 7; allowed is 1, 3, 5 or 15"),
        ({"time_zone": "Mars/Base"}, "time_zone is Mars/Base; allowed is an IANA name"),
        ({"bad_share": 0.9}, "bad_share is 0.9; allowed is 0 to 0.5"),
        ({"first_day": date(1900, 1, 1)}, "first_day is 1900-01-01; allowed is 1975-01-01 to"),
    ],
)
def test_impossible_specs_are_refused_with_what_is_allowed(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate(wrong)


def test_write_sample_writes_one_file_per_local_day_and_reports(tmp_path: Path) -> None:
    spec = SampleSpec(days=3)
    seen: list[tuple[int, int]] = []
    report = write_sample(spec, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [f"date=2026-01-0{day}/readings.parquet" for day in (5, 6, 7)]
    for day, table in simulate_days(spec):
        written = pq.ParquetFile(tmp_path / f"date={day}" / "readings.parquet").read()
        assert written.equals(table)
        assert written.schema.metadata[b"origin"] == b"simulated"

    frame = readings(spec)
    grid = speed_grid(frame)
    assert (report.days, report.sensors, report.readings) == (3, 12, len(frame))
    assert report.missing_share == pytest.approx(1 - len(frame) / (3 * 12 * 288))
    assert report.congested_share == pytest.approx((frame["speed"].dropna() < 45).mean())
    assert report.persistence_rmse_15min_mph == pytest.approx(np.sqrt(np.nanmean((grid.shift(-3) - grid) ** 2)))


def test_a_folder_with_anything_but_samples_is_refused(tmp_path: Path) -> None:
    require_simulated(tmp_path / "not there")
    write_sample(SampleSpec(days=1, sensors=3), tmp_path)
    require_simulated(tmp_path)
    for name, content in (("real.csv", b"sensor_id,speed"), ("date=2026-01-05/more.parquet", b"PAR1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} is no simulated file"):
            require_simulated(tmp_path)
        (tmp_path / name).unlink()
    table = pq.read_table(tmp_path / "date=2026-01-05" / "readings.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "real.parquet")
    with pytest.raises(ValueError, match=r"real\.parquet is no simulated file"):
        require_simulated(tmp_path)


def test_report_looks_past_rows_made_wrong_on_purpose(tmp_path: Path) -> None:
    clean = write_sample(SampleSpec(days=2), tmp_path)
    spoilt = write_sample(SampleSpec(days=2, bad_share=0.05), tmp_path)
    assert spoilt.readings > clean.readings
    assert spoilt.missing_share == clean.missing_share
    assert spoilt.persistence_rmse_15min_mph == pytest.approx(clean.persistence_rmse_15min_mph, rel=0.05)


def test_writing_again_replaces_and_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "date=2026-01-05" / "readings.parquet"
    write_sample(SampleSpec(days=1, seed=1), tmp_path)
    first = file.read_bytes()
    write_sample(SampleSpec(days=1, seed=2), tmp_path)
    second = file.read_bytes()
    assert first != second

    def breaks_half_way(table: pa.Table, where: Path) -> None:
        where.write_bytes(b"PAR1")
        raise OSError("no space left")

    monkeypatch.setattr(sample.pq, "write_table", breaks_half_way)
    with pytest.raises(OSError, match="no space left"):
        write_sample(SampleSpec(days=1, seed=3), tmp_path)
    assert file.read_bytes() == second
    assert [path.name for path in file.parent.iterdir()] == ["readings.parquet"]
