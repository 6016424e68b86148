"""Leases below the base URI: each admits one run to a task, across Dagster homes and hosts.

    {base URI}/_leases/<task>/<number>.json     created exclusively; only its holder rewrites it

The lease with the highest number is the current one. It is free if its holder released it, or is dead. Taking it means
creating the next number, which succeeds for exactly one of many runs. Nothing is renamed or removed that another run
could hold: a holder that wakes up after its lease was taken over rewrites only its own number, and notices the higher
one. The holder's heartbeat rewrites the file.

The age of a heartbeat is the difference of two modification times on this storage, so the clocks of the hosts do not
matter. On the same host, the holder is dead when its process no longer exists. This module does not import dagster.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.uris import join, redact, safe_name
from traffic_assets.liveness.process import Process, has_ended, this_process
from traffic_assets.messages import runs as messages

FOLDER = "_leases"
_SUFFIX = ".json"
_TIMEOUT = "timeout_minutes"
_PROBE = "now-"
"""Begin of the name of a file that shows the clock of the storage."""


class LeaseError(RuntimeError):
    """Error for a lease that cannot be taken, or was lost.

    Attributes:
        refusal: Message of the error.
    """

    refusal: CodedText

    def __init__(self, refusal: CodedText) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class LeaseHeldError(LeaseError):
    """Error for a lease that a live run holds.

    Attributes:
        holder: The run that holds it.
    """

    def __init__(self, refusal: CodedText, holder: "Holder") -> None:
        super().__init__(refusal)
        self.holder = holder


@dataclass(frozen=True)
class Holder:
    """The run that took a lease.

    Attributes:
        run_id: Id of the Dagster run.
        process: Process of the run.
        started: Time when the run took the lease, by the clock of its host.
        renewals: Number of heartbeats.
        released: True if the run ended.
        timeout: Age of the last heartbeat after which the run is dead, if it cannot be seen; None for a run of an
            earlier version.
    """

    run_id: str
    process: Process
    started: datetime
    renewals: int = 0
    released: bool = False
    timeout: timedelta | None = None

    def to_json(self) -> bytes:
        """Return the content of the lease file."""
        values: dict[str, Any] = {
            "run_id": self.run_id,
            "process": self.process.to_dict(),
            "started": self.started.isoformat(timespec="seconds"),
            "renewals": self.renewals,
            "released": self.released,
        }
        if self.timeout is not None:
            values[_TIMEOUT] = self.timeout / timedelta(minutes=1)
        return json.dumps(values, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes, uri: str) -> "Holder":
        """Return the holder from the content of a lease file.

        Raises:
            LeaseError: If the file is damaged.
        """
        try:
            values: Mapping[str, Any] = json.loads(data)
            return cls(
                values["run_id"],
                Process.from_dict(values["process"]),
                datetime.fromisoformat(values["started"]),
                values["renewals"],
                values["released"],
                timedelta(minutes=values[_TIMEOUT]) if _TIMEOUT in values else None,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LeaseError(messages.DAMAGED_LEASE(lease=redact(uri), cause=repr(error))) from error


@dataclass(frozen=True)
class Lease:
    """A lease that this process holds.

    Attributes:
        filesystem: File system of the lease.
        uri: URI of the lease file.
        holder: This run, as of its last heartbeat.
    """

    filesystem: FileSystem
    uri: str
    holder: Holder

    def renew(self) -> "Lease":
        """Rewrite the lease, as a sign of life, and return it.

        Raises:
            LeaseError: If another run took the lease over.
        """
        self._require_held()
        renewed = replace(self, holder=replace(self.holder, renewals=self.holder.renewals + 1))
        self.filesystem.write_bytes(self.uri, renewed.holder.to_json())
        return renewed

    def release(self) -> None:
        """Free the lease for the next run.

        Raises:
            LeaseError: If another run took the lease over.
        """
        self._require_held()
        self.filesystem.write_bytes(self.uri, replace(self.holder, released=True).to_json())

    def _require_held(self) -> None:
        folder, _, name = self.uri.rpartition("/")
        newest = _newest(self.filesystem, folder)
        if newest is not None and _number(newest.name) > _number(name):
            raise LeaseError(messages.LEASE_LOST(lease=redact(self.uri)))


def take(filesystem: FileSystem, base_uri: str, task: str, run_id: str, timeout: timedelta) -> Lease:
    """Take the lease of a task.

    Args:
        filesystem: File system of the base URI.
        base_uri: Folder or URI with all stored assets.
        task: Name of the task, such as `train-2026-01-05`.
        run_id: Id of the run that takes the lease.
        timeout: Age of the last heartbeat after which this run is dead where it cannot be seen. It also counts for a
            holder that recorded none.

    Raises:
        LeaseHeldError: If a live run holds the lease.
        LeaseError: If the lease file is damaged.
        ValueError: If the task or the run id is not a valid path segment.
        StorageError: If storage refuses.
    """
    folder = join(_root(base_uri), task)
    started = datetime.now(UTC).replace(microsecond=0)
    holder = Holder(safe_name(run_id, "run id"), this_process(), started, timeout=timeout)
    while True:
        newest = _newest(filesystem, folder)
        if newest is not None and (current := _live_holder(filesystem, newest, timeout)) is not None:
            raise LeaseHeldError(messages.LEASE_HELD(task=task, **describe(current)), current)
        number = _number(newest.name) + 1 if newest else 1
        lease = Lease(filesystem, join(folder, f"{number}{_SUFFIX}"), holder)
        try:
            if not filesystem.create_exclusive(lease.uri, holder.to_json()):
                continue  # another run was faster
        except FileNotFoundError:  # another run was faster, and pruned what this one wrote aside
            continue
        newest = _newest(filesystem, folder)
        if newest is not None and _number(newest.name) > number:  # this number had been taken, released and pruned
            filesystem.discard(lease.uri)
            continue
        _prune(filesystem, folder, number)
        return lease


def find_holder(filesystem: FileSystem, base_uri: str, task: str, timeout: timedelta) -> Holder | None:
    """Return the live run that holds the lease of a task; None if it is free.

    The arguments and errors are those of `take`.
    """
    newest = _newest(filesystem, join(_root(base_uri), task))
    return _live_holder(filesystem, newest, timeout) if newest else None


def train_task(week: str) -> str:
    """Return the name of the lease that admits one training of a week.

    >>> train_task("2026-01-05")
    'train-2026-01-05'
    """
    return f"train-{week}"


def describe(holder: Holder) -> dict[str, Any]:
    """Return run, host, process id and start of a holder, for a message."""
    return {
        "run": holder.run_id,
        "host": holder.process.host,
        "pid": holder.process.pid,
        "start": holder.started.isoformat(sep=" ", timespec="seconds"),
    }


def _root(base_uri: str) -> str:
    return f"{base_uri.rstrip('/')}/{FOLDER}"


def _live_holder(filesystem: FileSystem, newest: FileStatus, timeout: timedelta) -> Holder | None:
    """Return the holder of the newest lease; None if it released the lease, or is dead."""
    try:
        holder = Holder.from_json(filesystem.read_bytes(newest.uri), newest.uri)
    except FileNotFoundError:  # a newer lease has replaced it since the folder was listed
        return None
    if holder.released or (ended := has_ended(holder.process)):
        return None
    if ended is None and ((age := _age(filesystem, newest)) is None or age > (holder.timeout or timeout)):
        return None
    return holder


def _age(filesystem: FileSystem, file: FileStatus) -> timedelta | None:
    """Return the age of a file by the clock of its storage, which a new file shows.

    None if another run took the lease meanwhile, and pruned the new file.
    """
    folder = file.uri.rpartition("/")[0]
    name = f"{_PROBE}{secrets.token_hex(8)}"
    uri = join(folder, name)
    filesystem.write_new(uri, b"")
    try:
        entries = {entry.name: entry for entry in filesystem.list(folder)}
        if name not in entries:
            return None
        # the holder may have renewed the lease since
        return entries[name].modified - entries.get(file.name, file).modified
    finally:
        filesystem.discard(uri)


def _newest(filesystem: FileSystem, folder: str) -> FileStatus | None:
    return max(_leases(filesystem, folder), key=lambda entry: _number(entry.name), default=None)


def _leases(filesystem: FileSystem, folder: str) -> list[FileStatus]:
    try:
        entries = filesystem.list(folder)
    except FileNotFoundError:
        return []
    return [entry for entry in entries if _number(entry.name)]


def _number(name: str) -> int:
    """Return the number of a lease file; 0 for any other file."""
    number, _, suffix = name.partition(".")
    return int(number) if f".{suffix}" == _SUFFIX and number.isascii() and number.isdigit() else 0


def _prune(filesystem: FileSystem, folder: str, number: int) -> None:
    """Remove the leases before a number, and what killed runs left beside them."""
    for entry in filesystem.list(folder):
        if 0 < _number(entry.name) < number or entry.name.startswith(_PROBE):
            filesystem.discard(entry.uri)
    for entry in filesystem.list_aside(folder):
        older = entry.name.lstrip(".").partition(".")[0]
        if older.isascii() and older.isdigit() and int(older) < number:
            filesystem.discard(entry.uri)
