"""Leases: one holder at a time, whatever dies, sleeps or meets."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.uris import split
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.lease import Holder, Lease, LeaseError, LeaseHeldError
from traffic_assets.liveness.process import Process, this_process
from traffic_assets_tests.codes import get_code

TIMEOUT = timedelta(minutes=10)
TASK = "train-2026-01-05"
ELSEWHERE = Process("elsewhere", 4711, "boot", "pid:[1]", 1)
"""A process that cannot be seen from here."""


@pytest.fixture
def local(tmp_path: Path) -> tuple[FileSystem, str]:
    return LocalFileSystem(), f"file://{tmp_path}"


def take(where: tuple[FileSystem, str], run: str) -> Lease:
    return leases.take(*where, TASK, run, TIMEOUT)


def ended(process: Process) -> Process:
    """Return a process of this host that does not exist: this one, as if it had started earlier."""
    assert process.start is not None
    return replace(process, start=process.start - 1)


def leave(where: tuple[FileSystem, str], process: Process, number: int = 1) -> str:
    """Write a lease as a run of another process would, and return its URI."""
    filesystem, base = where
    uri = f"{base}/{leases.FOLDER}/{TASK}/{number}.json"
    assert filesystem.create_exclusive(uri, Holder("before", process, datetime.now(UTC)).to_json())
    return uri


def age(uri: str, by: timedelta) -> None:
    path = Path(uri.removeprefix("file://"))
    at = path.stat().st_mtime - by.total_seconds()
    os.utime(path, (at, at))


def test_a_second_run_is_refused_and_learns_who_holds_the_lease(storage: tuple[FileSystem, str]) -> None:
    first = take(storage, "first")
    with pytest.raises(LeaseHeldError) as raised:
        take(storage, "second")
    assert raised.value.holder == first.holder
    assert get_code(raised.value) == "runs.lease-held"
    for known in ("first", this_process().host, str(os.getpid()), "started 2"):
        assert known in str(raised.value)


def test_a_released_lease_is_free_and_only_one_file_remains(storage: tuple[FileSystem, str]) -> None:
    for run in ("first", "second", "third"):
        held = take(storage, run).renew()
        assert leases.find_holder(*storage, TASK, TIMEOUT) == held.holder
        held.release()
        assert leases.find_holder(*storage, TASK, TIMEOUT) is None
    folder = split(held.uri)[0]
    assert [entry.name for entry in storage[0].list(folder)] == ["3.json"]


def test_leases_of_other_tasks_are_independent(local: tuple[FileSystem, str]) -> None:
    take(local, "first")
    leases.take(*local, "train-2026-01-12", "second", TIMEOUT)


def test_a_lease_whose_process_ended_is_taken_over_at_once(local: tuple[FileSystem, str]) -> None:
    leave(local, ended(this_process()))
    assert take(local, "second").holder.run_id == "second"


def test_a_silent_holder_elsewhere_is_taken_over_after_the_timeout_by_the_clock_of_the_storage(
    local: tuple[FileSystem, str],
) -> None:
    uri = leave(local, ELSEWHERE)
    for by in (timedelta(0), timedelta(minutes=5)):
        age(uri, by)
        with pytest.raises(LeaseHeldError):
            take(local, "second")
    age(uri, timedelta(minutes=5))
    lease = take(local, "second")
    assert [entry.name for entry in local[0].list(split(lease.uri)[0])] == ["2.json"], "no probe of the clock is left"


@pytest.mark.parametrize(("own", "outcome"), [(1, "second"), (30, "before")])
def test_the_timeout_of_the_holder_counts_whatever_that_of_the_taker_is(
    local: tuple[FileSystem, str], own: int, outcome: str
) -> None:
    uri = leave(local, ELSEWHERE)
    holder = Holder("before", ELSEWHERE, datetime.now(UTC), timeout=timedelta(minutes=own))
    local[0].write_bytes(uri, holder.to_json())
    age(uri, timedelta(minutes=5 if own < 5 else 20))
    try:
        held_by = take(local, "second").holder
    except LeaseHeldError as error:
        held_by = error.holder
    assert held_by.run_id == outcome


def test_a_holder_elsewhere_stays_as_long_as_its_heartbeat_is_renewed(local: tuple[FileSystem, str]) -> None:
    uri = leave(local, ELSEWHERE)
    age(uri, timedelta(minutes=30))
    written = Holder("before", ELSEWHERE, datetime.now(UTC) - timedelta(days=1))
    Lease(local[0], uri, written).renew()
    with pytest.raises(LeaseHeldError):
        take(local, "second")


def test_of_many_runs_that_take_over_one_dead_lease_exactly_one_succeeds(local: tuple[FileSystem, str]) -> None:
    runs, rounds = 8, 20
    for number in range(rounds):
        folder = f"{local[1]}/{number}"
        leave((local[0], folder), ended(this_process()))
        start = threading.Barrier(runs)

        def attempt(run: str, folder: str = folder, start: threading.Barrier = start) -> str:
            start.wait()
            try:
                return take((local[0], folder), run).holder.run_id
            except LeaseHeldError as error:
                return f"refused by {error.holder.run_id}"

        with ThreadPoolExecutor(runs) as pool:
            outcomes = list(pool.map(attempt, [f"run-{i}" for i in range(runs)]))
        (winner,) = [outcome for outcome in outcomes if not outcome.startswith("refused")]
        assert outcomes.count(f"refused by {winner}") == runs - 1


class Hesitating(LocalFileSystem):
    """A file system on which the first exclusive create waits for others, after the folder was read."""

    def __init__(self, meanwhile: Callable[[], Any]) -> None:
        self.meanwhile: Callable[[], Any] | None = meanwhile

    def create_exclusive(self, uri: str, data: bytes) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().create_exclusive(uri, data)


def test_a_slow_taker_never_holds_a_number_that_others_took_released_and_pruned(local: tuple[FileSystem, str]) -> None:
    leave(local, ended(this_process()))

    def others() -> None:
        take(local, "fast").release()
        take(local, "faster").release()
        take(local, "fastest")

    with pytest.raises(LeaseHeldError) as raised:
        take((Hesitating(others), local[1]), "slow")
    assert raised.value.holder.run_id == "fastest"
    holder = leases.find_holder(*local, TASK, TIMEOUT)
    assert holder is not None
    assert holder.run_id == "fastest"


def test_a_holder_that_wakes_up_notices_that_its_lease_was_taken_over(local: tuple[FileSystem, str]) -> None:
    slept = Lease(local[0], leave(local, ELSEWHERE), Holder("before", ELSEWHERE, datetime.now(UTC)))
    age(slept.uri, timedelta(hours=1))
    second = take(local, "second")
    with pytest.raises(LeaseError) as raised:
        slept.renew()
    assert get_code(raised.value) == "runs.lease-lost"
    with pytest.raises(LeaseError):
        slept.release()
    holder = leases.find_holder(*local, TASK, TIMEOUT)
    assert holder == second.holder, "its release does not free the lease of the other run"


def test_what_a_killed_holder_wrote_aside_is_removed(local: tuple[FileSystem, str]) -> None:
    folder = split(leave(local, ended(this_process())))[0]
    local[0].write_new(f"{folder}/.1.json.0123456789abcdef.aside", b"half")
    take(local, "second")
    assert local[0].list_aside(folder) == []


def test_a_probe_of_the_clock_that_a_killed_run_left_is_removed(local: tuple[FileSystem, str]) -> None:
    folder = split(leave(local, ended(this_process())))[0]
    local[0].write_new(f"{folder}/now-0123456789abcdef", b"")
    take(local, "second")
    assert [entry.name for entry in local[0].list(folder)] == ["2.json"]


class Probing(LocalFileSystem):
    """A file system on which another run takes the lease right after the first probe of the clock was written."""

    def __init__(self, meanwhile: Callable[[], Any]) -> None:
        self.meanwhile: Callable[[], Any] | None = meanwhile

    def write_new(self, uri: str, data: bytes) -> None:
        super().write_new(uri, data)
        if self.meanwhile and "/now-" in uri:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()


def test_a_run_whose_probe_another_run_removed_learns_who_took_the_lease(local: tuple[FileSystem, str]) -> None:
    uri = leave(local, ELSEWHERE)
    age(uri, timedelta(hours=1))
    with pytest.raises(LeaseHeldError) as raised:
        take((Probing(lambda: take(local, "fast")), local[1]), "slow")
    assert raised.value.holder.run_id == "fast"


@pytest.mark.parametrize("content", [b"", b"{}", json.dumps({"run_id": "x", "process": {}}).encode()])
def test_a_damaged_lease_is_named(local: tuple[FileSystem, str], content: bytes) -> None:
    uri = leave(local, this_process())
    local[0].write_bytes(uri, content)
    with pytest.raises(LeaseError) as raised:
        take(local, "second")
    assert get_code(raised.value) == "runs.damaged-lease"
    assert uri in str(raised.value)


@pytest.mark.parametrize("task", ["../outside", "", "a/b"])
def test_a_task_that_is_no_path_segment_is_refused(local: tuple[FileSystem, str], task: str) -> None:
    with pytest.raises(ValueError, match="path segment"):
        leases.take(*local, task, "run", TIMEOUT)
