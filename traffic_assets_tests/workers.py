"""A pytest plugin for parallel runs: which tests share a worker, and in what order the workers take them.

A worker of pytest-xdist is a process with servers of its own (Spark, HDFS, a cluster), each started when its first test
requests it. Tests of a module share a worker, and so do all tests that read the trained week, which takes long to make.
"""

from __future__ import annotations

import os

import pytest

from traffic_assets_tests.tiers import tier

# a worker inherits the terminal's size from readline, and a console that is made on import would keep it
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

EXPENSIVE = {"with_features": "deployment"}
"""Group of the tests that request a fixture of the session which only one worker should make."""


def group(item: pytest.Item) -> str | None:
    """Return the group of a test, whose tests run in one worker, one after the other; None for a pure test."""
    if tier(item) == "pure":
        return None
    names = getattr(item, "fixturenames", ())
    module = item.nodeid.partition("::")[0].removeprefix("traffic_assets_tests/").removesuffix(".py")
    return next((EXPENSIVE[name] for name in EXPENSIVE if name in names), module)


@pytest.hookimpl(trylast=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with its group."""
    if name := group(item):
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests so that a long group does not begin last.

    Pure tests come first: then no JVM of another test can serve them unnoticed.
    """
    items.sort(key=lambda item: (tier(item) != "pure", group(item) not in EXPENSIVE.values()))
