"""Parallel runs: what must stay together runs in one worker."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

MODULE = """
import os
import pytest

@pytest.fixture(scope="session")
def spark():
    return os.getpid()

@pytest.fixture(scope="session")
def with_features(spark):
    return spark

@pytest.fixture(scope="session")
def trained(with_features):
    return with_features

def _write(name, process):
    with open(f"{name}.txt", "w") as file:
        file.write(str(process))
"""


def _write_module(pytester: pytest.Pytester, name: str, tests: str) -> None:
    pytester.makepyfile(**{name: MODULE + tests})


@pytest.mark.usefixtures("processes")
def test_tests_of_a_module_and_those_of_the_trained_week_share_a_worker(pytester: pytest.Pytester) -> None:
    for name in "abcd":
        shared = f"def test_{name}(trained): _write('trained_{name}', trained)\n"
        own = "".join(f"def test_{name}{i}(spark): _write('own_{name}{i}', spark)\n" for i in range(3))
        _write_module(pytester, f"test_{name}", shared + own)
    result = pytester.runpytest_subprocess(
        *("-p", "traffic_assets_tests.tiers", "-p", "traffic_assets_tests.workers"),
        *("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder"),
    )
    result.assert_outcomes(passed=16)
    processes = {path.stem: path.read_text() for path in Path(pytester.path).glob("*.txt")}
    assert len({process for name, process in processes.items() if name.startswith("trained")}) == 1
    for name in "abcd":
        assert len({processes[f"own_{name}{i}"] for i in range(3)}) == 1
    assert len(set(processes.values())) == 2


@pytest.mark.usefixtures("processes")
def test_pure_tests_come_first_and_the_trained_week_next(pytester: pytest.Pytester) -> None:
    _write_module(pytester, "test_a", "def test_own(spark): pass\ndef test_week(trained): pass\ndef test_pure(): pass")
    result = pytester.runpytest_subprocess(
        "-v", "-p", "traffic_assets_tests.tiers", "-p", "traffic_assets_tests.workers"
    )
    order = [line.split("::")[1].split()[0] for line in result.outlines if " PASSED " in line]
    assert order == ["test_pure", "test_week", "test_own"]
