"""Retries of steps, only if storage does not answer."""

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs import retries
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.retries import RETRIES, retried_connection_errors, retries_connection_errors

SILENT = StorageError("the NameNode does not answer", "unreachable", retryable=True)
FULL = StorageError("the quota is used up", "space_quota")


def test_connection_errors_request_a_retry_and_others_do_not() -> None:
    with pytest.raises(dg.RetryRequested) as requested, retried_connection_errors("hdfs://nowhere:1/x"):
        raise SILENT
    assert requested.value.max_retries == RETRIES
    assert requested.value.__cause__ is SILENT
    with pytest.raises(StorageError) as caught, retried_connection_errors("hdfs://nowhere:1/x"):
        raise FULL
    assert caught.value is FULL
    with pytest.raises(ZeroDivisionError), retried_connection_errors("hdfs://nowhere:1/x"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("errors", "tries", "success"),
    [
        ([SILENT], 2, True),
        ([SILENT] * (RETRIES + 1), RETRIES + 1, False),
        ([FULL], 1, False),
        ([dg.Failure("gate")], 1, False),
    ],
)
def test_an_asset_is_retried_as_often_as_configured(
    errors: list[Exception], tries: int, success: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "SECONDS_BETWEEN", 0.0)
    left, begun = list(errors), []

    @dg.asset
    @retries_connection_errors
    def thing(context: dg.AssetExecutionContext) -> None:
        begun.append(context.retry_number)
        if left:
            raise left.pop(0)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [thing],
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    assert result.success is success
    assert begun == list(range(tries))
