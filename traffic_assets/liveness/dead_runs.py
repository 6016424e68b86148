"""Dead runs: runs that Dagster lists as running although their process has ended.

A run whose process could be seen from here is dead when that very process no longer exists. Any other run is dead when
its heartbeat has not changed for its own timeout, as observed from here. The clock of the other host does not count,
because clocks differ. Neither does the time in which nobody looked, because both sides may have been suspended.

Runs without any heartbeat (of other code, or of an earlier version) are never touched. The exception are runs of this
code location, known by the tag of its jobs or by their assets: one that is started and has no heartbeat within the
timeout was killed before its first one. Dagster itself ends runs that do not start (`run_monitoring`).
"""

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.liveness.heartbeat import HEARTBEAT_TAG, PROMISE_TAG, read_beat
from traffic_assets.liveness.process import has_ended
from traffic_assets.messages import runs as messages

CODE_TAG = "traffic_assets/code"
"""Tag of a refused or dead run with the code of its message. Dagster keeps no metadata of a run that starts no step."""
LONGEST_GAP = timedelta(seconds=60)
"""Time between two looks that counts as observed at most: twice the interval of the sensor."""
FIRST_BEAT = timedelta(minutes=10)
"""Least time for the first heartbeat of a run, which has not recorded its own timeout before."""

LIVE = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""Statuses of a run that has a process, or will have one soon. A queued run has none."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """What an observer saw of a run.

    Attributes:
        heartbeat: Tag with the heartbeat.
        seen: Time of the last look, by the observer's clock.
        silent: Observed time for which the tag has had this value.
    """

    heartbeat: str
    seen: datetime
    silent: timedelta = timedelta(0)


Observations = MutableMapping[str, Observation]
"""Observations by run id, which an observer keeps between two looks."""


def end_dead_runs(
    instance: dg.DagsterInstance,
    timeout: timedelta,
    observations: Observations,
    now: datetime | None = None,
    keys: Set[dg.AssetKey] = frozenset(),
) -> list[CodedText]:
    """Mark every dead run as failed, or as canceled if it was being canceled; return the reasons.

    Args:
        instance: Dagster instance with the runs.
        timeout: Time without a heartbeat after which a run that cannot be seen from here is dead, if the run itself did
            not record one.
        observations: Observations of earlier looks, which are updated. Empty at the first look.
        now: Time by the observer's clock, for tests.
        keys: Keys of the assets whose runs keep a heartbeat, whatever their job is.
    """
    now = now or datetime.now(UTC)
    records = {record.dagster_run.run_id: record for record in instance.get_run_records(dg.RunsFilter(statuses=LIVE))}
    for run_id in [run_id for run_id in observations if run_id not in records]:
        del observations[run_id]
    dead = list(_find_dead(instance, records, timeout, observations, now, keys))
    return [reason for run, reason in dead if _end(instance, run, reason)]


def _find_dead(
    instance: dg.DagsterInstance,
    records: Mapping[str, dg.RunRecord],
    timeout: timedelta,
    observations: Observations,
    now: datetime,
    keys: Set[dg.AssetKey],
) -> Iterator[tuple[dg.DagsterRun, CodedText]]:
    for run_id, record in records.items():
        run = record.dagster_run
        beat = read_beat(run)
        if beat is None:
            patience = max(timeout, FIRST_BEAT)
            if _keeps_heartbeat(run, keys) and _was_killed_early(instance, record, patience, now):
                yield run, messages.NO_HEARTBEAT(run=run_id, minutes=_minutes(patience))
            continue
        facts = {"run": run_id, "host": beat.process.host, "pid": beat.process.pid}
        ended = has_ended(beat.process)
        if ended is None:
            allowed = beat.timeout or timeout
            observations[run_id] = observe(observations.get(run_id), run.tags[HEARTBEAT_TAG], allowed, now)
            if observations[run_id].silent >= allowed:
                yield run, messages.HEARTBEAT_LOST(**facts, minutes=_minutes(allowed))
        elif ended:
            yield run, messages.PROCESS_ENDED(**facts)


def observe(before: Observation | None, heartbeat: str, timeout: timedelta, now: datetime) -> Observation:
    """Return the observation of a heartbeat after another look.

    Args:
        before: Observation of the look before; None without one.
        heartbeat: Tag with the heartbeat.
        timeout: Time without a heartbeat after which the run is dead; one gap never counts as the whole of it.
        now: Time by the observer's clock.
    """
    if before is None or before.heartbeat != heartbeat:
        return Observation(heartbeat, now)
    gap = max(now - before.seen, timedelta(0))  # the clock may have been set back
    return Observation(heartbeat, now, before.silent + min(gap, LONGEST_GAP, timeout / 2))


def _keeps_heartbeat(run: dg.DagsterRun, keys: Set[dg.AssetKey]) -> bool:
    """Return True if a run keeps a heartbeat from its first step on: of a job, or of assets or checks, of ours."""
    selected = set(run.asset_selection or ()) | {check.asset_key for check in run.asset_check_selection or ()}
    return PROMISE_TAG in run.tags or (bool(selected) and selected <= keys)


def _was_killed_early(instance: dg.DagsterInstance, record: dg.RunRecord, timeout: timedelta, now: datetime) -> bool:
    """Return True if a run that keeps a heartbeat has neither that nor a step within the timeout."""
    run = record.dagster_run
    if run.status != dg.DagsterRunStatus.STARTED or record.start_time is None:
        return False
    if now - datetime.fromtimestamp(record.start_time, UTC) < timeout:
        return False
    # a run of other code, such as an earlier version's, has steps and no heartbeat
    return not instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)


def _minutes(timeout: timedelta) -> float:
    return round(timeout / timedelta(minutes=1), 2)


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: CodedText) -> bool:
    """Mark a run as ended, unless it ended or had a heartbeat since it was read."""
    if _read_again(instance, run) is None:
        return False
    instance.add_run_tags(run.run_id, {CODE_TAG: reason.code})
    current = _read_again(instance, run)
    if current is None:  # another observer was faster
        return False
    if current.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(current, str(reason))
    else:
        instance.report_run_failed(current, str(reason))
    _LOG.warning(reason)
    return True


def _read_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun | None:
    """Return a run as it is now; None if it ended, or had a heartbeat, since it was read."""
    current = instance.get_run_by_id(run.run_id)
    if current is None or current.is_finished or current.tags.get(HEARTBEAT_TAG) != run.tags.get(HEARTBEAT_TAG):
        return None
    return current
