"""Messages for users: templates with stable codes.

A message reads *Problem (value). Expected …. Fix: command or setting.* The text keeps its code and its values, so that
Dagster, the command line and tests need not parse the words. Logs, warnings, tracebacks and the terminal show it as
`[code] text`; metadata contains the text, with the code beside it. The messages themselves are in `messages.py` and
`traffic_assets.messages`.

Every message has a fix, with two exceptions:

- A note reports a normal state in which nobody has to act (`note=True`). It has neither `expected` nor `fix`.
- A message about the value of a setting, whose path precedes the text, may have only `expected`: the fix is to set such
  a value. Its area is `settings` or `sklearn-config`.

Progress and the results of passed checks are plain texts without a code.
"""

import json
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

CODE = "code"
"""Metadata of a failure or a check result: the code of its message."""

LINES = "lines"
"""Format of a collection in a template: each item on an indented line of its own."""

NUMBER = "number"
"""Format of a number in a template: in full, but without the last digit, in which sums of decimals differ."""

PERCENT = "percent"
"""Format of a share in a template: as a percentage, in full like `NUMBER`."""

LINES_SHOWN = 50
"""Items of such a collection that are shown; the rest is counted."""


class CodedText(str):
    """The text of a message, with its code and values.

    `str` and everything that uses it show the text with its code: f-strings, logs, warnings, `str(error)` and
    tracebacks. The string itself, which JSON, metadata and comparisons use, is the text alone.

    Attributes:
        code: Stable code of the message.
        values: Values of the message by name.
    """

    code: str
    values: dict[str, Any]

    def __new__(cls, text: str, code: str, values: Mapping[str, Any]) -> "CodedText":
        """Return a text with code and values; `str` itself takes no further arguments."""
        coded = super().__new__(cls, text.plain if isinstance(text, CodedText) else text)
        coded.code, coded.values = code, dict(values)
        return coded

    def __str__(self) -> str:
        """Return the text with its code: `[code] text`."""
        return f"[{self.code}] {self.plain}"

    @property
    def plain(self) -> str:
        """The text without its code."""
        return super().__str__()

    def with_prefix(self, prefix: str, **values: Any) -> "CodedText":
        """Return the message with a prefix, such as the path of a setting, and with further values.

        >>> print(CodedText("Out of range (0).", "settings.out-of-range", {}).with_prefix("training.folds: "))
        [settings.out-of-range] training.folds: Out of range (0).
        """
        return CodedText(prefix + self.plain, self.code, {**values, **self.values})

    def __getnewargs__(self) -> tuple[str, str, dict[str, Any]]:  # type: ignore[override]
        """Keep code and values when an error is sent to another process."""
        return self.plain, self.code, self.values


class _Formatter(string.Formatter):
    """Templates of `str.format`.

    Collections are joined with commas; `{values:lines}` puts each item on a line. `{value!r}` shows a text in quotes,
    and any other value as JSON writes it, because settings are JSON. Durations are in hours. A value that is a message
    itself is shown with its code.
    """

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion != "r" or isinstance(value, str):
            return super().convert_field(value, conversion)
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError):  # keys that JSON does not have, or a list that contains itself
            return str(value)

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, timedelta):
            hours = value / timedelta(hours=1)
            return f"{hours:g} hour{'' if hours == 1 else 's'}"
        if format_spec == NUMBER:
            return f"{value:.15g}"
        if format_spec == PERCENT:
            return f"{100 * value:.15g}%"
        if format_spec == LINES:
            items = (
                [_format_item(key, item) for key, item in value.items()] if isinstance(value, Mapping) else list(value)
            )
            if len(items) > LINES_SHOWN:
                items = [*items[:LINES_SHOWN], f"and {len(items) - LINES_SHOWN} more"]
            return "".join(f"\n  {item}" for item in items)
        if isinstance(value, Mapping):
            value = [f"{key} {item}" for key, item in value.items()]
        if isinstance(value, Iterable) and not isinstance(value, str):
            value = ", ".join(map(str, value)) or "none"
        return str(super().format_field(value, format_spec))


def _format_item(key: Any, item: Any) -> str:
    return str(item.with_prefix(f"{key}: ") if isinstance(item, CodedText) else f"{key}: {item}")


@dataclass(frozen=True)
class Message:
    """A message for users: call it with its values to get the text.

    Attributes:
        code: Stable code, `<area>.<what>`, such as `readings.missing-columns`. A different fix needs a different code.
        problem: Template of the problem with its value, without a full stop at its end.
        expected: Template of the allowed values, without the word "Expected"; empty if the problem names them.
        fix: Template of the command, setting or action that helps, without the word "Fix".
        example: Values for the documentation, one for each field of the templates.
        note: True if nobody has to act.
    """

    code: str
    problem: str
    expected: str = ""
    fix: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    note: bool = False

    def __call__(self, **values: Any) -> CodedText:
        """Return the text for some values, one for each field of the templates."""
        parts = [self.problem]
        if self.expected:
            parts.append(f"Expected {self.expected}")
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        text = ""
        for part in parts:
            separator = "\n" if "\n" in text else " "
            text += (separator if text else "") + _sentence(_Formatter().vformat(part, (), values))
        return CodedText(text, self.code, values)

    def __str__(self) -> str:
        """Return the text with the example's values, without the code."""
        return self(**self.example).plain


def _sentence(text: str) -> str:
    """Return a text with one full stop; a value at its end may already have one."""
    return text if text.endswith(".") else f"{text}."


def find_coded_text(error: BaseException | None) -> CodedText | None:
    """Return the coded text of an error, or of the nearest error that it was raised from; None without one."""
    while error is not None:
        for text in (*error.args, getattr(error, "description", None)):
            if isinstance(text, CodedText):
                return text
        error = error.__cause__
    return None


def error_text(error: BaseException) -> str:
    """Return the message of an error, with its code and values if it has them, for another message that quotes it."""
    return find_coded_text(error) or str(error)


def code_metadata(text: str | None) -> dict[str, str]:
    """Return the metadata that carries the code of a text; nothing for a text without one."""
    return {CODE: text.code} if isinstance(text, CodedText) else {}
