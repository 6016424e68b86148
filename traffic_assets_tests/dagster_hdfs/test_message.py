"""Messages: the text, and the code and values that it keeps."""

import pickle
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.message import LINES_SHOWN, CodedText, Message, code_metadata, find_coded_text

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


def test_a_text_keeps_its_code_in_another_process() -> None:
    text = pickle.loads(pickle.dumps(ValueError(MISSING(columns=[], expected="x")))).args[0]
    assert isinstance(text, CodedText)
    assert (text.code, text.values, "lack none" in text) == (MISSING.code, {"columns": [], "expected": "x"}, True)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="columns"):
        MISSING(expected="x")


def test_items_on_separate_lines_are_followed_by_the_fix() -> None:
    listed = Message(code="x.y", problem="{count} refused:{refused:lines}", fix="remove the cause")
    text = listed(count=2, refused={"a": "No rows.", "b": "Too few rows."})
    assert text == "2 refused:\n  a: No rows.\n  b: Too few rows.\nFix: remove the cause."
    assert listed(count=1, refused=["no rows"]) == "1 refused:\n  no rows.\nFix: remove the cause."


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
