"""The code and the values of the message of an error or a warning."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text


def get_code(error: BaseException) -> str:
    """Return the code of an error's message, or of the message that it was raised from."""
    return _get_text(error).code


def get_values(error: BaseException) -> dict[str, Any]:
    """Return the values of an error's message, or of the message that it was raised from."""
    return _get_text(error).values


@contextmanager
def warns_with(code: str, **values: Any) -> Iterator[None]:
    """Expect a DeprecationWarning whose message has a code and values."""
    with pytest.warns(DeprecationWarning) as warned:
        yield
    raised = [warning.message for warning in warned if isinstance(warning.message, Warning)]
    assert (code, values) in [(get_code(error), get_values(error)) for error in raised]


def _get_text(error: BaseException) -> CodedText:
    text = find_coded_text(error)
    assert text is not None, f"no message with a code: {error!r}"
    return text
