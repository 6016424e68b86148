"""Reports of published partitions to a Dagster instance that does not know them, on stored data of an earlier release.

Each test has an instance of its own, and none computes anything.
"""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import sensors
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import DATE
from traffic_assets.assets.training import FEATURES_ID
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.io_managers.base import describe_generation
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.differences import list_differences
from traffic_assets.history import fetch_latest, latest_ids, mark_sync, read_number, read_text
from traffic_assets.naming import add_key_prefix, add_name_prefix
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets.sync import COMMAND, REPORTED_BY, AssetPlan, plan_sync, report
from traffic_assets_tests.stored.test_stored import copy_base
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings

UNDER_WAY = "[history.sync-under-way] "


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment with a trained week that no instance knows."""
    return load_settings(copy_base(tmp_path), environ={})


def get_storage(settings: Settings) -> HdfsResource:
    hdfs = build_resources(settings)["hdfs"]
    assert isinstance(hdfs, HdfsResource)
    return hdfs


def plan(settings: Settings, instance: dg.DagsterInstance) -> list[AssetPlan]:
    return plan_sync(build_defs(settings), settings, instance, get_storage(settings), lambda _: None)


def sync(settings: Settings, instance: dg.DagsterInstance) -> int:
    return report(plan(settings, instance), settings, instance, get_storage(settings), lambda _: None)


def publish_again(settings: Settings, day: str, **changes: Any) -> None:
    """Publish the features of a day again, as another run does."""
    dataset = get_storage(settings).dataset(FEATURE_TABLE, DATE)
    current = dataset.current(day)
    assert current is not None
    staged = dataset.stage("again")
    shutil.copytree(current.uri.removeprefix("file://"), f"{staged.removeprefix('file://')}/data")
    dataset.publish(day, f"{staged}/data", "again", {**current.record, **changes})


def tick(settings: Settings, instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[list[str], str]:
    """Return the weeks that the sensor requests, and its skip reason."""
    job = add_name_prefix("train", settings.deployment)
    sensor = sensors.build(settings, job, get_storage(settings))
    result: Any = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    if isinstance(result, dg.SkipReason):
        return [], str(result.skip_message)
    reason = result.skip_reason.skip_message if result.skip_reason else ""
    return [request.partition_key for request in result.run_requests], str(reason)


def test_every_published_partition_is_reported_once(settings: Settings, instance: dg.DagsterInstance) -> None:
    planned = {p.key.to_user_string(): p.unreported for p in plan(settings, instance) if p.unreported}
    assert planned["sensor_table"] == ["all"]
    assert sorted(planned["feature_table"]) == DAYS
    for name in ("train_split", "fitted_preprocessor", "random_forest_model", "training_report"):
        assert planned[name] == [WEEK], name
    assert planned["random_forest_registry_entry"] == [WEEK]
    assert not instance.all_asset_keys(), "a plan reports nothing"

    assert sync(settings, instance) == sum(map(len, planned.values()))
    assert {key.to_user_string() for key in instance.all_asset_keys()} == set(planned)
    assert sync(settings, instance) == 0


def test_a_report_has_the_metadata_of_publishing(settings: Settings, instance: dg.DagsterInstance) -> None:
    sync(settings, instance)
    current = get_storage(settings).dataset(FEATURE_TABLE).current(DAYS[0])
    assert current is not None
    day = fetch_latest(instance, dg.AssetKey(FEATURE_TABLE))[DAYS[0]]
    assert read_text(day, "path") == current.uri
    assert read_text(day, "generation") == current.id
    assert read_number(day, "dagster/row_count") == current.record["rows"]
    assert read_text(day, "run_id") == current.run_id
    assert read_text(day, REPORTED_BY) == COMMAND
    assert day.asset_materialization is not None
    (schema,) = [v for v in day.asset_materialization.metadata.values() if isinstance(v, dg.TableSchemaMetadataValue)]
    assert [column.name for column in schema.value.columns] == [c["name"] for c in current.record["schema"]]
    entry = fetch_latest(instance, dg.AssetKey("random_forest_registry_entry"))[WEEK]
    assert read_text(entry, "version") == "v1.0.0"
    assert entry.asset_materialization is not None
    assert (entry.asset_materialization.tags or {})["dagster/data_version"] == "v1.0.0"


def test_the_sensor_trains_no_week_that_storage_contains(settings: Settings, instance: dg.DagsterInstance) -> None:
    weeks, reason = tick(settings, instance)
    assert weeks == []
    assert reason.count("[history.unreported] ") == 2, "features and splits"
    assert "traffic-assets sync" in reason
    sync(settings, instance)
    weeks, reason = tick(settings, instance)
    assert weeks == []
    assert reason.startswith("[location.nothing-to-train] ")


def test_partitions_that_a_run_is_publishing_are_no_difference(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """A run publishes partitions before it reports them."""
    running = dg.DagsterRun(job_name="features", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
    instance.add_run(running)
    assert "[history." not in tick(settings, instance)[1]
    ended = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, running.job_name)
    instance.report_dagster_event(ended, running.run_id)
    assert "[history.unreported] " in tick(settings, instance)[1]


def test_features_without_their_splits_would_be_trained(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Show that the sensor depends on the reported splits."""
    plans = [p for p in plan(settings, instance) if p.key == dg.AssetKey(FEATURE_TABLE)]
    report(plans, settings, instance, get_storage(settings), lambda _: None)
    assert tick(settings, instance)[0] == [WEEK]


@pytest.mark.parametrize("day", [DAYS[0], DAYS[-1]])
def test_a_day_that_is_newer_than_the_splits_is_trained(
    settings: Settings, instance: dg.DagsterInstance, day: str
) -> None:
    publish_again(settings, day)
    sync(settings, instance)
    assert tick(settings, instance)[0] == [WEEK]


def get_included(instance: dg.DagsterInstance) -> int | None:
    """Return the storage id up to which the newest splits include every day."""
    return read_number(fetch_latest(instance, sensors.TRAIN_SPLIT)[WEEK], FEATURES_ID)


@pytest.mark.parametrize("changes", [{"rows": 0}, {"completeness": 0.01}], ids=["empty", "incomplete"])
def test_a_day_that_does_not_count_is_not_newer_than_the_splits(
    settings: Settings, instance: dg.DagsterInstance, changes: dict[str, Any]
) -> None:
    publish_again(settings, DAYS[0], **changes)
    sync(settings, instance)
    assert get_included(instance) == max(latest_ids(instance, sensors.FEATURES).values())
    assert tick(settings, instance)[0] == []


def test_only_a_changed_day_is_reported_again(settings: Settings, instance: dg.DagsterInstance) -> None:
    sync(settings, instance)
    publish_again(settings, DAYS[1])
    assert {p.key.to_user_string(): p.unreported for p in plan(settings, instance) if p.unreported} == {
        FEATURE_TABLE: [DAYS[1]]
    }


def test_a_recorded_code_version_is_reported_with_the_inputs(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Without the tags of its inputs, Dagster would call each of them a new dependency of the day."""
    publish_again(settings, DAYS[0], code_version="abc")
    sync(settings, instance)
    latest = fetch_latest(instance, sensors.FEATURES)
    tags = {day: record.asset_materialization and record.asset_materialization.tags for day, record in latest.items()}
    table = fetch_latest(instance, dg.AssetKey("sensor_table"))["all"].storage_id
    assert tags[DAYS[0]] == {
        "dagster/code_version": "abc",
        "dagster/input_event_pointer/sensor_table": str(table),
        "dagster/input_data_version/sensor_table": "INITIAL",
        "dagster/input_event_pointer/sensor_readings": "NULL",
        "dagster/input_data_version/sensor_readings": "INITIAL",
    }
    assert not tags[DAYS[1]]


def test_splits_are_reported_again_with_the_days_that_they_include(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    sync(settings, instance)
    before = latest_ids(instance, sensors.TRAIN_SPLIT)[WEEK]
    instance.wipe_assets([sensors.FEATURES])
    sync(settings, instance)
    assert latest_ids(instance, sensors.TRAIN_SPLIT)[WEEK] > before
    assert tick(settings, instance)[0] == []
    assert sync(settings, instance) == 0


def run_features(settings: Settings, instance: dg.DagsterInstance, day: str) -> str:
    """Publish the features of a day again and report them, as a run does; return the URI."""
    publish_again(settings, day)
    hdfs = get_storage(settings)
    current = hdfs.dataset(FEATURE_TABLE).current(day)
    assert current is not None
    metadata = describe_generation(current, {})
    instance.report_runless_asset_event(dg.AssetMaterialization(FEATURE_TABLE, partition=day, metadata=metadata))
    return current.uri


@pytest.mark.parametrize("key", [FEATURE_TABLE, "train_split"])
def test_a_day_that_a_run_built_meanwhile_stays_the_latest_and_is_trained(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The run ends before the first day is reported, or before the first split is."""
    uris: list[str] = []
    original = instance.report_runless_asset_event

    def report_after_a_run(event: Any) -> None:
        original(event)
        upstream = {FEATURE_TABLE: "sensor_table", "train_split": "test_split"}[key]
        if event.asset_key == dg.AssetKey(upstream) and not uris:
            uris.append("under way")
            uris[0] = run_features(settings, instance, DAYS[-1])

    monkeypatch.setattr(instance, "report_runless_asset_event", report_after_a_run)
    sync(settings, instance)
    latest = fetch_latest(instance, sensors.FEATURES)[DAYS[-1]]
    assert [read_text(latest, "path")] == uris
    assert read_text(latest, REPORTED_BY) is None
    assert tick(settings, instance)[0] == [WEEK]
    assert sync(settings, instance) == 0


def test_a_generation_that_was_published_meanwhile_is_the_one_that_is_reported(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """Its run has another Dagster home."""
    plans = plan(settings, instance)
    publish_again(settings, DAYS[0])
    current = get_storage(settings).dataset(FEATURE_TABLE).current(DAYS[0])
    assert current is not None
    report(plans, settings, instance, get_storage(settings), lambda _: None)
    assert read_text(fetch_latest(instance, sensors.FEATURES)[DAYS[0]], "path") == current.uri


@pytest.mark.parametrize("selected", [None, {sensors.FEATURES}], ids=["job", "selection"])
def test_an_asset_waits_while_a_run_materializes_it(
    settings: Settings, instance: dg.DagsterInstance, selected: set[dg.AssetKey] | None
) -> None:
    running = dg.DagsterRun(
        job_name="features",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset(selected) if selected else None,
    )
    instance.add_run(running)
    texts: list[str] = []
    plans = plan(settings, instance)
    count = report(plans, settings, instance, get_storage(settings), texts.append)
    (text,) = [text for text in texts if text.startswith("[history.run-under-way] ")]
    assert FEATURE_TABLE in text
    assert not latest_ids(instance, sensors.FEATURES)
    ended = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, running.job_name)
    instance.report_dagster_event(ended, running.run_id)
    assert count + sync(settings, instance) >= sum(len(plan.unreported) for plan in plans)
    assert tick(settings, instance)[0] == []


def test_the_sensor_waits_while_partitions_are_reported(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = []
    original = instance.report_runless_asset_event

    def report_and_tick(event: Any) -> None:
        original(event)
        ticks.append(tick(settings, instance))

    monkeypatch.setattr(instance, "report_runless_asset_event", report_and_tick)
    sync(settings, instance)
    assert len(ticks) > len(DAYS)
    assert all(weeks == [] and reason.startswith(UNDER_WAY) for weeks, reason in ticks)
    assert not tick(settings, instance)[1].startswith(UNDER_WAY)


def test_a_sync_that_began_during_a_tick_is_noticed(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_weeks(*_: Any) -> sensors.CheckedWeeks:
        mark_sync(instance, settings.deployment)
        mark_sync(instance, settings.deployment, ended=True)
        return sensors.CheckedWeeks({WEEK: 1}, {})

    monkeypatch.setattr(sensors, "check_weeks", check_weeks)
    weeks, reason = tick(settings, instance)
    assert weeks == []
    assert reason.startswith(UNDER_WAY)


def test_a_moved_base_is_named_and_reported_at_its_new_place(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    sync(settings, instance)
    shutil.copytree(tmp_path / "base", tmp_path / "moved")
    moved = settings.model_copy(
        update={"persistence": settings.persistence.model_copy(update={"base_uri": f"file://{tmp_path}/moved"})}
    )
    weeks, reason = tick(moved, instance)
    assert weeks == []
    assert "[history.stored-elsewhere] " in reason
    assert f"below file://{tmp_path}/base," in reason
    assert f"below file://{tmp_path}/moved." in reason
    assert sync(moved, instance) == sum(len(p.published) for p in plan(settings, instance))
    assert "[history." not in tick(moved, instance)[1]
    assert tick(moved, instance)[0] == []


def test_features_of_another_base_start_no_training(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Two code locations with the same asset keys: the days of the other one do not count."""
    other = settings.model_copy(
        update={"persistence": settings.persistence.model_copy(update={"base_uri": f"file://{tmp_path}/other"})}
    )
    report(
        [p for p in plan(settings, instance) if p.key == sensors.FEATURES],
        settings,
        instance,
        get_storage(settings),
        print,
    )
    assert tick(settings, instance)[0] == [WEEK]
    weeks, reason = tick(other, instance)
    assert weeks == []
    assert "[history.stored-elsewhere] " in reason


def test_a_history_from_an_older_backup_is_named(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Its partitions have the same names; the newest pointer shows the difference."""
    sync(settings, instance)
    publish_again(settings, DAYS[1])
    weeks, reason = tick(settings, instance)
    assert weeks == []
    assert f"[history.replaced] Dagster knows another generation of feature_table {DAYS[1]} " in reason
    sync(settings, instance)
    assert "[history." not in tick(settings, instance)[1]


def test_a_storage_from_an_older_backup_is_named(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Its pointers are as old as before; the newest materialization shows the difference."""
    pointer = tmp_path / "base" / "processed" / "ml-features" / "_pointers" / f"{DAYS[0]}.json"
    sync(settings, instance)
    shutil.copy2(pointer, tmp_path / "backup")
    publish_again(settings, DAYS[0])
    sync(settings, instance)
    shutil.copy2(tmp_path / "backup", pointer)
    (text,) = list_differences(instance, settings, get_storage(settings))
    assert (text.code, text.values["partitions"]) == ("history.replaced", [DAYS[0]])


def test_partitions_that_storage_lost_are_listed_and_stay(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    sync(settings, instance)
    shutil.rmtree(tmp_path / "base" / "processed")
    lost = {p.key.to_user_string(): p.lost for p in plan(settings, instance) if p.lost}
    assert lost == {"sensor_table": ["all"], FEATURE_TABLE: DAYS}
    assert "[history.not-stored] " in tick(settings, instance)[1]
    assert sync(settings, instance) == 0
    assert sorted(latest_ids(instance, sensors.FEATURES)) == DAYS


def test_a_new_deployment_gets_everything_under_its_keys(settings: Settings, instance: dg.DagsterInstance) -> None:
    plain = sync(settings, instance)
    named = settings.model_copy(update={"deployment": "san_diego"})
    assert sync(named, instance) == plain
    key = add_key_prefix(FEATURE_TABLE, "san_diego")
    assert sorted(latest_ids(instance, key)) == DAYS
    assert read_text(fetch_latest(instance, key)[DAYS[0]], "path") == read_text(
        fetch_latest(instance, sensors.FEATURES)[DAYS[0]], "path"
    )
    assert tick(named, instance)[0] == []
    assert tick(settings, instance)[0] == []


def test_a_damaged_pointer_is_named_and_the_rest_is_reported(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "base" / "processed" / "ml-features" / "_pointers" / f"{DAYS[1]}.json").write_text("{")
    texts: list[str] = []
    plans = plan_sync(build_defs(settings), settings, instance, get_storage(settings), texts.append)
    assert sum("[history.unreadable] " in text for text in texts) == 1
    (features,) = [p for p in plans if p.key == sensors.FEATURES]
    assert sorted(features.unreported) == [DAYS[0], DAYS[2]]


def test_the_sensor_does_not_list_a_storage_that_needs_java(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Its first listing would start Spark, which the pure tier forbids."""
    remote = settings.model_copy(
        update={"persistence": settings.persistence.model_copy(update={"base_uri": "hdfs://namenode:9000/data"})}
    )
    assert "[history.nothing-known] " in tick(remote, instance)[1]
    sync(settings, instance)
    weeks, reason = tick(remote, instance)
    assert weeks == []
    assert reason.count("[history.stored-elsewhere] ") == 2
    assert "below hdfs://namenode:9000/data." in reason


def test_the_newest_included_id_is_recorded(settings: Settings, instance: dg.DagsterInstance) -> None:
    sync(settings, instance)
    assert get_included(instance) == max(latest_ids(instance, sensors.FEATURES).values())


def test_partitions_of_every_storage_are_reported(
    storage: tuple[FileSystem, str], instance: dg.DagsterInstance
) -> None:
    filesystem, base = storage
    settings = tiny_settings(base)
    dataset = Dataset(f"{base}/processed/ml-features", filesystem, DATE)
    for day in DAYS:
        staged = dataset.stage("run")
        filesystem.write_new(f"{staged}/data/rows.parquet", b"PAR1")
        dataset.publish(day, f"{staged}/data", "run", {"rows": 1, "bytes": 4, "write_seconds": 0.1})
    assert sync(settings, instance) == len(DAYS)
    assert sync(settings, instance) == 0
    latest = fetch_latest(instance, sensors.FEATURES)
    assert {day: read_text(record, "path") for day, record in latest.items()} == {
        day: generation.uri for day, generation in dataset.current_generations().items()
    }
