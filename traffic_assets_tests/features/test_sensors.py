"""The sensor table: fixed codes, scaled positions, distances, clusters and free flow."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.features.sensors import SensorTable, build_sensor_table
from traffic_assets.readings.readers import InputError, Source
from traffic_assets.settings.data import DataSettings
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

DATA = DataSettings()
MONDAY, TUESDAY, WEDNESDAY = "2026-01-05", "2026-01-06", "2026-01-07"


def source(folder: Path, aliases: Mapping[str, str] | None = None) -> Source:
    return Source(f"file://{folder}", LocalFileSystem(), "auto", aliases or {})


def parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path, compression="none")


def sensor(name: str, highway: str | None = "I-5", latitude: float | None = None, **other: Any) -> dict[str, Any]:
    return {"sensor_id": name, "highway": highway, "latitude": latitude, "longitude": -117.0, "lanes": 4} | other


def day_file(folder: Path, day: str, rows: Sequence[dict[str, Any]], modified: int) -> Path:
    """Write one file of a day's folder with its modification time; the folder's own time never changes."""
    path = folder / f"date={day}" / "x.parquet"
    parquet(path, rows)
    os.utime(path, (modified, modified))
    os.utime(path.parent, (1, 1))
    return path


def by_sensor(table: SensorTable) -> dict[str, Row]:
    return {row["sensor_id"]: row for row in table.rows.collect()}


def codes(table: SensorTable) -> dict[str, int | None]:
    return {name: row["highway_encoded"] for name, row in by_sensor(table).items()}


def stored(spark: SparkSession, table: SensorTable, folder: Path) -> SensorTable:
    """Return the table as the next build reads it: from storage, with its record from JSON."""
    table.rows.write.parquet(f"file://{folder}")
    return SensorTable(
        spark.read.parquet(f"file://{folder}"),
        json.loads(json.dumps(table.record)),
        fingerprint=table.fingerprint,
    )


def test_codes_are_assigned_in_name_order_and_never_change(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "sensors.parquet"
    parquet(file, [sensor("a", "SR-52"), sensor("b", "I-5"), sensor("c", "I-805"), sensor("d", None)])
    first = build_sensor_table(spark, source(file), DATA)
    assert codes(first) == {"a": 2, "b": 0, "c": 1, "d": None}

    # By name, I-15 is before all others and SR-94 after them; a, with the highest code, changes its highway.
    parquet(file, [sensor("a", "I-5"), sensor("d", "SR-94"), sensor("e", "I-15"), sensor("f", "I-805")])
    second = build_sensor_table(spark, source(file), DATA, stored(spark, first, tmp_path / "1"))
    assert codes(second) == {"a": 0, "b": 0, "c": 1, "d": 4, "e": 3, "f": 1}  # b and c are kept

    # SR-94 and I-15 lose all sensors: their codes are not reused, and are the same when sensors return.
    parquet(file, [sensor("d", "I-5"), sensor("e", "I-5"), sensor("g", "A-1")])
    third = build_sensor_table(spark, source(file), DATA, stored(spark, second, tmp_path / "2"))
    assert codes(third) == {"a": 0, "b": 0, "c": 1, "d": 0, "e": 0, "f": 1, "g": 5}
    parquet(file, [sensor("d", "SR-94"), sensor("e", "SR-52")])
    fourth = build_sensor_table(spark, source(file), DATA, stored(spark, third, tmp_path / "3"))
    assert codes(fourth) == {"a": 0, "b": 0, "c": 1, "d": 4, "e": 2, "f": 1, "g": 5}
    assert fourth.record["highway_codes"] == {"I-5": 0, "I-805": 1, "SR-52": 2, "I-15": 3, "SR-94": 4, "A-1": 5}


def test_positions_are_scaled_over_the_box_and_measured_from_the_centre(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "sensors.csv"
    file.write_text("station,lat,lng,freeway,lanes\np,48.8566,2.3522,A1,4.0\nl,51.5074,-0.1278,M1,\nn,,,A1,3\n")
    table = build_sensor_table(spark, source(file), DataSettings(center=(51.5074, -0.1278)))
    paris, london, nowhere = (by_sensor(table)[name] for name in "pln")
    assert (paris["lat_normalized"], paris["lon_normalized"]) == (0.0, 1.0)
    assert (london["lat_normalized"], london["lon_normalized"]) == (1.0, 0.0)
    assert paris["distance_from_center"] == pytest.approx(343.56, abs=0.05)  # known
    assert london["distance_from_center"] == pytest.approx(0, abs=1e-9)
    assert (paris["lanes"], london["lanes"]) == (4, None)
    for column in ("lat_normalized", "lon_normalized", "distance_from_center", "sensor_cluster"):
        assert nowhere[column] is None
    assert nowhere["highway_encoded"] == paris["highway_encoded"] == 0
    assert table.record | {"highway_codes": ..., "folders_seen": ..., "geometry": ...} == {
        "sensors": 3,
        "sensors_without_position": 1,
        "sensors_without_lanes": 1,
        "bounding_box": [48.8566, -0.1278, 51.5074, 2.3522],
        "center": [51.5074, -0.1278],
        "mean_position": [pytest.approx((48.8566 + 51.5074) / 2), pytest.approx((2.3522 - 0.1278) / 2)],
        "clusters": 2,
        "highway_codes": ...,
        "folders_seen": ...,
        "geometry": ...,
    }


def test_the_centre_is_the_mean_position_and_a_box_without_width_scales_to_a_half(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "sensors.parquet"
    parquet(file, [sensor("s", latitude=31.0), sensor("m", latitude=32.5), sensor("n", latitude=35.0)])
    table = build_sensor_table(spark, source(file), DATA)
    rows = by_sensor(table)
    assert table.record["center"] == [pytest.approx(98.5 / 3), -117.0]
    assert {name: row["lat_normalized"] for name, row in rows.items()} == {"s": 0.0, "m": 0.375, "n": 1.0}
    assert {row["lon_normalized"] for row in rows.values()} == {0.5}
    degree = 111.1951  # km along a meridian, of a sphere of 6371.0088 km
    assert rows["s"]["distance_from_center"] == pytest.approx((98.5 / 3 - 31) * degree, rel=1e-6)
    assert rows["n"]["distance_from_center"] == pytest.approx((35 - 98.5 / 3) * degree, rel=1e-6)


def test_one_sensor(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", [sensor("only", latitude=32.0)])
    table = build_sensor_table(spark, source(tmp_path), DATA)
    (row,) = table.rows.collect()
    assert (row["lat_normalized"], row["lon_normalized"], row["sensor_cluster"]) == (0.5, 0.5, 0)
    assert row["distance_from_center"] == pytest.approx(0, abs=1e-9)
    assert table.record["clusters"] == 1


@pytest.mark.parametrize("columns", [(), ("latitude",)], ids=["no positions", "latitude alone"])
def test_without_positions(spark: SparkSession, tmp_path: Path, columns: tuple[str, ...]) -> None:
    rows = [sensor("a", latitude=32.0), sensor("b", latitude=33.0)]
    parquet(tmp_path / "x.parquet", [{k: r[k] for k in ("sensor_id", "highway", *columns)} for r in rows])
    table = build_sensor_table(spark, source(tmp_path), DATA)
    for row in by_sensor(table).values():
        assert row["distance_from_center"] is row["lon_normalized"] is row["sensor_cluster"] is None
        assert row["highway_encoded"] == 0
        assert row["lanes"] is None
    assert (table.record["sensors_without_position"], table.record["clusters"]) == (2, 0)


def test_clusters_are_compact_at_most_eight_and_reproducible(spark: SparkSession, tmp_path: Path) -> None:
    places = [(lat, lon) for lat in (30.0, 31.0, 32.0) for lon in (-120.0, -119.0, -118.0)][:8]
    rows = [
        sensor(f"{place}-{i}", latitude=lat + 0.001 * i, longitude=lon)
        for place, (lat, lon) in enumerate(places)
        for i in range(3)
    ]
    parquet(tmp_path / "x.parquet", [*rows, sensor("nowhere", latitude=None)])
    table = build_sensor_table(spark, source(tmp_path), DATA)
    clusters = {name: row["sensor_cluster"] for name, row in by_sensor(table).items()}
    assert clusters.pop("nowhere") is None
    assert table.record["clusters"] == 8
    assert set(clusters.values()) <= set(range(8))
    assert len(set(clusters.values())) >= 6
    for place in range(8):
        assert len({clusters[f"{place}-{i}"] for i in range(3)}) == 1
    parquet(tmp_path / "x.parquet", [sensor("nowhere", latitude=None), *rows[::-1]])
    again = {
        name: row["sensor_cluster"]
        for name, row in by_sensor(build_sensor_table(spark, source(tmp_path), DATA)).items()
    }
    assert again == clusters | {"nowhere": None}


def night_and_day(name: str, speeds: Sequence[float], day: str = MONDAY) -> list[dict[str, Any]]:
    """Return night speeds from local midnight on, and much higher ones at 05:00 and at 23:55."""
    midnight = datetime.fromisoformat(f"{day}T08:00:00").replace(tzinfo=UTC)
    moments = [midnight + timedelta(minutes=5 * i) for i in range(len(speeds))]
    moments += [midnight + timedelta(hours=5), midnight + timedelta(hours=23, minutes=55)]
    return [sensor(name, timestamp=t, speed=s) for t, s in zip(moments, [*speeds, 119.0, 119.0], strict=True)]


def test_free_flow_is_the_85th_percentile_of_the_night_and_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    per_sensor = DataSettings(free_flow_speed="per_sensor")
    rows = night_and_day("a", [float(v) for v in range(51, 71)]) + night_and_day("b", [])
    rows += [sensor("a", timestamp=rows[0]["timestamp"], speed=s) for s in (500.0, float("nan"), None)]  # not counted
    day_file(tmp_path, MONDAY, rows, 1)
    first = build_sensor_table(spark, source(tmp_path), per_sensor)
    free_flow = {name: row["free_flow_speed"] for name, row in by_sensor(first).items()}
    assert free_flow == {"a": 67.0, "b": None}
    fixed = build_sensor_table(spark, source(tmp_path), DATA)
    assert {row["free_flow_speed"] for row in by_sensor(fixed).values()} == {None}

    day_file(tmp_path, TUESDAY, night_and_day("a", [30.0] * 20, TUESDAY) + night_and_day("b", [40.0], TUESDAY), 2)
    second = build_sensor_table(spark, source(tmp_path), per_sensor, stored(spark, first, tmp_path / "_stored"))
    assert {name: row["free_flow_speed"] for name, row in by_sensor(second).items()} == {"a": 67.0, "b": 40.0}


def test_only_new_and_changed_day_folders_are_read(spark: SparkSession, tmp_path: Path) -> None:
    monday = day_file(tmp_path, MONDAY, [sensor("a", "I-5", 32.0), sensor("b", "I-8", 32.0)], 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    assert list(first.record["folders_seen"]) == [MONDAY]
    previous = stored(spark, first, tmp_path / "_1")
    assert build_sensor_table(spark, source(tmp_path), DATA, previous) is previous  # nothing changed

    monday.write_bytes(b"unreadable by now, but nobody looks".ljust(monday.stat().st_size))
    os.utime(monday, (1, 1))
    day_file(tmp_path, TUESDAY, [sensor("b", "I-805", 33.0), sensor("c", "I-8", 34.0, lanes=2)], 2)
    second = build_sensor_table(spark, source(tmp_path), DATA, previous)
    rows = by_sensor(second)
    assert list(rows) == ["a", "b", "c"]
    assert (rows["b"]["highway"], rows["b"]["latitude"], rows["c"]["lanes"]) == ("I-805", 33.0, 2)  # the newer wins
    assert codes(second) == {"a": 0, "b": 2, "c": 1}
    assert list(second.record["folders_seen"]) == [MONDAY, TUESDAY]
    assert second.record["folders_seen"][MONDAY] == first.record["folders_seen"][MONDAY]
    assert second.record["bounding_box"] == [32.0, -117.0, 34.0, -117.0]
    assert rows["b"]["lat_normalized"] == 0.5  # scaled again over the larger box

    day_file(tmp_path, MONDAY, [sensor("a", "I-5", lanes=6), sensor("b", None, None)], 3)
    third = build_sensor_table(spark, source(tmp_path), DATA, stored(spark, second, tmp_path / "_2"))
    rows = by_sensor(third)
    assert rows["a"]["lanes"] == 6
    assert (rows["b"]["highway"], rows["b"]["latitude"]) == ("I-805", 33.0)  # values that are missing now are kept
    assert third.record["folders_seen"][MONDAY] != second.record["folders_seen"][MONDAY]
    assert third.record["folders_seen"][TUESDAY] == second.record["folders_seen"][TUESDAY]


def test_a_day_that_cannot_be_read_is_left_out_and_tried_again(spark: SparkSession, tmp_path: Path) -> None:
    monday = tmp_path / f"date={MONDAY}" / "x.parquet"
    monday.parent.mkdir()
    monday.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError) as caught:
        build_sensor_table(spark, source(tmp_path), DATA)
    assert get_code(caught.value) == "features.no-usable-day"
    assert "x.parquet" in get_values(caught.value)["reasons"][MONDAY]
    day_file(tmp_path, TUESDAY, [sensor("t")], 2)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    assert list(by_sensor(first)) == ["t"]
    assert list(first.record["folders_seen"]) == [TUESDAY]
    again = build_sensor_table(spark, source(tmp_path), DATA, first)  # still unreadable
    assert (again.rows, again.record) == (first.rows, first.record)
    assert "x.parquet" in again.refused[MONDAY]
    day_file(tmp_path, MONDAY, [sensor("m")], 3)
    assert list(by_sensor(build_sensor_table(spark, source(tmp_path), DATA, first))) == ["m", "t"]


def test_the_layout_fingerprint_differs_if_features_differ(spark: SparkSession, tmp_path: Path) -> None:
    three = [sensor("a", "I-5", 32.0), sensor("b", "I-8", 33.0), sensor("c", "I-8", 32.25)]
    day_file(tmp_path, MONDAY, three, 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    known = first.record["geometry"]
    day_file(tmp_path, TUESDAY, list(reversed(three)), 2)
    second = build_sensor_table(spark, source(tmp_path), DATA, stored(spark, first, tmp_path / "_1"))
    assert second.record["folders_seen"] != first.record["folders_seen"]
    assert second.record["geometry"] == known, "another day of the same sensors"
    day_file(tmp_path, TUESDAY, [row | {"lanes": 7} for row in three], 3)
    wider = build_sensor_table(spark, source(tmp_path), DATA, stored(spark, second, tmp_path / "_2"))
    assert wider.record["geometry"] == known, "lanes do not change the layout"

    changes = {
        "moved": [*three[:2], sensor("c", "I-8", 32.26)],
        "another highway": [*three[:2], sensor("c", "I-5", 32.25)],
        "a newcomer": [*three, sensor("d", "I-8", 32.5)],
    }
    fingerprints = {known}
    for name, rows in changes.items():
        day_file(tmp_path / name, MONDAY, rows, 1)
        fingerprints.add(build_sensor_table(spark, source(tmp_path / name), DATA).record["geometry"])
    centred = DataSettings(center=(32.0, -117.0))
    fingerprints.add(build_sensor_table(spark, source(tmp_path), centred).record["geometry"])
    assert len(fingerprints) == 5


def test_a_corrected_setting_reads_all_folders_again(spark: SparkSession, tmp_path: Path) -> None:
    """Case of a public report: the timestamps of every row were unreadable."""
    rows = [sensor(name, latitude=32.0, timestamp="05/01/2026 07:00", speed=60.0) for name in "abc"]
    day_file(tmp_path, MONDAY, rows, 1)
    wrong = build_sensor_table(spark, source(tmp_path), DataSettings(timestamp_formats=["yyyy.MM.dd HH:mm"]))
    assert by_sensor(wrong) == {}
    corrected = DataSettings(timestamp_formats=["dd/MM/yyyy HH:mm"])
    table = build_sensor_table(spark, source(tmp_path), corrected, stored(spark, wrong, tmp_path / "_1"))
    assert {name: row["latitude"] for name, row in by_sensor(table).items()} == dict.fromkeys("abc", 32.0)
    assert list(table.record["folders_seen"]) == [MONDAY]
    same = stored(spark, table, tmp_path / "_2")
    assert build_sensor_table(spark, source(tmp_path), corrected, same) is same


def test_a_corrected_unit_computes_free_flow_again(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, night_and_day("a", [100.0] * 20), 1)
    misread = build_sensor_table(spark, source(tmp_path), DataSettings(free_flow_speed="per_sensor"))
    assert by_sensor(misread)["a"]["free_flow_speed"] == 100.0
    metric = DataSettings(free_flow_speed="per_sensor", speed_unit="km/h")
    table = build_sensor_table(spark, source(tmp_path), metric, stored(spark, misread, tmp_path / "_1"))
    assert by_sensor(table)["a"]["free_flow_speed"] == pytest.approx(62.14, abs=0.01)
    assert table.unknown == {}


def test_a_changed_unit_makes_only_free_flow_unknown_if_the_files_are_gone(spark: SparkSession, tmp_path: Path) -> None:
    gone = day_file(tmp_path, MONDAY, [row | {"latitude": 32.0} for row in night_and_day("gone", [60.0] * 9)], 1)
    day_file(tmp_path, TUESDAY, night_and_day("there", [50.0] * 9, TUESDAY), 1)
    first = build_sensor_table(spark, source(tmp_path), DataSettings(free_flow_speed="per_sensor"))
    shutil.rmtree(gone.parent)
    metric = DataSettings(free_flow_speed="per_sensor", speed_unit="km/h")
    table = build_sensor_table(spark, source(tmp_path), metric, stored(spark, first, tmp_path / "_1"))
    rows = by_sensor(table)
    assert (rows["gone"]["free_flow_speed"], rows["gone"]["latitude"]) == (None, 32.0)
    assert rows["gone"]["highway_encoded"] == by_sensor(first)["gone"]["highway_encoded"]
    assert rows["there"]["free_flow_speed"] == pytest.approx(31.07, abs=0.01)
    assert table.unknown == {"free_flow_speed": ["gone"]}


def test_a_changed_alias_concerns_the_columns_that_it_names(spark: SparkSession, tmp_path: Path) -> None:
    with_degrees = [{"sensor_id": "a", "breite": 32.0, "laenge": -117.0, "lanes": 4, "highway": "I-5"}]
    day_file(tmp_path, MONDAY, with_degrees, 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    assert by_sensor(first)["a"]["latitude"] is None
    aliases = {"breite": "latitude", "laenge": "longitude"}
    named = DataSettings(aliases=aliases)
    second = build_sensor_table(spark, source(tmp_path, aliases), named, stored(spark, first, tmp_path / "_1"))
    assert by_sensor(second)["a"]["latitude"] == 32.0
    without = build_sensor_table(spark, source(tmp_path), DATA, stored(spark, second, tmp_path / "_2"))
    row = by_sensor(without)["a"]
    assert (row["latitude"], row["lanes"], row["highway"]) == (None, 4, "I-5")
    assert without.unknown == {"latitude": ["a"], "longitude": ["a"]}


def test_other_values_stay_when_the_folders_are_read_again(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, [sensor("a", "I-805", lanes=9)], 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    day_file(tmp_path, TUESDAY, [sensor("a", "I-5", lanes=4)], 2)
    second = build_sensor_table(spark, source(tmp_path), DATA, stored(spark, first, tmp_path / "_1"))
    assert (by_sensor(second)["a"]["highway"], by_sensor(second)["a"]["lanes"]) == ("I-5", 4)
    day_file(tmp_path, WEDNESDAY, [sensor("b", "I-8")], 3)
    formats = DataSettings(timestamp_formats=["dd/MM/yyyy HH:mm"])
    third = build_sensor_table(spark, source(tmp_path), formats, stored(spark, second, tmp_path / "_2"))
    rows = by_sensor(third)
    assert (rows["a"]["highway"], rows["a"]["lanes"]) == ("I-5", 4), "the newest value, not that of Monday"
    assert rows["b"]["highway"] == "I-8"
    assert codes(third) == {"a": 1, "b": 2}


def test_a_new_centre_is_used_without_reading_the_files(spark: SparkSession, tmp_path: Path) -> None:
    file = day_file(tmp_path, MONDAY, [sensor("a", latitude=32.0), sensor("b", latitude=33.0)], 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    file.write_bytes(b"unreadable by now, but nobody looks".ljust(file.stat().st_size))
    os.utime(file, (1, 1))
    centred = DataSettings(center=(32.0, -117.0))
    table = build_sensor_table(spark, source(tmp_path), centred, stored(spark, first, tmp_path / "_1"))
    assert by_sensor(table)["a"]["distance_from_center"] == pytest.approx(0, abs=1e-6)
    assert table.record["geometry"] != first.record["geometry"]


def test_a_table_without_a_fingerprint_is_read_again_once_and_keeps_what_is_gone(
    spark: SparkSession, tmp_path: Path
) -> None:
    monday = day_file(tmp_path, MONDAY, [sensor("gone", "I-5", 32.0)], 1)
    day_file(tmp_path, TUESDAY, [sensor("b", "I-8", 33.0)], 1)
    table = build_sensor_table(spark, source(tmp_path), DATA)
    shutil.rmtree(monday.parent)
    day_file(tmp_path, TUESDAY, [sensor("b", "I-8", 34.0)], 1)  # the same name, size and time
    earlier = replace(stored(spark, table, tmp_path / "_1"), fingerprint=None)
    del earlier.record["geometry"]
    again = build_sensor_table(spark, source(tmp_path), DATA, earlier)
    assert {name: row["latitude"] for name, row in by_sensor(again).items()} == {"gone": 32.0, "b": 34.0}
    assert codes(again) == {"gone": 0, "b": 1}
    assert again.unknown == {}
    assert again.record["geometry"]
    once = stored(spark, again, tmp_path / "_2")
    assert build_sensor_table(spark, source(tmp_path), DATA, once) is once


def test_days_with_different_columns_are_combined(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, [{"sensor_id": "a", "lanes": 3}], 1)
    day_file(tmp_path, TUESDAY, [{"station": "a", "lat": 32.0, "lon": -117.0, "speed": 60}], 2)
    day_file(tmp_path, WEDNESDAY, [sensor("b") | {"lanes": 99}, sensor("c") | {"lanes": 2}], 3)
    rows = by_sensor(build_sensor_table(spark, source(tmp_path), DATA))
    assert (rows["a"]["lanes"], rows["a"]["latitude"], rows["a"]["highway"]) == (3, 32.0, None)
    assert set(rows) == {"a", "c"}  # 99 lanes are out of range


def test_metadata_without_sensor_id_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", [{"id": "a", "lat": 32.0}])
    with pytest.raises(InputError) as caught:
        build_sensor_table(spark, source(tmp_path), DATA)
    assert get_code(caught.value) == "readings.missing-columns"
    values = get_values(caught.value)
    assert (values["columns"], values["present"]) == (["sensor_id"], ["id", "latitude"])


def spoil(path: Path) -> None:
    """Break the first data page but not the footer, so that only reading rows fails."""
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)


def test_unusable_days_are_left_out_with_a_reason(spark: SparkSession, tmp_path: Path) -> None:
    day_file(tmp_path, MONDAY, [sensor("m")], 1)
    first = build_sensor_table(spark, source(tmp_path), DATA)
    previous = stored(spark, first, tmp_path / "_1")
    day_file(tmp_path, TUESDAY, [{"id": "t", "latitude": 32.0}], 2)
    day_file(tmp_path, WEDNESDAY, [{"sensor_id": "w", "latitude": [32.0]}], 3)
    thursday, friday = "2026-01-08", "2026-01-09"
    for modified, day in ((4, thursday), (5, friday)):
        spoil(day_file(tmp_path, day, [sensor(f"s{i}") for i in range(50)], modified))
    saturday = "2026-01-10"
    day_file(tmp_path, saturday, [sensor("good")], 6)
    table = build_sensor_table(spark, source(tmp_path), DATA, previous)
    assert list(by_sensor(table)) == ["good", "m"]
    assert list(table.record["folders_seen"]) == [MONDAY, saturday], "days that were left out are tried again"
    assert set(table.refused) == {TUESDAY, WEDNESDAY, thursday, friday}
    tuesday, wednesday = (InputError(table.refused[day]) for day in (TUESDAY, WEDNESDAY))
    assert get_code(tuesday) == "readings.missing-columns"
    assert get_values(tuesday)["path"].endswith(f"date={TUESDAY}")
    assert get_values(tuesday)["present"] == ["id", "latitude"]
    assert get_code(wednesday) == "readings.wrong-column-type"
    assert get_values(wednesday)["column"] == "latitude"
    for day in (thursday, friday):
        assert f"date={day}/x.parquet" in table.refused[day]


def test_without_a_usable_day_the_error_has_the_reason_of_each(spark: SparkSession, tmp_path: Path) -> None:
    spoil(day_file(tmp_path, MONDAY, [sensor(f"s{i}") for i in range(50)], 1))
    with pytest.raises(InputError) as caught:
        build_sensor_table(spark, source(tmp_path), DATA)
    assert get_code(caught.value) == "features.no-usable-day"
    assert "date=2026-01-05/x.parquet" in get_values(caught.value)["reasons"][MONDAY]


def test_a_broken_file_outside_day_folders_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "all.parquet", [sensor(f"s{i}") for i in range(50)])
    spoil(tmp_path / "all.parquet")
    with pytest.raises(StorageError) as caught:
        build_sensor_table(spark, source(tmp_path), DATA)
    assert get_code(caught.value) == "storage.corrupt-file"
    assert get_values(caught.value)["paths"][1].endswith("/all.parquet")
