"""Writing samples to files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from traffic_assets.simulation import writer
from traffic_assets.simulation.days import simulate_days
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import require_simulated, write_sample
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.simulation.grids import readings, speed_grid


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


def test_a_folder_with_files_that_are_not_simulated_is_refused(tmp_path: Path) -> None:
    require_simulated(tmp_path / "not there")
    write_sample(SampleSpec(days=1, sensors=3), tmp_path)
    require_simulated(tmp_path)
    for name, content in (("real.csv", b"sensor_id,speed"), ("date=2026-01-05/more.parquet", b"PAR1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError) as caught:
            require_simulated(tmp_path)
        assert get_code(caught.value) == "simulation.real-file"
        assert get_values(caught.value) == {"file": tmp_path / name}
        (tmp_path / name).unlink()
    table = pq.read_table(tmp_path / "date=2026-01-05" / "readings.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "real.parquet")
    with pytest.raises(ValueError) as caught:
        require_simulated(tmp_path)
    assert get_code(caught.value) == "simulation.real-file"
    assert get_values(caught.value) == {"file": tmp_path / "real.parquet"}


def test_the_report_ignores_bad_rows(tmp_path: Path) -> None:
    clean = write_sample(SampleSpec(days=2), tmp_path)
    with_bad_rows = write_sample(SampleSpec(days=2, bad_share=0.05), tmp_path)
    assert with_bad_rows.readings > clean.readings
    assert with_bad_rows.missing_share == clean.missing_share
    assert with_bad_rows.persistence_rmse_15min_mph == pytest.approx(clean.persistence_rmse_15min_mph, rel=0.05)


def test_writing_again_replaces_a_file_and_a_failed_write_keeps_it(
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

    monkeypatch.setattr(writer.pq, "write_table", breaks_half_way)
    with pytest.raises(OSError, match="no space left"):
        write_sample(SampleSpec(days=1, seed=3), tmp_path)
    assert file.read_bytes() == second
    assert [path.name for path in file.parent.iterdir()] == ["readings.parquet"]
