"""Lost trainings: runs that died, and runs of the training sensor that were stopped or gave way to another training.

A run is lost if no step of it failed and it was not refused: a refused run and a run with a failed step or gate have an
outcome, and would have it again. An exception outside of a step, as when storage or Dagster's database does not answer
at the start, is none. The sensor starts a week again at most twice for the same features.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.uris import is_local
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.dead_runs import CODE_TAG
from traffic_assets.liveness.heartbeat import PROMISE_TAG
from traffic_assets.messages import location as messages
from traffic_assets.messages.runs import LEASE_HELD
from traffic_assets.naming import add_tag_prefix
from traffic_assets.partitions import PARTITION
from traffic_assets.settings import Settings

STORAGE_ID_TAG = "traffic_assets/features_storage_id"
"""Tag of a run of the training sensor with the newest storage id of the features that it was started for."""
MAX_RETRIES_TAG = "dagster/max_retries"
FAILURE_REASON_TAG = "dagster/failure_reason"
STEP_FAILURE, RUN_EXCEPTION, NOT_INITIALIZED = "STEP_FAILURE", "RUN_EXCEPTION", "JOB_INITIALIZATION_FAILURE"
"""Reasons that Dagster records when a run itself failed. A run whose process ended has another reason, or none."""
MAX_ATTEMPTS = 3
SECONDS_AFTER_GIVING_WAY = (600, 3600)
"""Seconds to wait after the first and the second run that gave way, if the lease cannot be read without Spark."""


@dataclass(frozen=True)
class Attempt:
    """The next training of a week for the same features.

    Attributes:
        number: Number of the attempt, from 1; 0 if none is due now.
        reason: Reason why none is due.
        is_last: True if there will be none without new features.
    """

    number: int
    reason: CodedText | None = None
    is_last: bool = False


def is_lost(run: dg.DagsterRun, deployment: str) -> bool:
    """Return True if a finished run died, or if one of the sensor was stopped or gave way to another training.

    A person who stops a training of theirs decides about its splits; they count, as those of a failed training do.
    """
    if add_tag_prefix(STORAGE_ID_TAG, deployment) in run.tags and (
        run.status == dg.DagsterRunStatus.CANCELED or _gave_way(run)
    ):
        return True
    # a run without the tag is of an earlier version, or did not begin
    return PROMISE_TAG in run.tags and run.status == dg.DagsterRunStatus.FAILURE and not _has_outcome(run)


def list_lost_runs(instance: dg.DagsterInstance, weeks: Collection[str], deployment: str) -> dict[str, str]:
    """Return the week of each lost run of these weeks, by run id, also of runs of selected assets."""
    if not weeks:
        return {}
    statuses = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION: sorted(weeks)}, statuses=statuses))
    return {run.run_id: run.tags[PARTITION] for run in runs if is_lost(run, deployment)}


def next_attempt(
    instance: dg.DagsterInstance, settings: Settings, week: str, storage_id: int, now: datetime | None = None
) -> Attempt:
    """Return the next training of a week for these features, after those that were lost.

    Args:
        instance: Dagster instance with the runs.
        settings: Settings of the deployment.
        week: Monday of the week, ISO date.
        storage_id: Newest storage id of the features of the week.
        now: Current time, for tests.
    """
    tags = {PARTITION: week, add_tag_prefix(STORAGE_ID_TAG, settings.deployment): str(storage_id)}
    records = instance.get_run_records(dg.RunsFilter(tags=tags))
    records = [record for record in records if is_lost(record.dagster_run, settings.deployment)]
    if len(records) >= MAX_ATTEMPTS:
        runs = [f"{record.dagster_run.run_id} ({_outcome(record.dagster_run)})" for record in reversed(records)]
        return Attempt(0, messages.TRAINING_LOST(week=week, attempts=len(records), runs=runs), is_last=True)
    gave_way = records and _gave_way(records[0].dagster_run)  # the newest run comes first
    if gave_way and (reason := _wait_for_other(settings, week, records, now or datetime.now(UTC))):
        return Attempt(0, reason)
    return Attempt(len(records) + 1)


def _has_outcome(run: dg.DagsterRun) -> bool:
    """Return True if a failed run would fail again: by a step, or because a guard refused it."""
    reason = run.tags.get(FAILURE_REASON_TAG)
    return reason == STEP_FAILURE or (reason == RUN_EXCEPTION and CODE_TAG in run.tags)


def _gave_way(run: dg.DagsterRun) -> bool:
    # a run that a person executes again has the tags of the run that gave way
    refused = run.status == dg.DagsterRunStatus.FAILURE and run.tags.get(FAILURE_REASON_TAG) != STEP_FAILURE
    return refused and run.tags.get(CODE_TAG) == LEASE_HELD.code


def _outcome(run: dg.DagsterRun) -> str:
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "stopped"
    if _gave_way(run):
        return "gave way to another training"
    outside = run.tags.get(FAILURE_REASON_TAG) in (RUN_EXCEPTION, NOT_INITIALIZED)
    return "failed outside of its steps" if outside else "died"


def _wait_for_other(settings: Settings, week: str, lost: Sequence[dg.RunRecord], now: datetime) -> CodedText | None:
    """Return why a week whose last run gave way is not started again yet; None if the other training has ended.

    On HDFS the lease cannot be read without a JVM, so the sensor waits for some time instead.
    """
    base_uri = settings.persistence.base_uri
    if is_local(base_uri):
        task, timeout = leases.train_task(week), settings.runs.heartbeat_timeout
        holder = leases.find_holder(LocalFileSystem(), base_uri, task, timeout)
        return messages.WEEK_TRAINED_ELSEWHERE(week=week, **leases.describe(holder)) if holder else None
    seconds = SECONDS_AFTER_GIVING_WAY[min(len(lost), len(SECONDS_AFTER_GIVING_WAY)) - 1]
    due = datetime.fromtimestamp(lost[0].end_time or 0, UTC) + timedelta(seconds=seconds)
    if now >= due:
        return None
    run = lost[0].dagster_run.run_id
    return messages.WEEK_GAVE_WAY(week=week, run=run, due=due.isoformat(sep=" ", timespec="minutes"))
