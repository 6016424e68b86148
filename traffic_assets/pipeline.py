"""Running the jobs in this process, on one Spark session: what the command line and spark-submit use.

Dagster's own `dagster job execute` needs none of this. Here are only the runs and what they tell while they work.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg

from traffic_assets import jobs
from traffic_assets.build import build_defs
from traffic_assets.settings import Settings

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        success: whether every step and blocking check passed.
        problems: what failed, one line each.
        run_id: of the Dagster run.
    """

    success: bool
    problems: list[str]
    run_id: str


def run_features(settings: Settings, days: Sequence[str], instance: dg.DagsterInstance) -> RunOutcome:
    """Materialise the feature table of a range of days in one run.

    Args:
        settings: of the deployment.
        days: the first and the last day of the range matter.
        instance: where Dagster records the run.
    """
    return _run(settings, jobs.FEATURES, {RANGE_START: min(days), RANGE_END: max(days)}, instance)


def run_train(settings: Settings, week: str, instance: dg.DagsterInstance) -> RunOutcome:
    """Train, judge and register a week in one run."""
    return _run(settings, jobs.TRAIN, {PARTITION: week}, instance)


def open_instance(notify: Callable[[str], None] = print) -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, or one in memory where that is not set."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    notify("DAGSTER_HOME is not set: the runs are kept in memory only, and the Dagster UI will not show them")
    return dg.DagsterInstance.ephemeral()


def _run(settings: Settings, job: str, tags: dict[str, str], instance: dg.DagsterInstance) -> RunOutcome:
    result = (
        build_defs(settings)
        .resolve_job_def(job)
        .execute_in_process(
            tags=tags,
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    )
    problems = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            problems.append(f"{event.step_key}: {_message(data.error)}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                blocking = "gate" if check.blocking else "warning"
                problems.append(
                    f"{check.asset_key.to_user_string()}: {blocking} {check.check_name}: {check.description}"
                )
    return RunOutcome(result.success, problems, result.run_id)


def _message(error: object) -> str:
    """The innermost cause's text without its trace."""
    while getattr(error, "cause", None) is not None:
        error = error.cause  # type: ignore[attr-defined]
    return str(getattr(error, "message", error)).strip()
