"""The training sensor against a Dagster instance: which weeks it asks for, and that it never asks twice."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import automation
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.automation import STORAGE_ID_TAG, candidate_weeks
from traffic_assets.partitions import PARTITION
from traffic_assets.settings import Settings
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return tiny_settings(tmp_path)


def materialize(instance: dg.DagsterInstance, *days: str) -> None:
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization(FEATURE_TABLE, partition=day))


def tick(instance: dg.DagsterInstance, settings: Settings, cursor: str | None) -> Any:
    sensor = automation.build(settings, "train")
    return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))


def asked(result: Any) -> list[str]:
    return [request.partition_key for request in getattr(result, "run_requests", None) or []]


def start(instance: dg.DagsterInstance, result: Any, status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS) -> None:
    """What the daemon does with the sensor's requests."""
    for request in result.run_requests:
        run(instance, request.partition_key, status, **request.tags)


def run(instance: dg.DagsterInstance, week: str, status: dg.DagsterRunStatus, only: str = "", **tags: str) -> None:
    instance.add_run(
        dg.DagsterRun(
            job_name="train",
            run_id=str(uuid.uuid4()),
            status=status,
            tags={PARTITION: week, **tags},
            asset_selection=frozenset({dg.AssetKey(only)}) if only else None,
        )
    )


def test_nothing_happens_without_features(instance: dg.DagsterInstance, settings: Settings) -> None:
    assert isinstance(tick(instance, settings, None), dg.SkipReason)


def test_a_week_is_asked_for_once_its_days_are_there(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS[:2])
    first = tick(instance, settings, None)
    assert asked(first) == []
    materialize(instance, DAYS[2])
    second = tick(instance, settings, first.cursor)
    assert asked(second) == [WEEK]
    assert isinstance(tick(instance, settings, second.cursor), dg.SkipReason)


def test_days_that_were_there_before_the_first_tick_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    assert asked(tick(instance, settings, None)) == [WEEK]


def test_late_data_asks_again_and_the_same_data_never(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    first = tick(instance, settings, None)
    start(instance, first)
    assert asked(tick(instance, settings, None)) == [], "a lost cursor does not train the same data again"
    materialize(instance, DAYS[0])
    late = tick(instance, settings, first.cursor)
    assert asked(late) == [WEEK]
    assert late.run_requests[0].run_key != first.run_requests[0].run_key


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
)
def test_a_run_that_failed_or_is_under_way_counts(
    instance: dg.DagsterInstance, settings: Settings, status: dg.DagsterRunStatus
) -> None:
    materialize(instance, *DAYS)
    start(instance, tick(instance, settings, None), status)
    assert asked(tick(instance, settings, None)) == []


def test_a_run_that_a_person_started_counts(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, dg.DagsterRunStatus.SUCCESS)
    assert asked(tick(instance, settings, None)) == []
    materialize(instance, DAYS[1])
    assert asked(tick(instance, settings, None)) == [WEEK]


def test_splits_that_a_person_materialized_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    instance.report_runless_asset_event(dg.AssetMaterialization(SPLIT_ASSETS["train"], partition=WEEK))
    assert asked(tick(instance, settings, None)) == []


def test_a_run_of_other_assets_does_not_count(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS)
    run(instance, WEEK, dg.DagsterRunStatus.SUCCESS, only="linear_regression_registry_entry")
    assert asked(tick(instance, settings, None)) == [WEEK]


def test_many_days_at_once_are_one_request(instance: dg.DagsterInstance, settings: Settings) -> None:
    materialize(instance, *DAYS, "2026-01-08", "2026-01-09")
    result = tick(instance, settings, None)
    assert asked(result) == [WEEK]
    assert result.run_requests[0].tags[STORAGE_ID_TAG] == result.cursor


def test_the_sensor_is_on_by_default(settings: Settings) -> None:
    assert automation.build(settings, "train").default_status == dg.DefaultSensorStatus.RUNNING


def test_a_day_concerns_every_window_that_holds_it(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"window_weeks": 2, "minimum_days": 3}})
    assert candidate_weeks(["2026-01-07"], settings) == ["2026-01-05", "2026-01-12"]


def test_a_week_that_is_not_over_is_no_candidate(settings: Settings) -> None:
    assert candidate_weeks(["2999-01-07"], settings) == []
