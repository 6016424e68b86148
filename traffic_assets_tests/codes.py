"""The code and the values of an error's message."""

from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text


def code_of(error: BaseException) -> str:
    """Return the code of an error's message, or of the message that it was raised from."""
    return _text_of(error).code


def values_of(error: BaseException) -> dict[str, Any]:
    """Return the values of an error's message, or of the message that it was raised from."""
    return _text_of(error).values


def _text_of(error: BaseException) -> CodedText:
    text = find_coded_text(error)
    assert text is not None, f"no message with a code: {error!r}"
    return text
