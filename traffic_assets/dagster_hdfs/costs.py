"""Cost of a step: wall and CPU time, peak memory, and bytes that Spark shuffled and spilled.

A `Meter` starts when an asset begins and is read when its output is published, because Spark works only then. It reads
counters that the system and Spark keep already. Counters that do not exist (no session, peak memory outside Linux)
are left out.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import dagster as dg

from traffic_assets.dagster_hdfs.applications import active_session

if TYPE_CHECKING:
    import psutil

P = ParamSpec("P")
R = TypeVar("R")
_METERS: dict[tuple[str, str], "Meter"] = {}


@dataclass(frozen=True)
class Cost:
    """Resources used between a meter's start and its reading.

    Attributes:
        wall_seconds: Wall time.
        cpu_seconds: CPU time of this process, its Spark driver, the Python workers that this one started and, on a
            cluster, the executors' tasks.
        peak_memory_mb: Peak resident memory of these processes, summed; None outside Linux.
        shuffle_bytes: Bytes written for shuffles by the stages that Spark still knows (`spark.ui.retainedStages`).
        spill_bytes: Bytes that the same stages wrote to disk because they did not fit into memory.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float | None
    shuffle_bytes: int
    spill_bytes: int

    def metadata(self, rows: int | None = None, partitions: int = 1) -> dict[str, Any]:
        """Return the metadata of an asset.

        Args:
            rows: Number of rows of the output, or of rows that the step processed; None if there are none.
            partitions: Number of partitions that the step wrote; the cost is their total.
        """
        metadata: dict[str, Any] = {
            "cost_wall_seconds": round(self.wall_seconds, 3),
            "cost_cpu_seconds": round(self.cpu_seconds, 3),
            "cost_shuffle_bytes": self.shuffle_bytes,
            "cost_spill_bytes": self.spill_bytes,
        }
        if self.peak_memory_mb is not None:
            metadata["cost_peak_memory_mb"] = round(self.peak_memory_mb, 1)
        if partitions > 1:
            metadata["cost_of_partitions"] = partitions
        if rows is not None and self.wall_seconds > 0:
            metadata["cost_rows_per_second"] = round(rows / self.wall_seconds, 1)
        return metadata


class Meter:
    """Meter of the cost since its creation."""

    def __init__(self) -> None:
        for process in (family := _processes()):
            _forget_peak(process.pid)
        self._started = time.monotonic()
        self._cpu = _cpu_seconds(family)
        self._stage = _newest_stage()

    def read(self) -> Cost:
        """Return the cost so far."""
        family = _processes()  # a process that was started in between counts from its start
        cpu = max(_cpu_seconds(family) - self._cpu, 0.0)
        peaks = [peak for process in family if (peak := _peak_mb(process.pid)) is not None]
        shuffled, spilled, tasks = _spent_since(self._stage)
        return Cost(
            wall_seconds=time.monotonic() - self._started,
            cpu_seconds=cpu if _is_local() else cpu + tasks,
            peak_memory_mb=sum(peaks) if peaks else None,
            shuffle_bytes=shuffled,
            spill_bytes=spilled,
        )


def measure_cost(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function whose first argument is `context`: its IO manager records the cost."""

    @functools.wraps(compute)
    def run_with_meter(*args: P.args, **kwargs: P.kwargs) -> R:
        context: Any = kwargs.get("context", args[0] if args else None)
        if key := _key(context):
            _METERS[key] = Meter()
        return compute(*args, **kwargs)

    return run_with_meter


def cost_of_output(context: dg.OutputContext) -> Cost | None:
    """Return the cost of an output's step; None if its asset lacks `measure_cost`."""
    meter = _METERS.pop((context.run_id, context.op_def.name), None)
    return meter.read() if meter else None


def _key(context: dg.AssetExecutionContext) -> tuple[str, str] | None:
    try:
        return context.run.run_id, context.op_execution_context.op_def.name
    except dg.DagsterError:  # the asset was called as a function, without an IO manager
        return None


def _is_local() -> bool:
    session = active_session()
    return session is None or session.sparkContext.master.startswith("local")


def _processes() -> "list[psutil.Process]":
    """Return this process, its Spark driver, and the Python workers that the driver started."""
    import psutil

    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def _cpu_seconds(family: "list[psutil.Process]") -> float:
    """Return the CPU time of all processes; a child that has ended counts with its parent."""
    import psutil

    total = 0.0
    for process in family:
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system + getattr(spent, "children_user", 0) + getattr(spent, "children_system", 0)
    return total


def _newest_stage() -> int:
    """Return the id of Spark's newest stage; -1 if there is none."""
    stages = known_stages()
    return stages.apply(0).stageId() if stages is not None and stages.size() else -1


def _spent_since(stage: int) -> tuple[int, int, float]:
    """Return bytes shuffled, bytes spilled and CPU seconds of the tasks of all newer stages that Spark still knows."""
    shuffled, spilled, cpu = 0, 0, 0.0
    stages = known_stages()
    for number in range(stages.size() if stages is not None else 0):
        data = stages.apply(number)
        if data.stageId() <= stage:
            break
        shuffled += data.shuffleWriteBytes()
        spilled += data.diskBytesSpilled()
        cpu += data.executorCpuTime() / 1e9
    return shuffled, spilled, cpu


def known_stages() -> Any:
    """Return Spark's record of its stages, the newest first; Spark keeps it even without its web UI."""
    session = active_session()
    if session is None:
        return None
    gateway = session.sparkContext._gateway
    no_quantiles = gateway.new_array(gateway.jvm.double, 0)
    return session.sparkContext._jsc.sc().statusStore().stageList(None, False, False, no_quantiles, None)


def _peak_mb(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) / 1024 if line else None


def _forget_peak(pid: int) -> None:
    """Reset the peak that Linux counts; without permission it remains the peak since the process started."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return
