"""The guards: a run without a usable partition or config is refused before its first step and not retried."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import filter_runs_to_should_retry

from traffic_assets import guards
from traffic_assets.assets.group import HEARTBEAT, WEEK_GUARD
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.guards import CODE_TAG
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.heartbeat import read_beat
from traffic_assets.liveness.lease import Holder
from traffic_assets.liveness.process import Process
from traffic_assets.lost_trainings import is_lost
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import PARTITION, build_weekly_partitions
from traffic_assets.resources import build_resources
from traffic_assets.runs import list_problems
from traffic_assets_tests.runs import QUIET
from traffic_assets_tests.tiny import WEEK, tiny_settings

FOREST = "random_forest_cv_report"
SELECTED = {"features": ["feature_table"], "train": list(SPLIT_ASSETS.values())}
"""Assets of each job whose step fails without stored data, before Spark starts."""
# otherwise Dagster starts a `tail` for each stream of a run that it captures
NO_COMPUTE_LOGS = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def _run(tmp_path: Any, job: str, tags: dict[str, str], config: dict[str, Any] | None = None) -> tuple[str, str]:
    """Return code and message of a run that must not reach a step."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs(tiny_settings(tmp_path))
            .resolve_job_def(job)
            .execute_in_process(
                tags=tags, instance=instance, raise_on_error=False, run_config={**QUIET, **(config or {})}
            )
        )
        assert not result.success
        assert not [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_START]
        (failed,) = [e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE]
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        return run.tags[CODE_TAG], str(failed.job_failure_data.error)


@pytest.mark.parametrize(("job", "code"), [("train", "runs.no-week"), ("features", "runs.no-day")])
def test_a_run_without_a_partition_is_refused_with_the_kind_it_needs(tmp_path: Any, job: str, code: str) -> None:
    assert _run(tmp_path, job, {})[0] == code


def test_a_day_that_is_not_a_monday_is_refused(tmp_path: Any) -> None:
    code, message = _run(tmp_path, "train", {PARTITION: "2026-01-07"})
    assert code == "runs.not-a-monday"
    assert "2026-01-07" in message


def test_hyperparameters_out_of_range_are_refused_with_what_is_allowed(tmp_path: Any) -> None:
    config = {"ops": {FOREST: {"config": {"maxDepth": 99}}}}
    code, message = _run(tmp_path, "train", {PARTITION: WEEK}, config)
    assert code == "runs.bad-hyperparameters"
    assert f"{FOREST}.maxDepth" in message
    assert "30" in message


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with the project's dagster.yaml, without captured output."""
    home = tmp_path / "home"
    home.mkdir()
    ours = (Path(__file__).parents[1] / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(f"{ours}\n{NO_COMPUTE_LOGS}")
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def _retried(instance: dg.DagsterInstance) -> list[str]:
    """Return the ids of the runs that the retry daemon would start again."""
    return [run.run_id for run in filter_runs_to_should_retry(instance.get_runs(), instance)]


@pytest.mark.parametrize(
    ("tags", "config", "code"),
    [
        ({}, {}, "runs.no-week"),
        ({PARTITION: "2026-01-07"}, {}, "runs.not-a-monday"),
        ({PARTITION: WEEK}, {"ops": {FOREST: {"config": {"maxDepth": 99}}}}, "runs.bad-hyperparameters"),
    ],
)
def test_a_refused_run_is_not_retried(
    tmp_path: Path, instance: dg.DagsterInstance, tags: dict[str, str], config: dict[str, Any], code: str
) -> None:
    result = (
        build_defs(tiny_settings(tmp_path))
        .resolve_job_def("train")
        .execute_in_process(tags=tags, instance=instance, raise_on_error=False, run_config={**QUIET, **config})
    )
    assert not result.success
    assert _retried(instance) == []
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[CODE_TAG] == code
    assert list_problems(result.all_events)[0].startswith(f"[{code}] ")


def _resources(tmp_path: Path) -> dict[str, Any]:
    """Return the real resources and guards, with the values of assets in memory."""
    settings = tiny_settings(tmp_path)
    return build_resources(settings) | guards.build(settings) | {"io_manager": dg.mem_io_manager}


def test_a_look_for_dead_runs_that_fails_does_not_fail_the_run(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("the database does not answer")

    monkeypatch.setattr(guards, "end_dead_runs", fail)

    @dg.asset(required_resource_keys={HEARTBEAT})
    def alive() -> int:
        return 1

    assert dg.materialize([alive], instance=instance, resources=_resources(tmp_path), run_config=QUIET).success
    assert "[runs.heartbeat-failed]" in caplog.text
    assert "the database does not answer" in caplog.text


def test_a_run_is_not_refused_because_storage_does_not_answer(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageError("no answer", retryable=True)

    monkeypatch.setattr(leases, "take", fail)
    monkeypatch.setattr(guards, "SECONDS_BETWEEN", 0)
    result = (
        build_defs(tiny_settings(tmp_path))
        .resolve_job_def("train")
        .execute_in_process(tags={PARTITION: WEEK}, instance=instance, raise_on_error=False, run_config=QUIET)
    )
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert CODE_TAG not in run.tags
    assert is_lost(run, "")


def test_a_run_whose_lease_was_taken_over_before_its_end_fails(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Check a take-over that no heartbeat noticed."""
    settings = tiny_settings(tmp_path)

    @dg.asset(
        key=asset_key(Lane("linear_regression").model),
        partitions_def=build_weekly_partitions(settings),
        required_resource_keys={WEEK_GUARD},
    )
    def model() -> int:
        folder = f"{settings.persistence.base_uri}/{leases.FOLDER}/{leases.train_task(WEEK)}"
        taker = Holder("taker", Process("elsewhere", 1), datetime.now(UTC))
        assert LocalFileSystem().create_exclusive(f"{folder}/2.json", taker.to_json())
        return 1

    result = dg.materialize(
        [model],
        partition_key=WEEK,
        instance=instance,
        resources=_resources(tmp_path),
        run_config=QUIET,
        raise_on_error=False,
    )
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert list_problems(result.all_events)[0].startswith("[runs.lease-lost] ")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat-")]


@pytest.mark.parametrize("deployment", ["", "second"])
def test_every_asset_and_check_keeps_a_heartbeat_also_those_of_a_deployment(tmp_path: Path, deployment: str) -> None:
    @dg.asset(code_version="3", retry_policy=dg.RetryPolicy(max_retries=7), op_tags={"kind": "own"}, pool="own")
    def summary(context: dg.AssetExecutionContext) -> int:
        return 1

    @dg.asset_check(asset=summary)
    def sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    settings = tiny_settings(tmp_path, {"deployment": deployment})
    defs = build_defs(settings, extra_assets=[summary], extra_checks=[sound])
    job = defs.resolve_implicit_global_asset_job_def()
    ops = {node.name: node for node in job.graph.node_defs if isinstance(node, dg.OpDefinition)}
    assert {"summary", "summary_sound"} < ops.keys()
    assert [name for name, op in ops.items() if HEARTBEAT not in op.required_resource_keys] == []
    own = ops["summary"]
    assert own.retry_policy is not None
    assert (own.retry_policy.max_retries, own.tags["kind"], own.pool) == (7, "own", "own")
    assert [output.code_version for output in own.output_dict.values()] == ["3"]


def test_a_run_of_checks_alone_keeps_a_heartbeat(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    defs = build_defs(tiny_settings(tmp_path))
    job = defs.resolve_implicit_global_asset_job_def()
    only = dg.AssetCheckKey(dg.AssetKey("sensor_table"), "has_rows")
    subset = job.get_subset(asset_selection=set(), asset_check_selection={only})
    result = subset.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    assert [event.event_type for event in result.all_events].count(dg.DagsterEventType.STEP_START) == 1
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert read_beat(run) is not None


def test_a_crashed_worker_is_retried(instance: dg.DagsterInstance) -> None:
    run = dg.DagsterRun(
        job_name="train", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED, tags={PARTITION: WEEK}
    )
    instance.add_run(run)
    instance.report_run_failed(run, "the worker is gone")  # as run monitoring does
    assert _retried(instance) == [run.run_id]


def test_a_failed_gate_is_not_retried(instance: dg.DagsterInstance) -> None:
    @dg.asset
    def evaluation() -> int:
        return 1

    @dg.asset_check(asset=evaluation, blocking=True)
    def targets() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    defs = dg.Definitions(
        assets=[evaluation],
        asset_checks=[targets],
        jobs=[dg.define_asset_job("gated", selection=[evaluation])],
        resources={"io_manager": dg.mem_io_manager},
        executor=dg.in_process_executor,
    )
    result = defs.resolve_job_def("gated").execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    assert not result.success
    assert _retried(instance) == []


def test_a_run_warns_if_another_base_has_its_asset_keys(tmp_path: Path) -> None:
    """A second network is named before it replaces the history of the first."""
    other = {"path": dg.MetadataValue.path("file:///first/processed/ml-features/_generations/date=2026-01-05/x")}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("feature_table", partition=WEEK, metadata=other))
        for deployment in ("", "second"):
            settings = tiny_settings(tmp_path, {"deployment": deployment})
            job = build_defs(settings).resolve_job_def(f"{deployment}_train" if deployment else "train")
            result = job.execute_in_process(
                tags={PARTITION: WEEK},
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[add_key_prefix(name, deployment) for name in SPLIT_ASSETS.values()],
            )
            logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
            named = [text for text in logged if text.startswith("[history.stored-elsewhere] ")]
            assert [("file:///first," in text, f"file://{tmp_path}." in text) for text in named] == (
                [] if deployment else [(True, True)]
            )


@pytest.mark.parametrize(("job", "partition"), [("features", "2026-01-07"), ("train", WEEK)])
def test_a_run_names_what_storage_lacks_before_its_first_step(tmp_path: Path, job: str, partition: str) -> None:
    """The sensor does not notice on HDFS that `base_uri` was emptied."""
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-01-05", "2026-01-06"):
            instance.report_runless_asset_event(dg.AssetMaterialization("feature_table", partition=day))
        result = (
            build_defs(tiny_settings(tmp_path))
            .resolve_job_def(job)
            .execute_in_process(
                tags={PARTITION: partition},
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[dg.AssetKey(name) for name in SELECTED[job]],
            )
        )
        logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
        (text,) = [text for text in logged if text.startswith("[history.not-stored] ")]
        assert "feature_table" in text
        assert "(2: 2026-01-05 to 2026-01-06)" in text
