"""The identity of a process, which no other process shares: not on another host, in another container or later.

A process id alone is reused, and every container counts its own. This module imports neither dagster nor pyspark.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_ENDED_STATES = ("Z", "X")
"""States of a process that has ended, and whose parent has not yet collected its exit code."""


@dataclass(frozen=True)
class Process:
    """A process on some host.

    Attributes:
        host: Name of the host.
        pid: Process id, in its PID namespace.
        boot: Boot id of the host; None if the operating system has none.
        namespace: PID namespace of the process; None if the operating system has none.
        start: Time when the process started, in clock ticks since the boot; None if unknown.
    """

    host: str
    pid: int
    boot: str | None = None
    namespace: str | None = None
    start: int | None = None

    def is_on(self, other: "Process") -> bool:
        """Return True if this process would be visible to the other: same host, boot and PID namespace."""
        place = (self.host, self.boot, self.namespace)
        return None not in (*place, self.start) and place == (other.host, other.boot, other.namespace)

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Process":
        """Return the process of `to_dict`; further values are ignored.

        Raises:
            KeyError: If the values lack host or process id.
        """
        return cls(values["host"], values["pid"], values.get("boot"), values.get("namespace"), values.get("start"))


def this_process() -> Process:
    """Return the identity of the calling process."""
    host, pid = socket.gethostname(), os.getpid()
    try:
        stat_pid, _, start = _read_stat("self")
        if stat_pid != pid:  # /proc shows another PID namespace
            return Process(host, pid)
        return Process(host, pid, _BOOT.read_text().strip(), str(_NAMESPACE.readlink()), start)
    except (OSError, ValueError):  # no Linux
        return Process(host, pid)


def has_ended(process: Process) -> bool | None:
    """Return whether a process no longer exists; None if it cannot be seen from here.

    A stopped process (SIGSTOP) exists. A process with the same id that started at another time is another one.
    """
    if not process.is_on(this_process()):
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it exists, and belongs to another user
        pass
    try:
        _, state, start = _read_stat(process.pid)
    except (OSError, ValueError):  # /proc hides the processes of other users
        return False
    return state in _ENDED_STATES or start != process.start


def _read_stat(pid: int | str) -> tuple[int, str, int]:
    """Return process id, state and start time from /proc; the name of the program may contain spaces and brackets."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return int(text.split(" ", 1)[0]), fields[0], int(fields[19])
