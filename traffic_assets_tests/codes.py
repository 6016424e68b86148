"""The code and the values of an error's message."""

from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text


def get_code(error: BaseException) -> str:
    """Return the code of an error's message, or of the message that it was raised from."""
    return _get_text(error).code


def get_values(error: BaseException) -> dict[str, Any]:
    """Return the values of an error's message, or of the message that it was raised from."""
    return _get_text(error).values


def _get_text(error: BaseException) -> CodedText:
    text = find_coded_text(error)
    assert text is not None, f"no message with a code: {error!r}"
    return text
