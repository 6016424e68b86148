"""Dagster's runs and events in a real PostgreSQL, with the extra `postgres`."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.build import build_defs
from traffic_assets_tests.cluster.minipostgres import find_programs, running_postgres
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.runs import run_features
from traffic_assets_tests.tiny import DAYS, tiny_settings, write_tiny_readings


@pytest.fixture
def home(processes: Processes, tmp_path: Path) -> Iterator[Path]:
    """A DAGSTER_HOME whose dagster.yaml is the project's, with a PostgreSQL of its own."""
    programs = find_programs()
    if programs is None:
        pytest.skip("No PostgreSQL server is installed. Fix: sh scripts/require-postgres.sh")
    with running_postgres(processes, programs) as url:
        settings = (Path(__file__).parents[1] / "dagster.yaml").read_text()
        folder = tmp_path / "home"
        folder.mkdir()
        (folder / "dagster.yaml").write_text(f"{settings}\nstorage:\n  postgres:\n    postgres_url: {url}\n")
        yield folder


def test_runs_and_events_are_stored_in_postgres(home: Path, tmp_path: Path, spark: SparkSession) -> None:
    base = tmp_path / "base"
    write_tiny_readings(base)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        done = run_features(build_defs(tiny_settings(base)), instance, DAYS)
    assert done.success

    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=20)
        (run,) = instance.get_runs()
        assert (run.run_id, run.job_name, run.status) == (done.run_id, "features", dg.DagsterRunStatus.SUCCESS)
        assert instance.get_materialized_partitions(dg.AssetKey("feature_table")) == set(DAYS)
    assert not list(home.rglob("*.db")), "SQLite is not used as well"
