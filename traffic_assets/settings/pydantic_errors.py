"""Errors of pydantic as coded messages, and coded messages as errors of pydantic.

A validator raises `ValueError(messages.X(...))`, which pydantic keeps. This module finds the message again, and has a
message for each kind of error that pydantic itself reports. Paths are added in `validation.py`.
"""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text
from traffic_assets.messages import settings as messages
from traffic_assets.settings.formats import describe_format
from traffic_assets.settings.uri import mask_credentials

HIDDEN = "not shown"
"""Replacement for a value that a message does not repeat."""

OBJECT = "an object"
"""Replacement of a mapping in a message."""

_LIMITS = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
}
_LENGTHS = ("string_too_short", "string_too_long", "too_short", "too_long")
_TYPES = frozenset(get_args(ErrorType))


def coded_error(path: tuple[str | int, ...], text: CodedText, value: Any) -> InitErrorDetails:
    """Return a message as an error for `ValidationError.from_exception_data`.

    Args:
        path: Path of the value below the class that is validated.
        text: Message about the value.
        value: Value that the message is about.
    """
    return InitErrorDetails(type="value_error", loc=path, input=value, ctx={"error": ValueError(text)})


def error_at(path: tuple[str | int, ...], error: ErrorDetails) -> InitErrorDetails:
    """Return an error of one class as an error of another that contains it.

    Args:
        path: Path of the value below the other class.
        error: Error as `ValidationError.errors()` lists it.
    """
    kind = (
        error["type"]
        if error["type"] in _TYPES
        else PydanticCustomError("refused", "{reason}", {"reason": error["msg"]})
    )
    return InitErrorDetails(type=kind, loc=path, input=error["input"], ctx=error.get("ctx", {}))


def coded_text(error: ErrorDetails, hide: bool = False) -> CodedText:
    """Return the message of an error, without the path of the value.

    Args:
        error: Error as `ValidationError.errors()` lists it.
        hide: True if the message must not repeat the value, which may be a secret.
    """
    context: Mapping[str, Any] = error.get("ctx", {})
    cause = context.get("error")  # of a wrong date, pydantic's own words
    if isinstance(cause, BaseException) and (text := find_coded_text(cause)):
        return text
    value = HIDDEN if hide else format_value(error.get("input"))
    kind, reason = error["type"], error["msg"]
    if kind in _LIMITS:
        limits = {name: int(limit) if float(limit).is_integer() else limit for name, limit in context.items()}
        return messages.OUT_OF_RANGE(given=value, limit=_LIMITS[kind].format(**limits))
    if kind == "literal_error":
        return messages.INVALID_CHOICE(given=value, allowed=context["expected"])
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return messages.INVALID_FORMAT(given=value, format=describe_format(pattern), pattern=pattern)
    if kind in _LENGTHS:
        return messages.INVALID_LENGTH(given=value, limit=_without_subject(reason).partition(", not ")[0])
    if kind.startswith("date_"):
        return messages.INVALID_TYPE(given=value, type="a date such as 2026-01-05")
    if kind == "missing":
        return messages.MISSING_VALUE(key=str(error["loc"][-1]))
    if reason.startswith("Input should be "):
        return messages.INVALID_TYPE(given=value, type=_without_subject(reason))
    return messages.REFUSED_VALUE(given=value, reason=reason.removeprefix("Value error, ").removesuffix("."))


def _without_subject(reason: str) -> str:
    """Return what follows "should be" or "should have" in pydantic's message."""
    return reason.removeprefix("Input should be ").partition(" should have ")[2] or reason.removeprefix(
        "Input should be "
    )


def format_value(value: Any) -> Any:
    """Return a value as a message repeats it: a section by its class, an object as such, URIs without credentials."""
    if isinstance(value, BaseModel):
        return type(value).__name__
    if isinstance(value, Mapping):
        return OBJECT
    return _mask(value)


def _mask(value: Any) -> Any:
    """Return a value without the user and password of any URI in it."""
    if isinstance(value, str):
        return mask_credentials(value)
    if isinstance(value, Mapping):
        return {key: _mask(item) for key, item in value.items()}
    return [_mask(item) for item in value] if isinstance(value, list) else value
