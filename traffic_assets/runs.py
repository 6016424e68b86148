"""Running the jobs in this process, on one Spark session: what the command line and spark-submit use.

Dagster's own `dagster job execute` needs none of this. Here are only the runs and what they tell while they work.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from traffic_assets import jobs
from traffic_assets.build import build_defs
from traffic_assets.partitions import PARTITION, RANGE_END, RANGE_START
from traffic_assets.settings import Settings

PROGRESS = "progress"
_EXPLAINED = {"StorageError", "InputError", "PointerError", "RegistryError", "MissingPartitionError", "Failure"}
"""Errors that say what to do; what they were raised from is a trace of Java or Python."""


Tell = Callable[[str], None]


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


def run_features(settings: Settings, days: Sequence[str], instance: dg.DagsterInstance, tell: Tell) -> RunOutcome:
    """Materialise the feature table of a range of days in one run.

    Args:
        settings: of the deployment.
        days: the first and the last day of the range matter.
        instance: where Dagster records the run.
        tell: told of each step and of what it logs.
    """
    return _run(settings, jobs.FEATURES, {RANGE_START: min(days), RANGE_END: max(days)}, instance, tell)


def run_train(settings: Settings, week: str, instance: dg.DagsterInstance, tell: Tell) -> RunOutcome:
    """Train, judge and register a week in one run."""
    return _run(settings, jobs.TRAIN, {PARTITION: week}, instance, tell)


def open_instance(tell: Tell) -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, or one in memory where that is not set."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    tell("DAGSTER_HOME is not set: the runs are kept in memory only, and the Dagster UI will not show them")
    return dg.DagsterInstance.ephemeral()


def innermost_message(error: Any) -> str:
    """The text of what went wrong, without its trace: of the first cause that explains itself, else of the last."""
    while error.cls_name not in _EXPLAINED and getattr(error, "cause", None) is not None:
        error = error.cause
    return str(getattr(error, "message", error)).strip()


def _run(settings: Settings, job: str, tags: dict[str, str], instance: dg.DagsterInstance, tell: Tell) -> RunOutcome:
    result = (
        build_defs(settings, loggers={PROGRESS: _progress_logger(tell)})
        .resolve_job_def(job)
        .execute_in_process(
            tags=tags, instance=instance, raise_on_error=False, run_config={"loggers": {PROGRESS: {"config": {}}}}
        )
    )
    problems = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            problems.append(f"{event.step_key}: {innermost_message(data.error)}")
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not problems and event.job_failure_data.error:
            problems.append(innermost_message(event.job_failure_data.error))  # refused before its first step
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                blocking = "gate" if check.blocking else "warning"
                problems.append(
                    f"{check.asset_key.to_user_string()}: {blocking} {check.check_name}: {check.description}"
                )
    return RunOutcome(result.success, problems, result.run_id)


def _progress_logger(tell: Tell) -> dg.LoggerDefinition:
    """Tells of steps as they start and of what assets log; Dagster's other events stay in its own records."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            event = meta.get("dagster_event")
            if event is None and record.levelno >= logging.INFO:
                tell(f"  {meta.get('orig_message', record.getMessage())}")
            elif event is not None and event.event_type == dg.DagsterEventType.STEP_START and "." not in event.step_key:
                tell(event.step_key)

    @dg.logger({}, description="progress for a person at a terminal")
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("traffic_assets.progress", logging.DEBUG)
        logger.addHandler(Teller())
        return logger

    return progress
