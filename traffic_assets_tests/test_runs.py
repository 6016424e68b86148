"""Runs in this process: what they tell of a failure."""

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs import retries
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.retries import retries_connection_errors
from traffic_assets_tests.runs import QUIET, failures


@pytest.mark.parametrize("retryable", [True, False])
def test_the_explanation_is_told_and_not_the_trace_that_it_explains(
    retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the step was tried again until Dagster gave up."""
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
    assert "Nothing usable answers at this address" in failures(result)["thing"]
    assert "java.net" not in failures(result)["thing"]


def test_an_error_without_explanation_is_told_by_its_innermost_cause() -> None:
    @dg.asset
    def thing() -> None:
        try:
            raise KeyError("speed")
        except KeyError as error:
            raise RuntimeError("it did not work") from error

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([thing], instance=instance, raise_on_error=False, run_config=QUIET)
    assert "KeyError" in failures(result)["thing"]
