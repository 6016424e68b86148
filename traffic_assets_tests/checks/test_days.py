"""The checks on sensors, readings and features, evaluated for every day of a run."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets import checks
from traffic_assets.checks.days import (
    QUARANTINED_SHARE,
    Stored,
    evaluate_columns,
    evaluate_completeness,
    evaluate_descriptions,
    evaluate_quarantine,
    evaluate_rows,
    evaluate_sensor_table,
    evaluate_sensors,
    evaluate_unknown_sensors,
)
from traffic_assets.dagster_hdfs.message import CODE
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import local_path
from traffic_assets.messages import assets as asset_messages
from traffic_assets.messages import checks as check_messages
from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START, build_daily_partitions
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets_tests.runs import QUIET, failures
from traffic_assets_tests.tiny import DAYS, tiny_profile, tiny_settings

DAY = {
    "rows": 288,
    "completeness": 1.0,
    "sensors": 1,
    "intervals": 288,
    "quarantined": 0,
    "reasons": {},
    "missing_columns": [],
}
ONE_ROW = DAY | {"rows": 1, "completeness": 1 / 288}
FACTS = {"sensors": 3, "sensors_without_position": 0, "sensors_without_lanes": 1, "highway_codes": {"I-5": 0}}
complete = partial(evaluate_completeness, minimum=0.5)
report = partial(evaluate_sensors, minimum=0.5)


@pytest.mark.parametrize(
    ("evaluate", "record", "code"),
    [
        (evaluate_rows, DAY, None),
        (evaluate_rows, DAY | {"rows": 0}, "checks.no-rows"),
        (complete, DAY, None),
        (complete, DAY | {"completeness": 0.5}, None),
        (complete, ONE_ROW, "checks.incomplete"),
        (complete, {"rows": 1}, None),
        (partial(evaluate_completeness, minimum=0), ONE_ROW, None),
        (evaluate_quarantine, DAY, None),
        (evaluate_quarantine, DAY | {"rows": 99, "quarantined": 1, "reasons": {"speed: NaN": 1}}, None),
        (evaluate_quarantine, DAY | {"rows": 98, "quarantined": 2}, "checks.many-quarantined"),
        (evaluate_quarantine, DAY | {"rows": 0}, None),
        (evaluate_columns, DAY, None),
        (evaluate_columns, DAY | {"missing_columns": ["flow"]}, "checks.missing-columns"),
        (evaluate_columns, DAY | {"missing_features": []}, None),
        (evaluate_columns, DAY | {"missing_features": ["flow_rate"]}, "checks.missing-columns"),
        (evaluate_unknown_sensors, {"rows_of_unknown_sensors": 0}, None),
        (evaluate_unknown_sensors, {"rows_of_unknown_sensors": 4}, "checks.unknown-sensors"),
        (report, {"sensors_seen": 6, "sensors_known": 12}, None),
        (report, {"sensors_seen": 5, "sensors_known": 12}, "checks.few-sensors"),
        (report, {"sensors_seen": None, "sensors_known": 12}, None),
        (report, {"sensors_seen": 0, "sensors_known": 12}, None),
        (evaluate_sensor_table, {"facts": FACTS}, None),
        (evaluate_sensor_table, {"facts": FACTS | {"sensors": 0}}, "checks.no-sensors"),
        (evaluate_descriptions, {"facts": FACTS}, None),
        (evaluate_descriptions, {"facts": FACTS | {"sensors_without_lanes": 3}}, "checks.missing-descriptions"),
        (evaluate_descriptions, {"facts": FACTS | {"highway_codes": {}}}, "checks.missing-descriptions"),
    ],
)
def test_a_record_passes_or_fails_with_its_code(
    evaluate: Callable[[Stored], dg.AssetCheckResult], record: dict[str, Any], code: str | None
) -> None:
    result = evaluate(Stored("feature_table", DAYS[0], record, "rebuild it"))
    assert result.passed is (code is None)
    assert (result.metadata[CODE].value if CODE in result.metadata else None) == code


def test_the_limit_of_the_quarantine_warns_before_a_day_is_refused(tmp_path: Path) -> None:
    assert tiny_settings(tmp_path).data.max_bad_share > QUARANTINED_SHARE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def publish(hdfs: HdfsResource, asset: str, partition: str, record: dict[str, Any]) -> None:
    dataset = hdfs.dataset(asset)
    staged = dataset.stage("run")
    folder = Path(local_path(staged)) / "data"
    folder.mkdir()
    dataset.publish(partition, f"{staged}/data", "run", record)


def run(settings: Settings, instance: dg.DagsterInstance, asset: str, **tags: str) -> dg.ExecuteInProcessResult:
    """Run the checks of an asset after a step that only reports materializations."""
    days = None if asset == "sensor_table" else build_daily_partitions(settings)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(name=asset, partitions_def=days, backfill_policy=policy)
    def checked() -> None: ...

    @dg.asset(partitions_def=build_daily_partitions(settings), backfill_policy=policy, deps=[asset])
    def later() -> None: ...

    on_it = [check for check in checks.build_days(settings) if check.node_def.name == f"{asset}_checks"]
    job = dg.define_asset_job("job", selection=dg.AssetSelection.assets(checked, later))
    resources = {"hdfs": build_resources(settings)["hdfs"]}
    defs = dg.Definitions(assets=[checked, later], asset_checks=on_it, jobs=[job], resources=resources)
    return defs.resolve_job_def("job").execute_in_process(
        tags=tags, instance=instance, raise_on_error=False, run_config=QUIET
    )


def stored_results(instance: dg.DagsterInstance, asset: str, name: str) -> dict[str | None, str]:
    """Return the stored status of a check by partition."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    return {record.partition: record.status.value for record in reversed(history)}


def test_a_run_over_a_range_stores_a_result_for_every_day(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path)
    hdfs = build_resources(settings)["hdfs"]
    publish(hdfs, "sensor_readings", DAYS[0], DAY)
    publish(hdfs, "sensor_readings", DAYS[1], ONE_ROW)
    result = run(settings, instance, "sensor_readings", **{RANGE_START: DAYS[0], RANGE_END: DAYS[2]})
    assert result.success, failures(result)
    complete = {e.partition: e for e in result.get_asset_check_evaluations() if e.check_name == "complete"}
    assert {day: e.passed for day, e in complete.items()} == {DAYS[0]: True, DAYS[1]: False, DAYS[2]: False}
    codes = {day: str(e.metadata[CODE].value) for day, e in complete.items() if CODE in e.metadata}
    assert codes == {DAYS[1]: "checks.incomplete", DAYS[2]: "checks.not-published"}
    assert {e.severity for e in complete.values()} == {dg.AssetCheckSeverity.WARN}
    targets = {day: e.target_materialization_data for day, e in complete.items()}
    assert {day: target and target.run_id for day, target in targets.items()} == dict.fromkeys(DAYS, result.run_id)
    assert stored_results(instance, "sensor_readings", "complete") == {
        DAYS[0]: "SUCCEEDED",
        DAYS[1]: "FAILED",
        DAYS[2]: "FAILED",
    }


def test_a_blocking_check_stops_the_run(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path, {"data": {"blocking_checks": ["complete"]}})
    publish(build_resources(settings)["hdfs"], "sensor_readings", DAYS[0], ONE_ROW)
    result = run(settings, instance, "sensor_readings", **{PARTITION: DAYS[0]})
    assert not result.success
    assert not result.asset_materializations_for_node("later")
    (failed,) = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert (failed.check_name, failed.severity) == ("complete", dg.AssetCheckSeverity.ERROR)


def test_the_sensor_table_has_one_result(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path)
    record = {"rows": 3, "facts": FACTS | {"sensors_without_lanes": 3}}
    publish(build_resources(settings)["hdfs"], "sensor_table", UNPARTITIONED, record)
    result = run(settings, instance, "sensor_table", **{RANGE_START: DAYS[0], RANGE_END: DAYS[1]})
    assert result.success, failures(result)
    passed = {(e.check_name, e.partition): e.passed for e in result.get_asset_check_evaluations()}
    assert passed == {("has_rows", None): True, ("no_missing_column", None): False}
    assert all(e.target_materialization_data for e in result.get_asset_check_evaluations())


def test_the_checks_of_each_asset(tmp_path: Path) -> None:
    def names(**data: Any) -> dict[str, set[str]]:
        built = checks.build_days(tiny_settings(tmp_path, {"data": data}))
        assert not any(spec.blocking for check in built for spec in check.check_specs)
        return {
            str(spec.asset_key.to_user_string()): {s.name for s in check.check_specs}
            for check in built
            for spec in check.check_specs
        }

    day = {"has_rows", "complete", "few_quarantined", "no_missing_column"}
    assert names() == {
        "sensor_table": {"has_rows", "no_missing_column"},
        "sensor_readings": day,
        "feature_table": {"has_rows", "complete", "no_missing_column", "no_unknown_sensor", "sensors_report"},
    }
    assert names(kind="features") == {"feature_table": day}


@pytest.mark.parametrize("asset", ["sensor_table", "sensor_readings"])
def test_an_asset_that_is_not_published_fails_without_an_empty_day(
    tmp_path: Path, instance: dg.DagsterInstance, asset: str
) -> None:
    profile = tmp_path / "mine.json"
    profile.write_text(json.dumps(tiny_profile(tmp_path)))
    tags = {RANGE_START: DAYS[0], RANGE_END: DAYS[0]}
    result = run(load_settings(profile, environ={}), instance, asset, **tags)
    texts = {evaluation.description for evaluation in result.get_asset_check_evaluations()}
    command = f"traffic-assets features {DAYS[0]} {DAYS[0]} --profile {profile}"
    assert texts == {
        "sensor_table has no published data. Fix: run the features job."
        if asset == "sensor_table"
        else f"sensor_readings has no published data ({DAYS[0]}). Fix: run `{command}`."
    }


def test_a_problem_has_the_same_fix_in_the_log_and_in_the_check() -> None:
    assert check_messages.UNKNOWN_SENSORS.fix == asset_messages.UNKNOWN_SENSORS.fix
    assert check_messages.INCOMPLETE.fix == asset_messages.INCOMPLETE_DAY.fix
    assert "data.minimum_completeness" in check_messages.INCOMPLETE.fix
