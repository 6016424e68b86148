"""The heartbeat of a run: tags of the run that its process writes, and a thread that renews them until the run ends.

The tags are in Dagster's own storage, so every host and daemon of one Dagster sees them. The thread also renews what
else the run holds (a lease), looks for other dead runs, and interrupts this run if it may not go on: if it was marked
as ended meanwhile, or if another run took its lease over.
"""

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import dagster as dg

from traffic_assets.dagster_hdfs.message import CodedText, error_text
from traffic_assets.liveness import signals
from traffic_assets.liveness.process import Process, this_process
from traffic_assets.messages import runs as messages

PROCESS_TAG = "traffic_assets/process"
"""Tag of a run with its process and timeout, as JSON."""
_RUN, _TIMEOUT = "run", "timeout_minutes"
HEARTBEAT_TAG = "traffic_assets/heartbeat"
"""Tag of a run with the time of its last heartbeat, by the clock of its host."""
PROMISE_TAG = "traffic_assets/keeps_heartbeat"
"""Tag of a run that keeps a heartbeat from its first step on: of the jobs, and of any run that began."""
SECONDS_BETWEEN_BEATS = 15.0
SECONDS_BETWEEN_LOOKS = 1.0
"""Seconds between two looks at the signals that this process received."""

_LOG = logging.getLogger(__name__)


class RunLostError(RuntimeError):
    """Error for a run that may not go on.

    Attributes:
        refusal: Message of the error.
    """

    refusal: CodedText

    def __init__(self, refusal: CodedText) -> None:
        super().__init__(refusal)
        self.refusal = refusal


@dataclass(frozen=True)
class Beat:
    """The last heartbeat of a run.

    Attributes:
        process: Process of the run.
        timeout: Time without a heartbeat after which the run is dead; None for a run of an earlier version.
    """

    process: Process
    timeout: timedelta | None


def read_beat(run: dg.DagsterRun) -> Beat | None:
    """Return the last heartbeat of a run; None without one, as for runs of other code.

    Dagster copies the tags of a run that is executed again, so the tag names its run.
    """
    try:
        process = json.loads(run.tags[PROCESS_TAG])
        if process[_RUN] != run.run_id or HEARTBEAT_TAG not in run.tags:
            return None
        timeout = timedelta(minutes=process[_TIMEOUT]) if _TIMEOUT in process else None
        return Beat(Process.from_dict(process), timeout)
    except (KeyError, ValueError, TypeError):
        return None


def heartbeat_tags(run_id: str, timeout: timedelta) -> dict[str, str]:
    """Return the tags of a heartbeat of a run in this process, now.

    Args:
        run_id: Id of the run.
        timeout: Time without a heartbeat after which the run is dead. Every observer uses it, whatever its settings.
    """
    process = {_RUN: run_id, _TIMEOUT: timeout / timedelta(minutes=1), **this_process().to_dict()}
    return {PROMISE_TAG: "true", PROCESS_TAG: json.dumps(process), HEARTBEAT_TAG: datetime.now(UTC).isoformat()}


class Heartbeat:
    """The heartbeat of a run of this process, with what else has to be done while the run lives.

    Attributes:
        lost: Reason why the run may not go on; None while it may.
    """

    def __init__(self, instance: dg.DagsterInstance, run: dg.DagsterRun, timeout: timedelta) -> None:
        self._instance, self._run, self._timeout = instance, run, timeout
        # nobody else sees an instance in memory, and its storage does not allow a second thread
        self._tasks: list[Callable[[], None]] = [] if instance.is_ephemeral else [self._beat]
        self._ended = threading.Event()
        self._may_interrupt = threading.current_thread() is threading.main_thread()
        self._thread = threading.Thread(target=self._live, name=f"heartbeat-{run.run_id[:8]}", daemon=True)
        self.lost: CodedText | None = None

    def add(self, task: Callable[[], None]) -> None:
        """Call a function at every beat; if it raises RunLostError, the run is interrupted."""
        self._tasks.append(task)

    def call(self, task: Callable[[], None]) -> None:
        """Call a function as at a beat: an error is only logged, unless it is RunLostError."""
        try:
            task()
        except RunLostError as error:
            if self.lost is None:
                self.lose(error.refusal)
                self._interrupt()
        except Exception as error:  # storage that does not answer now may answer at the next beat
            _LOG.warning(messages.HEARTBEAT_FAILED(run=self._run.run_id, cause=error_text(error)))

    def start(self) -> None:
        """Write the first heartbeat, and start the thread."""
        self._instance.add_run_tags(self._run.run_id, heartbeat_tags(self._run.run_id, self._timeout))
        self._thread.start()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _live(self) -> None:
        looks = 0
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            looks += 1
            if signals.is_interrupted():
                _cancel_spark_jobs()
            if looks * SECONDS_BETWEEN_LOOKS >= SECONDS_BETWEEN_BEATS:
                looks = 0
                for task in list(self._tasks):
                    self.call(task)

    def _beat(self) -> None:
        run = self._instance.get_run_by_id(self._run.run_id)
        if run is None or run.is_finished:
            status = run.status.value if run else "deleted"
            raise RunLostError(messages.RUN_ENDED_ELSEWHERE(run=self._run.run_id, status=status))
        self._instance.add_run_tags(self._run.run_id, {HEARTBEAT_TAG: datetime.now(UTC).isoformat()})

    def lose(self, reason: CodedText) -> None:
        """Let the run fail at its end."""
        self.lost = reason
        _LOG.error(reason)

    def _interrupt(self) -> None:
        main = threading.main_thread().ident
        if self._may_interrupt and main is not None:
            signal.pthread_kill(main, signal.SIGINT)  # Dagster ends the run, as after Ctrl-C


@contextmanager
def keep_heartbeat(instance: dg.DagsterInstance, run: dg.DagsterRun, timeout: timedelta) -> Iterator[Heartbeat]:
    """Keep the heartbeat of a run in the block.

    A SIGTERM or SIGHUP in the block interrupts the run. At the end of the block it is then marked as canceling, so that
    Dagster ends it as canceled instead of failed. A program that does not choose an exit code for that (`dagster job
    execute`) gets 143 or 129.

    Raises:
        KeyboardInterrupt: At the end of the block, if the run may not go on. Dagster ends the run then, whereas any
            other error of a resource that ends would only be logged.
    """
    with signals.watch_signals():
        heartbeat = Heartbeat(instance, run, timeout)
        heartbeat.start()
        try:
            yield heartbeat
        finally:
            heartbeat.end()
            if stopped_by := signals.stop_signal():
                _cancel(instance, run, stopped_by)
                signals.exit_with(signals.exit_code(stopped_by))
            elif heartbeat.lost:
                _interrupt_with(heartbeat.lost)


def _interrupt_with(reason: CodedText) -> NoReturn:
    raise KeyboardInterrupt(reason)


def _cancel(instance: dg.DagsterInstance, run: dg.DagsterRun, stopped_by: signal.Signals) -> None:
    current = instance.get_run_by_id(run.run_id)
    if current is not None and current.status == dg.DagsterRunStatus.STARTED:
        instance.report_run_canceling(current, str(messages.STOPPED_BY_SIGNAL(signal=stopped_by.name)))


def _cancel_spark_jobs() -> None:
    """Cancel the Spark jobs of this process, so that threads that wait for them end."""
    pyspark = sys.modules.get("pyspark")
    context = pyspark.SparkContext._active_spark_context if pyspark is not None else None
    if context is not None:
        try:
            context.cancelAllJobs()
        except Exception as error:  # the JVM may be ending too
            _LOG.debug("Spark jobs were not canceled: %s", error)
