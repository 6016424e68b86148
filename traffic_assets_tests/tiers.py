"""A pytest plugin that derives a test's tier from its fixtures, and fails a test that starts a process without one.

A tier is the cost of a test. `make check` runs `pure`, `make test-fast` runs `pure` and `spark`, `make test` runs all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import pytest

TIERS = {
    "pure": "starts no process, Spark session or HDFS",
    "spark": "uses the Spark session of the test process",
    "hdfs": "uses the shared HDFS",
    "cluster": "uses a Spark cluster, or an HDFS that it stops and restarts",
    "process": "starts processes of its own",
    "e2e": "runs the whole demo, or trains whole weeks of real data",
}
"""Meaning of each tier, from the cheapest to the most expensive."""

FIXTURES = {
    "spark": "spark",
    "hdfs": "hdfs",
    "storage[hdfs]": "hdfs",
    "breakable": "cluster",
    "spark_cluster": "cluster",
    "processes": "process",
    "demo": "e2e",
    "whole_weeks": "e2e",
}
"""The tier of a test that requests the fixture, directly or through another; of several, the most expensive."""

MAY_START = ("cluster", "process", "e2e")
"""Tiers whose tests may start processes; in the others only the fixtures of the table may, while they are set up."""

STARTS = (
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "traffic_assets_tests.fork_exec",
)
"""The audit events of everything that starts a process."""

JAVA = ("java", "spark-submit", "spark-class")


def tier(item: pytest.Item) -> str:
    """Return the tier of a test."""
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    names = [*getattr(item, "fixturenames", ()), *(f"{name}[{value}]" for name, value in params.items())]
    return max((FIXTURES[name] for name in names if name in FIXTURES), key=list(TIERS).index, default="pure")


class Guard:
    """Processes that the running test may not start, and those that it started anyway."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self.open = tier in MAY_START
        self.violations: list[str] = []

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise if the event starts a process that the test may not start."""
        if self.open:
            return
        started = _program(event, args)
        needed = "spark" if PurePath(started).name in JAVA else "processes"
        message = (
            f"A test of tier {self.tier} starts a process ({started}, {event}). Expected only fixtures to start one. "
            f"Fix: request the fixture `{needed}`; the tiers of all fixtures are in traffic_assets_tests/tiers.py."
        )
        self.violations.append(message)
        pytest.fail(message)

    def check(self) -> None:
        """Raise if the test started a process, even if the code under test caught the first failure."""
        if self.violations:
            message = self.violations[0]
            self.violations.clear()
            pytest.fail(message)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let a fixture start processes."""
        before, self.open = self.open, True
        try:
            yield
        finally:
            self.open = before


_guards: list[Guard] = []
"""The guard of the running test, last; before it the guards of tests that run it in an inner session."""


def _program(event: str, args: tuple[Any, ...]) -> str:
    first = args[0] if args else ""
    if event == "os.spawn":  # mode, path, args, env
        first = args[1]
    if event == "subprocess.Popen" and not first:  # executable, args, cwd, env
        first = args[1]
    if isinstance(first, list | tuple):
        first = first[0] if first else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first or "a copy of itself")


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in STARTS:
        for guard in reversed(_guards):
            guard.audit(event, args)


def _audit_fork_exec() -> None:
    """Raise an audit event for `fork_exec` too: multiprocessing calls it without one."""
    import _posixsubprocess

    original = _posixsubprocess.fork_exec

    def fork_exec(args: Any, *more: Any) -> int:
        sys.audit("traffic_assets_tests.fork_exec", args)
        return original(args, *more)

    _posixsubprocess.fork_exec = fork_exec


# an audit hook cannot be removed, so it is added once, with the module
sys.addaudithook(_audit)
_audit_fork_exec()


def pytest_configure(config: pytest.Config) -> None:
    """Register the tiers as marks."""
    for name, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}; set by the fixtures of the test")


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with its tier."""
    by_hand = [mark.name for mark in item.iter_markers() if mark.name in TIERS]
    if by_hand:
        raise pytest.UsageError(
            f"{item.nodeid} sets the mark of a tier by hand ({by_hand[0]}). Expected it to follow from the fixtures. "
            "Fix: remove the mark, and request the fixture that the test needs."
        )
    item.add_marker(tier(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Guard a test, with the setup and teardown of its fixtures."""
    _guards.append(Guard(tier(item)))
    try:
        return (yield)
    finally:
        _guards.pop()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Open the guard while a fixture of the table is set up."""
    name = fixturedef.argname
    if not _guards or name not in FIXTURES:
        return (yield)
    guard = _guards[-1]
    if list(TIERS).index(FIXTURES[name]) > list(TIERS).index(guard.tier):
        pytest.fail(
            f"A test of tier {guard.tier} requests the fixture `{name}` while it runs. Expected it among the "
            f"parameters, from which the tier follows. Fix: name `{name}` as a parameter of the test."
        )
    with guard.opened():
        return (yield)


def _checked() -> Iterator[None]:
    guard = _guards[-1]
    try:
        result = yield
    except BaseException:
        guard.violations.clear()  # the test fails already
        raise
    guard.check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Fail a test whose fixtures started a process, even if it went unnoticed."""
    return (yield from _checked())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test that started a process, even if it went unnoticed."""
    return (yield from _checked())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Fail a test that started a process while it ended."""
    return (yield from _checked())
