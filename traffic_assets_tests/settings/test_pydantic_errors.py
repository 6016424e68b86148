"""Coded messages for errors of pydantic, which an error keeps in a class that contains it."""

import json
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages
from traffic_assets.settings.pydantic_errors import HIDDEN, coded_error, coded_text, error_at


class Example(BaseModel):
    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    name: Annotated[str, Field(min_length=2, pattern=r"^[a-z]+$")] = "ab"
    kind: Literal["a", "b"] = "a"
    odd: int = 1
    part: dict[str, int] = {}
    day: date | None = None

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value == 0:
            raise PydanticCustomError("zero", "zero is {parity}", {"parity": "even"})
        if value % 2 == 0:
            raise ValueError("an even number.")
        return value


def _error(**values: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        Example(**values)
    (error,) = caught.value.errors()
    return error


@pytest.mark.parametrize(
    ("values", "code", "rest"),
    [
        ({"share": 0}, "settings.out-of-range", {"limit": "a number above 0"}),
        ({"share": 0.5}, "settings.out-of-range", {"limit": "a number below 0.5"}),
        ({"share": "x"}, "settings.invalid-type", {"type": "a valid number, unable to parse string as a number"}),
        ({"name": "a"}, "settings.invalid-length", {"limit": "at least 2 characters"}),
        ({"name": "AB"}, "settings.invalid-format", {"format": "text", "pattern": "^[a-z]+$"}),
        ({"kind": "c"}, "settings.invalid-choice", {"allowed": "'a' or 'b'"}),
        ({"odd": 2}, "settings.refused-value", {"reason": "an even number"}),
        ({"odd": 0}, "settings.refused-value", {"reason": "zero is even"}),
        ({"part": "x"}, "settings.invalid-type", {"type": "a valid dictionary"}),
        ({"day": "2026-1-5"}, "settings.invalid-type", {"type": "a date such as 2026-01-05"}),
        ({"day": 1.5}, "settings.invalid-type", {"type": "a date such as 2026-01-05"}),
    ],
)
def test_each_kind_of_error_has_a_code(values: dict[str, Any], code: str, rest: dict[str, Any]) -> None:
    text = coded_text(_error(**values))
    (value,) = values.values()
    assert (text.code, text.values) == (code, {"given": value, **rest})


def test_a_value_is_hidden_on_request() -> None:
    text = coded_text(_error(name="HUNTER2"), hide=True)
    assert text.values["given"] == HIDDEN
    assert "HUNTER2" not in text


@pytest.mark.parametrize("value", ["ftp://me:pw@host/x", ["ftp://me:pw@host/x", 3], [{"uri": "ftp://me:pw@host/x"}]])
def test_a_credential_is_masked(value: Any) -> None:
    text = coded_text(_error(kind=value))
    assert "me:pw" not in f"{text} {text.values}"
    assert text.values["given"] == json.loads(json.dumps(value).replace("me:pw", "***"))


@pytest.mark.parametrize("values", [{"share": 0}, {"kind": "c"}, {"odd": 2}, {"odd": 0}])
def test_an_error_keeps_its_message_in_a_class_that_contains_it(values: dict[str, Any]) -> None:
    inner = _error(**values)
    outer = ValidationError.from_exception_data("Outer", [error_at(("grid", "x", 1), inner)])
    (error,) = outer.errors()
    assert error["loc"] == ("grid", "x", 1)
    assert (coded_text(error), coded_text(error).code) == (coded_text(inner), coded_text(inner).code)


def test_a_message_can_be_raised_at_a_path() -> None:
    message: CodedText = messages.EMPTY_GRID_VALUES(name="x")
    error = ValidationError.from_exception_data("Outer", [coded_error(("grid", "x"), message, [])])
    (item,) = error.errors()
    assert (item["loc"], coded_text(item)) == (("grid", "x"), message)
