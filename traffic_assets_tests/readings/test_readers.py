"""Readers of files in every supported format, and the refusal of files that cannot be read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileStatus, LocalFileSystem
from traffic_assets.readings.readers import InputError, Part, Source, first_line
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CSV = "sensor_id,timestamp,speed\nA,2026-01-05 08:00:00,60.5\nB,2026-01-05 08:05:00,\n"
JSON = '{"sensor_id": "A", "timestamp": "2026-01-05 08:00:00", "speed": 60.5}\n{"sensor_id": "B", "lanes": 4}\n'


def source(folder: Path, form: str = "auto", aliases: Mapping[str, str] | None = None) -> Source:
    return Source(f"file://{folder}", LocalFileSystem(), form, aliases or {})


def parquet(path: Path, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(frame: DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in frame.select(*columns).collect()), key=str)


def read(spark: SparkSession, of: Source) -> DataFrame:
    (part,) = of.parts()
    return of.read(spark, part)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("readings.csv", CSV),
        ("READINGS.CSV", CSV),
        ("deep/er/readings.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("readings.json", JSON),
        ("readings.jsonl", JSON),
        ("readings.json.gz", gzip.compress(JSON.encode(), mtime=0)),
    ],
)
def test_formats_are_detected_from_the_file_extension(
    spark: SparkSession, tmp_path: Path, name: str, content: str | bytes
) -> None:
    text(tmp_path / name, content)
    text(tmp_path / "_SUCCESS", "")
    text(tmp_path / ".readings.parquet.crc", "x")
    assert rows(read(spark, source(tmp_path)), "sensor_id", "speed") == [("A", "60.5"), ("B", None)]


def test_parquet_keeps_its_types_and_finds_files_at_any_depth(spark: SparkSession, tmp_path: Path) -> None:
    for name, speed in (("a.parquet", 1.5), ("2026/b.parquet", 2.5)):
        parquet(tmp_path / name, sensor_id=["A"], timestamp=[datetime(2026, 1, 5)], speed=[speed])
    frame = read(spark, source(tmp_path))
    assert frame.dtypes == [("sensor_id", "string"), ("timestamp", "timestamp_ntz"), ("speed", "double")]
    assert rows(frame, "speed") == [(1.5,), (2.5,)]


def test_a_configured_format_is_used_without_detection(spark: SparkSession, tmp_path: Path) -> None:
    text(tmp_path / "readings.txt", CSV)
    assert rows(read(spark, source(tmp_path, "csv")), "sensor_id") == [("A",), ("B",)]
    with pytest.raises(InputError) as caught:
        read(spark, source(tmp_path))
    assert get_code(caught.value) == "readings.unknown-format"
    values = get_values(caught.value)
    assert values["file"].endswith("/readings.txt")
    assert values["endings"][:2] == [".parquet", ".csv"]


@pytest.mark.parametrize("name", ["one.parquet", "one.csv"])
def test_a_source_may_be_a_single_file(spark: SparkSession, tmp_path: Path, name: str) -> None:
    parquet(tmp_path / "one.parquet", sensor_id=["A"])
    text(tmp_path / "one.csv", "sensor_id\nA\n")
    text(tmp_path / "other.json", JSON)
    of = source(tmp_path / name)
    assert of.entries() == []
    assert of.day_folders() == {}
    assert of.parts(["2026-01-05"]) == [Part((f"file://{tmp_path}/{name}",), None)]
    assert rows(read(spark, of), "sensor_id") == [("A",)]


def test_only_the_requested_day_folders_are_parts(tmp_path: Path) -> None:
    for day in ("2026-01-05", "2026-01-06", "2026-01-07"):
        parquet(tmp_path / f"date={day}" / "x.parquet", sensor_id=["A"])
    text(tmp_path / "_staging" / "date=2026-01-08", "")
    text(tmp_path / "date=2026-01-09", "a file, not a folder")
    of = source(tmp_path)
    assert list(of.day_folders()) == ["2026-01-05", "2026-01-06", "2026-01-07"]
    requested = of.parts(["2026-01-07", "2026-01-05", "2026-01-31"])
    assert [part.days for part in requested] == [("2026-01-07",), ("2026-01-05",)]
    assert [part.paths[0].rsplit("/", 1)[1] for part in requested] == ["date=2026-01-07", "date=2026-01-05"]
    assert [part.days for part in of.parts()] == [("2026-01-05",), ("2026-01-06",), ("2026-01-07",)]
    assert of.parts([]) == []


def test_the_fingerprint_of_a_day_folder_changes_with_its_files(tmp_path: Path) -> None:
    days = {day: tmp_path / f"date={day}" for day in ("2026-01-05", "2026-01-06")}
    for folder in days.values():
        (folder / "hour=00").mkdir(parents=True)
        (folder / "hour=00" / "x.csv").write_text("a,b\n")
    changed = days["2026-01-06"] / "hour=00" / "x.csv"
    of = source(tmp_path)
    before = of.fingerprints()
    assert list(before) == list(days)

    def grow() -> None:
        with changed.open("a") as file:
            file.write("1,2\n")

    times = changed.stat()
    seen = {before["2026-01-06"]}
    for change in (
        grow,  # in place, as late readings are appended; the folders' times stay
        lambda: os.utime(changed, (times.st_atime, times.st_mtime + 1)),
        lambda: changed.rename(changed.with_name("y.csv")),
        lambda: (days["2026-01-06"] / "z.csv").write_text(""),
    ):
        change()
        now = of.fingerprints()
        assert now["2026-01-05"] == before["2026-01-05"]
        assert now["2026-01-06"] not in seen
        seen.add(now["2026-01-06"])
    (days["2026-01-06"] / "_SUCCESS").write_text("")
    assert of.fingerprints() == now, "Spark does not read it"


def test_a_day_folder_that_cannot_be_listed_does_not_affect_other_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("2026-01-05", "2026-01-06"):
        (tmp_path / f"date={day}").mkdir()
        (tmp_path / f"date={day}" / "x.csv").write_text("a,b\n")
    of = source(tmp_path)
    before, entries = of.fingerprints(), LocalFileSystem._entries

    def refuse(filesystem: LocalFileSystem, uri: str) -> list[FileStatus]:
        if uri.endswith("06"):
            raise StorageError("Permission denied", "permission")
        return entries(filesystem, uri)

    monkeypatch.setattr(LocalFileSystem, "_entries", refuse)
    now = of.fingerprints()
    assert now["2026-01-05"] == before["2026-01-05"]
    assert now["2026-01-06"] != before["2026-01-06"]


def test_sources_without_day_folders_are_one_part(tmp_path: Path) -> None:
    parquet(tmp_path / "2026-01" / "x.parquet", sensor_id=["A"])
    assert source(tmp_path).parts(["2026-01-05"]) == [Part((f"file://{tmp_path}",), None)]


def test_missing_and_empty_sources_are_refused(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(InputError) as caught:
        source(tmp_path / "nowhere").parts()
    assert get_code(caught.value) == "readings.no-input"
    assert get_values(caught.value) == {"uri": f"file://{tmp_path}/nowhere"}
    text(tmp_path / "empty" / "_SUCCESS", "")
    with pytest.raises(InputError) as caught:
        source(tmp_path / "empty").entries()
    assert get_code(caught.value) == "readings.empty-folder"
    assert get_values(caught.value) == {"uri": f"file://{tmp_path}/empty"}
    (tmp_path / "hollow" / "inner").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        read(spark, source(tmp_path / "hollow"))
    assert get_code(caught.value) == "readings.no-files"
    assert get_values(caught.value) == {"uri": f"file://{tmp_path}/hollow"}


def test_columns_get_the_catalogues_names(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", station=["A"], ts=["t"], avg_speed=[1.0], lng=[2.0], remark=["r"])
    frame = read(spark, source(tmp_path))
    assert frame.columns == ["sensor_id", "timestamp", "speed", "longitude", "remark"]
    mine = source(tmp_path, aliases={"remark": "highway"})
    assert read(spark, mine).columns == ["sensor_id", "timestamp", "speed", "longitude", "highway"]


def test_a_column_with_the_catalogues_name_wins_over_a_built_in_alias(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", volume=[1.0], flow=[2.0])
    frame = read(spark, source(tmp_path))
    assert rows(frame, "flow", "volume") == [(2.0, 1.0)]


def test_an_alias_from_the_settings_wins_over_the_catalogues_name(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", timestamp=["written"], measured=["seen"], volume=[1.0], flow=[2.0])
    frame = read(spark, source(tmp_path, aliases={"measured": "timestamp"}))
    assert frame.columns == ["timestamp", "volume", "flow"]
    assert rows(frame, "timestamp", "flow") == [("seen", 2.0)]


def test_a_built_in_alias_in_the_settings_wins_as_well(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", timestamp=["written"], ts=["seen"], Speed=[1.0])
    assert rows(read(spark, source(tmp_path)), "timestamp") == [("written",)]
    frame = read(spark, source(tmp_path, aliases={"ts": "timestamp", "Speed": "speed"}))
    assert frame.columns == ["timestamp", "speed"]
    assert rows(frame, "timestamp", "speed") == [("seen", 1.0)]


def test_two_columns_for_one_name_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet", avg_speed=[1.0], speed_mph=[2.0])
    with pytest.raises(InputError) as caught:
        read(spark, source(tmp_path))
    assert get_code(caught.value) == "readings.ambiguous-column"
    assert get_values(caught.value) == {
        "columns": ["avg_speed", "speed_mph"],
        "path": f"file://{tmp_path}",
        "name": "speed",
    }
    parquet(tmp_path / "x.parquet", Speed=[1.0], avg_speed=[2.0])  # to Spark, Speed is speed
    with pytest.raises(InputError) as caught:
        read(spark, source(tmp_path))
    assert get_code(caught.value) == "readings.ambiguous-column"
    assert get_values(caught.value)["columns"] == ["Speed", "avg_speed"]


def test_csv_columns_are_read_by_name_and_files_must_agree(spark: SparkSession, tmp_path: Path) -> None:
    text(tmp_path / "date=2026-01-05" / "a.csv", "sensor_id,speed,flow\nA,60,5\n")
    text(tmp_path / "date=2026-01-06" / "b.csv", "sensor_id,flow,speed\nB,6,61\n")
    of = source(tmp_path)
    read_parts, refused = of.read_all(spark, of.parts())
    assert refused == {}
    values = [row for _, frame in read_parts for row in rows(frame, "sensor_id", "speed", "flow")]
    assert sorted(values) == [("A", "60", "5"), ("B", "61", "6")]

    text(tmp_path / "date=2026-01-05" / "z.csv", "sensor_id,flow,speed\nC,7,62\n")
    frame = of.read(spark, of.parts(["2026-01-05"])[0])
    with pytest.raises(Exception, match=r"reading file file:.*date=2026-01-05/[az]\.csv"):
        rows(frame, "sensor_id", "speed")


def test_days_with_the_same_columns_are_read_together(spark: SparkSession, tmp_path: Path) -> None:
    for day in ("05", "07", "08"):
        parquet(tmp_path / f"date=2026-01-{day}" / "x.parquet", sensor_id=[day], speed=[1.0])
    parquet(tmp_path / "date=2026-01-06" / "x.parquet", sensor_id=["06"], speed=[1])
    of = source(tmp_path)
    read_parts, refused = of.read_all(spark, of.parts())
    assert refused == {}
    assert {part.days: rows(frame, "sensor_id") for part, frame in read_parts} == {
        ("2026-01-05", "2026-01-07", "2026-01-08"): [("05",), ("07",), ("08",)],
        ("2026-01-06",): [("06",)],
    }


def test_days_with_the_same_columns_in_other_formats_are_read_separately(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "date=2026-01-05" / "x.parquet", sensor_id=["A"], speed=["1"])
    text(tmp_path / "date=2026-01-06" / "x.csv", "sensor_id,speed\nB,2\n")
    text(tmp_path / "date=2026-01-07" / "x.json", '{"sensor_id": "C", "speed": 3}\n')
    of = source(tmp_path)
    read_parts, refused = of.read_all(spark, of.parts())
    assert refused == {}
    values = [row for _, frame in read_parts for row in rows(frame, "sensor_id", "speed")]
    assert sorted(values) == [("A", "1"), ("B", "2"), ("C", "3")]


def test_days_that_cannot_be_read_are_refused_and_the_others_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    parquet(tmp_path / "date=2026-01-05" / "good.parquet", sensor_id=["A"])
    text(tmp_path / "date=2026-01-06" / "torn.parquet", b"PAR1 and then nothing")
    (tmp_path / "date=2026-01-07").mkdir()
    text(tmp_path / "date=2026-01-08" / "notes.txt", "hello")
    parquet(tmp_path / "date=2026-01-09" / "twice.parquet", volume=[1], traffic_volume=[1])
    nanoseconds = pa.table({"timestamp": pa.array([datetime(2026, 1, 5)], pa.timestamp("ns"))})
    (tmp_path / "date=2026-01-10").mkdir()
    pq.write_table(nanoseconds, tmp_path / "date=2026-01-10" / "pandas.parquet")
    of = source(tmp_path)
    ((part, frame),), refused = of.read_all(spark, of.parts())
    assert part.days == ("2026-01-05",)
    assert rows(frame, "sensor_id") == [("A",)]
    assert set(refused) == {f"2026-01-{day}" for day in ("06", "07", "08", "09", "10")}
    assert "torn.parquet" in refused["2026-01-06"]
    errors = {day: InputError(reason) for day, reason in refused.items() if day != "2026-01-06"}
    assert {day: get_code(error) for day, error in errors.items()} == {
        "2026-01-07": "readings.no-files",
        "2026-01-08": "readings.unknown-format",
        "2026-01-09": "readings.ambiguous-column",
        "2026-01-10": "readings.nanosecond-timestamps",
    }
    values = {day: get_values(error) for day, error in errors.items()}
    assert values["2026-01-07"]["uri"].endswith("date=2026-01-07")
    assert values["2026-01-08"]["file"].endswith("notes.txt")
    assert values["2026-01-09"]["name"] == "flow"
    assert values["2026-01-10"]["path"].endswith("date=2026-01-10")
    assert values["2026-01-10"]["format"] == "parquet"


def test_a_source_without_day_folders_that_cannot_be_read_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    torn = text(tmp_path / "torn.parquet", b"PAR1 and then nothing")
    of = source(tmp_path)
    with pytest.raises(StorageError) as caught:
        of.read_all(spark, of.parts())
    assert caught.value.kind == "corrupt_file"
    assert get_values(caught.value)["paths"][1].endswith("/torn.parquet")
    torn.unlink()
    parquet(tmp_path / "twice.parquet", volume=[1], traffic_volume=[1])
    with pytest.raises(InputError) as ambiguous:
        of.read_all(spark, of.parts())
    assert get_code(ambiguous.value) == "readings.ambiguous-column"
    assert get_values(ambiguous.value)["name"] == "flow"


def test_unreachable_storage_does_not_refuse_a_day(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "date=2026-01-05" / "x.parquet", sensor_id=["A"])
    of = source(tmp_path)
    parts = of.parts()

    def down(*_: object) -> DataFrame:
        raise StorageError("the NameNode does not answer", "unreachable", retryable=True)

    monkeypatch.setattr(Source, "read", down)
    with pytest.raises(StorageError, match="does not answer"):
        of.read_all(spark, parts)


def test_first_line_of_an_error() -> None:
    assert first_line(ValueError("\n what happened \n at line 7")) == "what happened "
    assert first_line(KeyError()) == "KeyError"
