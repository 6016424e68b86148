"""Two networks in one Dagster instance: real builds of both, and a training of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from traffic_assets.assets.report import REPORT, page_uri
from traffic_assets.build import build_defs
from traffic_assets.history import latest_ids
from traffic_assets.naming import RUN_TAG, add_key_prefix, add_name_prefix
from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.resources import build_resources
from traffic_assets.sensors import FEATURES, SENSOR
from traffic_assets.settings import Settings
from traffic_assets.sync import plan_sync
from traffic_assets_tests.runs import QUIET, materialized
from traffic_assets_tests.tiny import DAYS, WEEK, only_lanes, tiny_settings, write_tiny_readings

HEALTHY, BROKEN = "san_diego", "los_angeles"
LANE = "linear_regression"


@dataclass(frozen=True)
class Network:
    """One of two deployments on an instance, with the results of its jobs and of its sensor after them."""

    settings: Settings
    features: dg.ExecuteInProcessResult
    requested: list[str]
    train: dg.ExecuteInProcessResult | None = None


def run(settings: Settings, job: str, instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
    definition = build_defs(settings).resolve_job_def(add_name_prefix(job, settings.deployment))
    return definition.execute_in_process(tags=tags, instance=instance, raise_on_error=False, run_config=QUIET)


def requested_weeks(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    sensor = build_defs(settings).resolve_sensor_def(add_name_prefix(SENSOR, settings.deployment))
    result: Any = sensor(dg.build_sensor_context(instance=instance))
    return [request.partition_key for request in result.run_requests or []]


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def networks(
    tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, instance: dg.DagsterInstance
) -> dict[str, Network]:
    """A network with a day whose files are damaged, and a healthy one that is built and trained after it."""
    made = {}
    for name in (BROKEN, HEALTHY):
        base = tmp_path_factory.mktemp(name)
        settings = tiny_settings(base, {"deployment": name, **only_lanes(LANE)})
        readings = write_tiny_readings(base)
        if name == BROKEN:
            for path in readings.rglob(f"*{DAYS[1]}*/*.parquet"):
                path.write_bytes(b"PAR1 not really")
        features = run(settings, "features", instance, {RANGE_START: DAYS[0], RANGE_END: DAYS[-1]})
        requested = requested_weeks(settings, instance)
        train = run(settings, "train", instance, {PARTITION: WEEK}) if name == HEALTHY else None
        made[name] = Network(settings, features, requested, train)
    return made


def test_a_failed_day_is_not_turned_green_by_the_other_network(
    networks: dict[str, Network], instance: dg.DagsterInstance
) -> None:
    assert not networks[BROKEN].features.success
    assert networks[HEALTHY].features.success
    assert sorted(latest_ids(instance, add_key_prefix(FEATURES, BROKEN))) == [DAYS[0], DAYS[2]]
    assert sorted(latest_ids(instance, add_key_prefix(FEATURES, HEALTHY))) == DAYS
    assert not latest_ids(instance, FEATURES)


def test_features_of_one_network_start_only_its_own_training(
    networks: dict[str, Network], instance: dg.DagsterInstance
) -> None:
    assert {name: network.requested for name, network in networks.items()} == {BROKEN: [], HEALTHY: [WEEK]}
    assert requested_weeks(networks[BROKEN].settings, instance) == []
    assert requested_weeks(networks[HEALTHY].settings, instance) == [], "its training is known"


def test_a_training_publishes_under_the_prefix_and_stores_without_it(
    networks: dict[str, Network], instance: dg.DagsterInstance
) -> None:
    settings, train = networks[HEALTHY].settings, networks[HEALTHY].train
    assert train is not None
    assert train.success
    assert all(key.startswith(f"{HEALTHY}/") for key in materialized(train))
    assert f"{HEALTHY}/{LANE}_registry_entry" in materialized(train)
    assert {check.asset_key.path[0] for check in train.get_asset_check_evaluations()} == {HEALTHY}
    run_of_job = instance.get_run_by_id(train.run_id)
    assert run_of_job is not None
    assert run_of_job.tags[RUN_TAG] == HEALTHY
    base = Path(settings.persistence.base_uri.removeprefix("file://"))
    assert {path.name for path in base.iterdir()} == {"raw", "processed", "training", "models", "_leases"}
    assert {path.name for path in (base / "processed").iterdir()} == {"sensors", "readings", "ml-features"}
    assert not (base / "training" / HEALTHY).exists()
    hdfs = build_resources(settings)["hdfs"]
    assert ModelRegistry(hdfs.uri("models"), hdfs.filesystem).versions(LANE) == ["v1.0.0"]


def test_the_report_shows_the_costs_of_the_prefixed_steps(networks: dict[str, Network]) -> None:
    hdfs = build_resources(networks[HEALTHY].settings)["hdfs"]
    current = hdfs.dataset(REPORT).current(WEEK)
    page = hdfs.filesystem.read_bytes(page_uri(current.uri)).decode()
    assert f"<tr><td>{LANE}_model</td>" in page


def test_a_sync_after_the_runs_reports_nothing(networks: dict[str, Network], instance: dg.DagsterInstance) -> None:
    """Runs and sync record the same generations, versions and paths."""
    for network in networks.values():
        settings = network.settings
        hdfs = build_resources(settings)["hdfs"]
        plans = plan_sync(build_defs(settings), settings, instance, hdfs, print)
        assert [(plan.key, plan.unreported) for plan in plans if plan.unreported] == []
        assert sum(len(plan.published) for plan in plans) > 0


def test_a_deployment_without_a_name_knows_nothing_of_both(
    networks: dict[str, Network], instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert requested_weeks(tiny_settings(tmp_path), instance) == []
