"""The plugin that derives tiers from fixtures, in a pytest session inside this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traffic_assets_tests import conftest, tiers

pytest_plugins = ["pytester"]

FIXTURES = """
import subprocess
import pytest

@pytest.fixture(scope="session")
def spark():
    subprocess.run(["true"], check=True)
    return "session"

@pytest.fixture(scope="session")
def hdfs():
    return "namenode"

@pytest.fixture(scope="session")
def processes():
    return subprocess

@pytest.fixture(params=["local", "hdfs"])
def storage(request):
    return request.getfixturevalue("hdfs") if request.param == "hdfs" else "folder"

@pytest.fixture
def trained(spark):
    return "model"

@pytest.fixture
def deployed(hdfs, processes):
    return "deployment"
"""

STARTS = {
    "subprocess": "subprocess.run([sys.executable, '-c', ''])",
    "system": "os.system('true')",
    "fork": "os.fork() or os._exit(0)",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "spawn": "os.spawnv(os.P_WAIT, '/bin/true', ['true'])",
    "multiprocessing fork": "multiprocessing.get_context('fork').Process(target=int).start()",
    "multiprocessing spawn": "multiprocessing.get_context('spawn').Process(target=int).start()",
    "popen": "os.popen('true')",
}


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each inner session the import of every installed plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    """Run tests with the fixtures above; the plugin is loaded as the project's settings load it."""
    pytester.makeconftest(FIXTURES)
    pytester.makepyfile(f"import multiprocessing, os, subprocess, sys\nimport pytest\n\n{tests}")
    return pytester.runpytest_inprocess("-p", tiers.__name__, "-p", "no:cacheprovider", *arguments)


def selected(pytester: pytest.Pytester, tests: str, tier: str) -> set[str]:
    """Return the names of the tests that a tier selects."""
    result = run(pytester, tests, "--collect-only", "-q", "-m", tier)
    return {line.split("::")[1] for line in result.outlines if "::" in line}


@pytest.mark.parametrize("start", STARTS.values(), ids=list(STARTS))
def test_a_pure_test_that_starts_a_process_fails_with_the_fixture_to_request(
    pytester: pytest.Pytester, start: str
) -> None:
    result = run(pytester, f"def test_it():\n    {start}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*A test of tier pure starts a process*request the fixture `processes`*"])


def test_a_pure_test_that_starts_a_jvm_fails_with_the_fixture_to_request(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PYSPARK_")]:
        monkeypatch.delenv(name)
    result = run(
        pytester,
        "def test_it():\n    from pyspark.java_gateway import launch_gateway\n    launch_gateway(popen_kwargs={})",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*A test of tier pure starts a process*spark-submit*request the fixture `spark`*"])


def test_code_that_hides_the_failure_does_not_hide_the_process(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_it():
            try:
                subprocess.run(["true"])
            except BaseException:
                pass

        def test_next():
            pass
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(failed=1, passed=1)


def test_a_fixture_outside_the_table_starts_no_process_for_a_pure_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "@pytest.fixture\ndef version():\n    return subprocess.run(['true'])\n\ndef test_it(version):\n    pass",
    )
    result.assert_outcomes(errors=1)


@pytest.mark.usefixtures("processes")
def test_the_session_starts_in_its_fixture_and_the_test_starts_nothing_more(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "def test_first(spark):\n    subprocess.run(['true'])\n\ndef test_second(trained):\n    assert trained",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*A test of tier spark starts a process*request the fixture `processes`*"])


@pytest.mark.usefixtures("processes")
def test_with_the_fixture_a_test_starts_processes(pytester: pytest.Pytester) -> None:
    started = "subprocess.run(['true'], check=True)"
    result = run(
        pytester, f"def test_one(processes):\n    {started}\n\ndef test_other(spark, deployed):\n    {started}"
    )
    result.assert_outcomes(passed=2)


TESTS = """
def test_pure(tmp_path):
    pass

def test_spark(trained):
    pass

def test_process(deployed):
    pass

def test_storage(storage):
    pass

def test_both(spark, storage):
    pass
"""


@pytest.mark.parametrize(
    ("tier", "names"),
    [
        ("pure", {"test_pure", "test_storage[local]"}),
        ("spark", {"test_spark", "test_both[local]"}),
        ("hdfs", {"test_storage[hdfs]", "test_both[hdfs]"}),
        ("process", {"test_process"}),
    ],
)
def test_the_tier_is_that_of_the_most_expensive_fixture(pytester: pytest.Pytester, tier: str, names: set[str]) -> None:
    assert selected(pytester, TESTS, tier) == names


def test_a_fixture_that_is_requested_while_the_test_runs_must_be_a_parameter(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(request):\n    request.getfixturevalue('spark')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*name `spark` as a parameter of the test*"])


def test_a_mark_by_hand_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, "@pytest.mark.pure\ndef test_it(spark):\n    pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*sets the mark of a tier by hand (pure)*"])


def test_every_test_of_the_project_has_exactly_one_tier(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        assert len([mark for mark in item.iter_markers() if mark.name in tiers.TIERS]) == 1, item.nodeid


def test_the_table_names_fixtures_that_exist(request: pytest.FixtureRequest) -> None:
    """Check the names, because tests of a renamed fixture would silently become pure."""
    sources = "\n".join(path.read_text() for path in Path(conftest.__file__).parent.rglob("*.py"))
    for name in tiers.FIXTURES:
        assert f"def {name.partition('[')[0]}(" in sources, name
