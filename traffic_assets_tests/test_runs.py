"""Runs in this process: the problems that they report."""

from pathlib import Path

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs import retries
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.message import Message, code_metadata
from traffic_assets.dagster_hdfs.retries import retries_connection_errors
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets.runs import list_problems, run_features, run_train
from traffic_assets_tests.codes import get_code
from traffic_assets_tests.runs import QUIET, failures
from traffic_assets_tests.tiny import tiny_settings

NO_SPEED = Message(code="readings.no-speed", problem="{rows} rows have no speed", example={"rows": 3})


@pytest.mark.parametrize("retryable", [True, False])
def test_a_problem_is_the_explanation_without_the_trace(retryable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check also a step that was retried until Dagster gave up."""
    monkeypatch.setattr(retries, "SECONDS_BETWEEN", 0.0)

    @dg.asset
    @retries_connection_errors
    def thing() -> None:
        try:
            raise RuntimeError("java.net.ConnectException: Connection refused\n\tat sun.nio.ch...")
        except RuntimeError as error:
            raise StorageError("Nothing usable answers at this address", "x", retryable=retryable) from error

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([thing], instance=instance, raise_on_error=False, run_config=QUIET)
    assert failures(result)["thing"].startswith("Nothing usable answers at this address"), "without its class"
    assert "java.net" not in failures(result)["thing"]


def test_an_error_without_explanation_is_shown_by_its_innermost_cause() -> None:
    @dg.asset
    def thing() -> None:
        try:
            raise KeyError("speed")
        except KeyError as error:
            raise RuntimeError("it did not work") from error

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([thing], instance=instance, raise_on_error=False, run_config=QUIET)
    assert "KeyError" in failures(result)["thing"]


def test_a_problem_before_the_first_step_begins_with_the_code_of_its_message() -> None:
    @dg.resource
    def broken(_: dg.InitResourceContext) -> None:
        raise ValueError(NO_SPEED(rows=3))

    @dg.asset(required_resource_keys={"broken"})
    def thing() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [thing], instance=instance, resources={"broken": broken}, raise_on_error=False, run_config=QUIET
        )
    assert list_problems(result.all_events) == ["[readings.no-speed] 3 rows have no speed."]


def test_a_problem_of_a_step_begins_with_the_code_of_its_message() -> None:
    @dg.asset
    @storage_step
    def thing(context: dg.AssetExecutionContext) -> None:
        raise ValueError(NO_SPEED(rows=3))

    @dg.asset
    def plain() -> None:
        raise ValueError(NO_SPEED(rows=4))

    @dg.asset
    def other() -> None: ...

    @dg.asset_check(asset=other)
    def speeds() -> dg.AssetCheckResult:
        text = NO_SPEED(rows=5)
        return dg.AssetCheckResult(passed=False, description=text, metadata=code_metadata(text))

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [thing, plain, other, speeds], instance=instance, raise_on_error=False, run_config=QUIET
        )
    assert sorted(list_problems(result.all_events)) == [
        "[readings.no-speed] other: warning speeds: 5 rows have no speed.",
        "[readings.no-speed] plain: 4 rows have no speed.",
        "[readings.no-speed] thing: 3 rows have no speed.",
    ]


@pytest.mark.parametrize(("week", "code"), [("12.01.2026", "runs.not-a-date"), ("2026-01-13", "runs.not-a-monday")])
def test_a_week_that_is_not_valid_is_refused_before_a_run_is_created(tmp_path: Path, week: str, code: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(ValueError) as caught:
            run_train(tiny_settings(tmp_path), week, instance, print)
        assert get_code(caught.value) == code
        assert instance.get_runs_count() == 0


def test_a_day_that_is_not_valid_is_refused_before_a_run_is_created(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(ValueError) as caught:
            run_features(tiny_settings(tmp_path), ["1999-01-01"], instance, print)
        assert get_code(caught.value) == "runs.outside-data"
        assert instance.get_runs_count() == 0
