"""Messages: the text, and the code and values that it keeps."""

import json
import logging
import pickle
import traceback
import warnings
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster import serialize_value

from traffic_assets.dagster_hdfs.message import (
    LINES_SHOWN,
    CodedText,
    Message,
    code_metadata,
    error_text,
    find_coded_text,
)

MISSING = Message(
    code="readings.missing-columns",
    problem="The readings lack {columns}",
    expected="{expected}",
    fix="set data.aliases",
    example={"columns": ["speed"], "expected": "speed and timestamp"},
)


def test_a_text_has_problem_expected_and_fix_and_keeps_code_and_values() -> None:
    text = MISSING(columns=["speed", "flow"], expected="both")
    assert text == "The readings lack speed, flow. Expected both. Fix: set data.aliases."
    assert (text.code, text.values) == (MISSING.code, {"columns": ["speed", "flow"], "expected": "both"})
    assert str(MISSING).startswith("The readings lack speed. Expected speed and timestamp.")


def test_a_text_is_shown_with_its_code() -> None:
    text = MISSING(columns=["speed"], expected="both")
    shown = f"[readings.missing-columns] {text.plain}"
    assert (str(text), f"{text}", str(ValueError(text)), str(UserWarning(text))) == (shown,) * 4
    assert traceback.format_exception_only(ValueError(text)) == [f"ValueError: {shown}\n"]
    assert not text.plain.startswith("[")


def test_logs_and_warnings_show_the_code(caplog: pytest.LogCaptureFixture) -> None:
    text = MISSING(columns=["speed"], expected="both")
    logging.getLogger("traffic_assets").warning(text)
    assert caplog.messages == [str(text)]
    with pytest.warns(UserWarning, match=r"^\[readings.missing-columns\] The readings lack speed\. "):
        warnings.warn(text, stacklevel=1)


def test_the_log_of_dagster_shows_the_code() -> None:
    lines: list[str] = []

    @dg.logger
    def collecting(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("collecting")
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.dagster_meta["orig_message"])  # type: ignore[attr-defined,method-assign]
        logger.addHandler(handler)
        return logger

    @dg.op
    def thing(context: dg.OpExecutionContext) -> None:
        context.log.warning(MISSING(columns=["speed"], expected="both"))

    @dg.job(logger_defs={"collecting": collecting})
    def job() -> None:
        thing()

    assert job.execute_in_process(run_config={"loggers": {"collecting": {}}}).success
    assert [line for line in lines if line.startswith("[readings.missing-columns] The readings lack speed.")]


def test_data_contains_the_text_alone() -> None:
    text = MISSING(columns=["speed"], expected="both")
    for stored in (json.loads(json.dumps({"text": text}))["text"], dg.MetadataValue.text(text).text, "".join([text])):
        assert stored == text.plain
    assert json.loads(serialize_value(dg.MetadataValue.text(text)))["text"] == text.plain


def test_a_prefix_comes_after_the_code() -> None:
    text = MISSING(columns=["speed"], expected="both").with_prefix("mine.csv: ", path="mine.csv")
    assert str(text).startswith("[readings.missing-columns] mine.csv: The readings lack speed.")
    assert text.values == {"path": "mine.csv", "columns": ["speed"], "expected": "both"}
    assert str(CodedText(text, text.code, {})) == str(text), "the code is shown once"


def test_a_message_in_another_one_is_shown_with_its_code() -> None:
    text = MISSING(columns=["speed"], expected="both")
    for template, shown in (
        ("Refused. Cause: {it}", f"Refused. Cause: {text}"),
        ("Refused ({it})", f"Refused ({text})."),
    ):
        assert Message(code="x.y", problem=template)(it=text) == shown
    assert Message(code="x.y", problem="Refused ({it})")(it=[text, "no rows"]) == f"Refused ({text}, no rows)."
    by_key = Message(code="x.y", problem="Refused:{it:lines}")(it={"a": text, "b": "no rows"})
    assert by_key == f"Refused:\n  [{text.code}] a: {text.plain}\n  b: no rows."


def test_the_text_of_an_error_keeps_its_code_if_it_has_one() -> None:
    text = MISSING(columns=["speed"], expected="both")
    assert error_text(ValueError(text)) is text
    assert error_text(ValueError("no speed")) == "no speed"


def test_a_text_keeps_its_code_in_another_process() -> None:
    text = pickle.loads(pickle.dumps(ValueError(MISSING(columns=[], expected="x")))).args[0]
    assert isinstance(text, CodedText)
    assert (text.code, text.values, "lack none" in text) == (MISSING.code, {"columns": [], "expected": "x"}, True)
    assert str(text).count(text.code) == 1


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="columns"):
        MISSING(expected="x")


def test_items_on_separate_lines_are_followed_by_the_fix() -> None:
    listed = Message(code="x.y", problem="{count} refused:{refused:lines}", fix="remove the cause")
    text = listed(count=2, refused={"a": "No rows.", "b": "Too few rows."})
    assert text == "2 refused:\n  a: No rows.\n  b: Too few rows.\nFix: remove the cause."
    assert listed(count=1, refused=["no rows"]) == "1 refused:\n  no rows.\nFix: remove the cause."


@pytest.mark.parametrize(("value", "shown"), [(5.0, "5"), (0.1 + 0.2, "0.3"), (0.99999999, "0.99999999"), (7, "7")])
def test_a_number_is_shown_in_full(value: float, shown: str) -> None:
    assert Message(code="x.y", problem="is {value:number}")(value=value) == f"is {shown}."


def test_the_rest_of_many_lines_is_counted() -> None:
    listed = Message(code="x.y", problem="refused:{refused:lines}")
    lines = listed(refused=list(range(LINES_SHOWN + 3))).splitlines()
    assert (len(lines), lines[-1]) == (LINES_SHOWN + 2, "  and 3 more.")


def test_a_value_at_the_end_may_have_its_own_full_stop() -> None:
    failed = Message(code="x.y", problem="Failed. Cause: {cause}", fix="retry")
    assert failed(cause="No space.") == "Failed. Cause: No space. Fix: retry."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("auc", "'auc'"),
        (["auc", 1], '["auc", 1]'),
        ({"depth": None}, '{"depth": null}'),
        (None, "null"),
        (False, "false"),
        (2.5, "2.5"),
        (date(2026, 1, 5), '"2026-01-05"'),
        ({(1, 2): "pair"}, "{(1, 2): 'pair'}"),
    ],
)
def test_a_value_of_a_setting_is_shown_as_json_writes_it(value: Any, shown: str) -> None:
    assert Message(code="x.y", problem="Not allowed ({given!r})", fix="change it")(given=value) == (
        f"Not allowed ({shown}). Fix: change it."
    )


@pytest.mark.parametrize(("hours", "shown"), [(1, "1 hour"), (24, "24 hours"), (0.5, "0.5 hours")])
def test_a_duration_is_shown_in_hours(hours: float, shown: str) -> None:
    assert Message(code="x.y", problem="Kept for {keep}", fix="wait")(keep=timedelta(hours=hours)) == (
        f"Kept for {shown}. Fix: wait."
    )


def test_the_text_of_an_error_is_found_through_its_causes() -> None:
    text = MISSING(columns=["speed"], expected="x")
    for error in (ValueError(text), dg.Failure(text)):
        assert find_coded_text(error) is text
        wrapped = RuntimeError("a step failed")
        wrapped.__cause__ = error
        assert find_coded_text(wrapped) is text
    assert find_coded_text(ValueError("plain")) is None
    assert (code_metadata(text), code_metadata("plain")) == ({"code": MISSING.code}, {})


@pytest.mark.parametrize(("share", "shown"), [(0.05, "5%"), (0.001, "0.1%"), (0.999999, "99.9999%"), (0.07, "7%")])
def test_a_share_is_shown_in_full(share: float, shown: str) -> None:
    assert Message(code="x.y", problem="is {share:percent}")(share=share) == f"is {shown}."
