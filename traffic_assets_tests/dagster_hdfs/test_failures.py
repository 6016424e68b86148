"""Failures that have the code and the values of the message that they were raised with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs import retries
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.failures import VALUES, coded_failures, failure_metadata
from traffic_assets.dagster_hdfs.message import CODE, Message
from traffic_assets.dagster_hdfs.steps import storage_step
from traffic_assets_tests.runs import QUIET

NO_SPEED = Message(code="readings.no-speed", problem="{rows} rows of {file} have no speed", fix="correct them")
TEXT = NO_SPEED(rows=3, file=Path("/data/a.csv"))


def get_failure(raises: Callable[[], object]) -> tuple[dict[str, Any], str]:
    """Return the metadata of the failure of an asset that raises, and its message."""

    @dg.asset
    @storage_step
    def thing(context: dg.AssetExecutionContext) -> None:
        raises()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([thing], instance=instance, raise_on_error=False, run_config=QUIET)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    metadata = {name: value.value for name, value in failure.metadata.items()} if failure else {}
    return metadata, str(event.step_failure_data.error)


def test_an_error_with_a_code_becomes_a_failure_with_code_and_values() -> None:
    def raises() -> None:
        raise ValueError(TEXT)

    metadata, message = get_failure(raises)
    assert metadata[CODE] == "readings.no-speed"
    assert metadata[VALUES] == {"rows": 3, "file": "/data/a.csv"}
    assert "3 rows of /data/a.csv have no speed. Fix: correct them." in message


def test_a_failure_keeps_the_first_of_many_values_and_counts_the_rest() -> None:
    metadata = failure_metadata(NO_SPEED(rows=list(range(500)), file={f"{n}.csv": "cut off" for n in range(500)}))
    values = metadata[VALUES].value
    assert values["rows"][:2] == [0, 1]
    assert values["rows"][-1] == "and more: 400"
    assert len(values["file"]) == 101
    assert values["file"]["and more"] == 400


def test_a_failure_keeps_its_own_metadata_and_whether_it_is_retried() -> None:
    with pytest.raises(dg.Failure) as raised, coded_failures():
        raise dg.Failure(TEXT, metadata={"refused": "yes"}, allow_retries=False)
    assert raised.value.metadata["refused"].value == "yes"
    assert raised.value.metadata[CODE].value == "readings.no-speed"
    assert not raised.value.allow_retries


def test_an_error_that_was_raised_from_one_with_a_code_has_that_code() -> None:
    def raises() -> None:
        try:
            raise ValueError(TEXT)
        except ValueError as error:
            raise RuntimeError("the day cannot be read") from error

    metadata, _ = get_failure(raises)
    assert metadata[CODE] == "readings.no-speed"


def test_an_error_without_a_code_stays_as_it_is() -> None:
    with pytest.raises(KeyError), coded_failures():
        raise KeyError("speed")


def test_the_last_attempt_of_a_retried_step_has_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "SECONDS_BETWEEN", 0.0)
    attempts = []

    def raises() -> None:
        attempts.append(1)
        raise StorageError(TEXT, "unreachable", retryable=True)

    metadata, _ = get_failure(raises)
    assert metadata[CODE] == "readings.no-speed"
    assert len(attempts) == 1 + retries.RETRIES


def test_an_output_that_cannot_be_stored_fails_with_the_code() -> None:
    class Broken(dg.IOManager):
        @coded_failures()
        def handle_output(self, context: dg.OutputContext, obj: object) -> None:
            raise ValueError(TEXT)

        def load_input(self, context: dg.InputContext) -> None: ...

    @dg.asset
    def thing() -> int:
        return 1

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [thing], instance=instance, resources={"io_manager": Broken()}, raise_on_error=False, run_config=QUIET
        )
    (event,) = [event for event in result.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.metadata[CODE].value == "readings.no-speed"


def test_values_that_json_cannot_hold_are_texts() -> None:
    assert failure_metadata(TEXT)[VALUES].value == {"rows": 3, "file": "/data/a.csv"}
