"""Runs of a code location's jobs in a test, on the test's own Dagster instance and Spark session."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets import jobs
from traffic_assets.dagster_hdfs.failures import VALUES
from traffic_assets.dagster_hdfs.message import CODE
from traffic_assets.guards import CODE_TAG
from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets.runs import innermost_message

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_features(defs: dg.Definitions, instance: dg.DagsterInstance, days: Sequence[str]) -> dg.ExecuteInProcessResult:
    """Run the `features` job on a range of days."""
    tags = {RANGE_START: days[0], RANGE_END: days[-1]}
    return _execute(defs, jobs.FEATURES, instance, tags)


def run_train(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    week: str,
    only: Sequence[str] | None = None,
    config: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run the `train` job on a week, or some of its assets."""
    return _execute(defs, jobs.TRAIN, instance, {PARTITION: week}, only, config)


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the message of each failed step's innermost cause, or of the run if it was refused before a step."""
    messages = {}
    for event in result.all_events:
        if event.is_step_failure:
            messages[event.step_key or ""] = innermost_message(event.step_failure_data.error)
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not messages:
            messages["run"] = innermost_message(event.job_failure_data.error)
    return messages


def failure_codes(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the code of each failed step from the metadata of its failure; steps without a code are left out."""
    failed = {e.step_key or "": e.step_failure_data.user_failure_data for e in result.all_events if e.is_step_failure}
    return {step: str(f.metadata[CODE].value) for step, f in failed.items() if f is not None and CODE in f.metadata}


def get_failure_values(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Return the values of the message of each failed step; steps without a code are left out."""
    failed = {e.step_key or "": e.step_failure_data.user_failure_data for e in result.all_events if e.is_step_failure}
    shown: dict[str, Any] = {step: f.metadata[VALUES].value for step, f in failed.items() if f and VALUES in f.metadata}
    return shown


def list_missed_thresholds(metadata: Mapping[str, Any]) -> list[str]:
    """Return the measured quantities that miss their thresholds, from the metadata of a gate."""
    records = metadata["targets"].records if "targets" in metadata else []
    return [record.data["target"] for record in records if record.data["passed"] != "yes"]


def get_refusal_codes(result: dg.ExecuteInProcessResult, key: str) -> dict[str, str]:
    """Return the code of each partition of an asset that a run refused."""
    observed = [
        event.asset_observation_data.asset_observation
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and event.asset_key == dg.AssetKey([key])
    ]
    return {str(one.partition): str(one.metadata[CODE].value) for one in observed}


def read_run_codes(home: str, job: str, tags: Mapping[str, str]) -> set[str]:
    """Return the codes that the runs of a job for exactly this partition recorded in a Dagster home."""
    with dg.DagsterInstance.from_config(home) as instance:
        runs = [
            run
            for run in instance.get_runs(dg.RunsFilter(job_name=job))
            if {name: run.tags[name] for name in (PARTITION, RANGE_START, RANGE_END) if name in run.tags} == tags
        ]
        codes = {run.tags[CODE_TAG] for run in runs if CODE_TAG in run.tags}
        for run in runs:
            for record in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
                failure = record.get_dagster_event().step_failure_data.user_failure_data
                if failure is not None and CODE in failure.metadata:
                    codes.add(str(failure.metadata[CODE].value))
    return codes


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the keys of the assets that a run materialized."""
    return {
        event.asset_key.to_user_string()
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key
    }


def get_metadata(result: dg.ExecuteInProcessResult, node: str, key: str | None = None) -> dict[str, Any]:
    """Return the metadata of a materialization; of one asset, if the node materializes several."""
    wanted = dg.AssetKey(key or node)
    (event,) = [event for event in result.asset_materializations_for_node(node) if event.asset_key == wanted]
    return {name: value.value for name, value in event.metadata.items()}


def _execute(
    defs: dg.Definitions,
    job: str,
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    only: Sequence[str] | None = None,
    config: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    definition = defs.resolve_job_def(job)
    return definition.execute_in_process(
        tags=tags,
        instance=instance,
        raise_on_error=False,
        run_config={**QUIET, **(config or {})},
        asset_selection=[dg.AssetKey(key) for key in only] if only else None,
    )
