"""Job runs in this process, on one Spark session, for the command line and spark-submit.

Dagster's own `dagster job execute` does not use this module.
"""

import logging
import os
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from traffic_assets import jobs
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.message import CODE, CodedText
from traffic_assets.guards import CODE_TAG, WAIT_TAG
from traffic_assets.liveness.heartbeat import heartbeat_tags
from traffic_assets.messages import runs as messages
from traffic_assets.naming import add_name_prefix
from traffic_assets.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    build_daily_partitions,
    build_weekly_partitions,
    find_partition_problem,
)
from traffic_assets.settings import Settings

PROGRESS = "progress"
_EXPLAINED = {"StorageError", "InputError", "PointerError", "RegistryError", "MissingPartitionError", "Failure"}
"""Errors whose message includes the fix even without a code; their causes are tracebacks of Java or Python."""
_CODED = re.compile(r"\[[a-z-]+\.[a-z0-9-]+\] ")
"""Beginning of a text that is shown with its code."""

Notify = Callable[[str], None]


@dataclass(frozen=True)
class RunOutcome:
    """Outcome of a run.

    Attributes:
        success: True if every step and blocking check passed.
        problems: Failures and warnings, one line each: `[code] step: message`.
        run_id: Id of the Dagster run.
        refused: Code of the message that refused the run before its first step; None if it started.
    """

    success: bool
    problems: list[str]
    run_id: str
    refused: str | None = None


def run_features(settings: Settings, days: Sequence[str], instance: dg.DagsterInstance, notify: Notify) -> RunOutcome:
    """Materialize the feature table of a range of days in one run.

    Args:
        settings: Settings of the deployment.
        days: Days, ISO dates; the earliest and the latest are the ends of the range.
        instance: Dagster instance that records the run.
        notify: Callback for each step that starts and each line that it logs.

    Raises:
        ValueError: If an end of the range is not a complete day of the deployment. No run is created.
    """
    tags = {RANGE_START: min(days), RANGE_END: max(days)}
    if problem := find_partition_problem(tags, build_daily_partitions(settings), "day"):
        raise ValueError(problem)
    return _run(settings, jobs.FEATURES, tags, instance, notify)


def run_train(
    settings: Settings, week: str, instance: dg.DagsterInstance, notify: Notify, wait: bool = False
) -> RunOutcome:
    """Train, evaluate and register a week in one run.

    Args:
        settings: Settings of the deployment.
        week: Monday of the week, ISO date.
        instance: Dagster instance that records the run.
        notify: Callback for each step that starts and each line that it logs.
        wait: True to wait for another training of the week to end; otherwise the run is refused.

    Raises:
        ValueError: If the week is not a complete week of the deployment. No run is created.
    """
    tags = {PARTITION: week}
    if problem := find_partition_problem(tags, build_weekly_partitions(settings), "week"):
        raise ValueError(problem)
    return _run(settings, jobs.TRAIN, {**tags, **({WAIT_TAG: "true"} if wait else {})}, instance, notify)


def open_instance(notify: Notify) -> dg.DagsterInstance:
    """Return the instance of DAGSTER_HOME, or an instance in memory if that is not set."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    notify(messages.NO_DAGSTER_HOME())
    return dg.DagsterInstance.ephemeral()


def innermost_message(error: Any) -> str:
    """Return the message of the first cause that includes a fix, otherwise of the last cause, without the traceback.

    A message with a code or a fix is returned without the name of the exception class.
    """
    while not _is_explained(error) and getattr(error, "cause", None) is not None:
        error = error.cause
    message = str(getattr(error, "message", error)).strip()
    name, _, text = message.partition(": ")
    return text if _is_explained(error) and name.rpartition(".")[2] == error.cls_name else message


def _is_explained(error: Any) -> bool:
    _, _, text = str(getattr(error, "message", error)).partition(": ")
    return error.cls_name in _EXPLAINED or _CODED.match(text) is not None


def list_problems(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """Return a line for each failed step and check of a run, with the code of its message if there is one."""
    problems = []
    for event in events:
        if event.is_step_failure:
            problems.append(_problem(f"{event.step_key}: ", innermost_message(event.step_failure_data.error)))
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not problems and event.job_failure_data.error:
            problems.append(innermost_message(event.job_failure_data.error))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                blocking = "gate" if check.blocking else "warning"
                code = check.metadata.get(CODE)
                text = CodedText(check.description or "", str(code.value), {}) if code else check.description
                subject = f"{check.asset_key.to_user_string()}: {blocking} {check.check_name}: "
                problems.append(_problem(subject, str(text)))
    return problems


def _problem(subject: str, text: str) -> str:
    """Return the line of a problem: the code of its text, if there is one, then the subject and the text."""
    code = _CODED.match(text)
    return f"{code[0]}{subject}{text[code.end() :]}" if code else f"{subject}{text}"


def _run(
    settings: Settings, job: str, tags: dict[str, str], instance: dg.DagsterInstance, notify: Notify
) -> RunOutcome:
    location = build_defs(settings, loggers={PROGRESS: _progress_logger(notify)})
    run_id = str(uuid.uuid4())
    result = location.resolve_job_def(add_name_prefix(job, settings.deployment)).execute_in_process(
        # the tags are there from its creation on, so that a run killed before its first heartbeat is known as dead
        tags={**tags, **heartbeat_tags(run_id, settings.runs.heartbeat_timeout)},
        run_id=run_id,
        instance=instance,
        raise_on_error=False,
        run_config={"loggers": {PROGRESS: {"config": {}}}},
    )
    run = instance.get_run_by_id(run_id)
    refused = run.tags.get(CODE_TAG) if run is not None else None
    return RunOutcome(result.success, list_problems(result.all_events), run_id, refused)


def _progress_logger(notify: Notify) -> dg.LoggerDefinition:
    """Return a logger of starting steps and of what assets log; other events are only in Dagster's records."""

    class ProgressHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            event = meta.get("dagster_event")
            if event is None and record.levelno >= logging.INFO:
                notify(f"  {meta.get('orig_message', record.getMessage())}")
            elif event is not None and event.event_type == dg.DagsterEventType.STEP_START and "." not in event.step_key:
                notify(event.step_key)

    @dg.logger({}, description="Progress messages for a terminal.")
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("traffic_assets.progress", logging.DEBUG)
        logger.addHandler(ProgressHandler())
        return logger

    return progress
