"""The catalogue of messages: codes are unique, examples are complete, and the golden file holds each text."""

import os
import re
import string
from pathlib import Path

import pytest

from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.messages.catalogue import catalogue

GOLDEN = Path(__file__).with_name("messages.txt")
CODE = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z0-9]+(-[a-z0-9]+)*")


def rendered() -> str:
    """Return every message with the values of its example, by code."""
    return "".join(f"{code}\n    {message}\n" for code, message in catalogue().items())


def test_every_text_is_in_the_golden_file() -> None:
    if os.environ.get("UPDATE_SNAPSHOT"):
        GOLDEN.write_text(rendered())
    assert rendered() == GOLDEN.read_text(), (
        "if the change is intended: UPDATE_SNAPSHOT=1 pytest traffic_assets_tests/messages"
    )


@pytest.mark.parametrize("message", catalogue().values(), ids=catalogue())
def test_a_message_is_plain_and_its_example_has_exactly_its_fields(message: Message) -> None:
    assert CODE.fullmatch(message.code)
    parts = [part for part in (message.problem, message.expected, message.fix) if part]
    fields = {name.partition(".")[0] for part in parts for _, name, _, _ in string.Formatter().parse(part) if name}
    assert {re.split(r"[.\[]", name)[0] for name in fields} == set(message.example)
    assert message.problem[0].isupper() or message.problem[0] == "{"
    for part in parts:
        assert not part.endswith(".")
        assert part == part.strip()
