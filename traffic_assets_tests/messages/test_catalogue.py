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
SETTINGS = ("settings", "sklearn-config")
"""Areas whose messages follow the path of a setting, so that the allowed values are fix enough."""


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


def lacks_fix(message: Message) -> bool:
    """Return whether a message needs a fix and has none."""
    if message.note:
        return bool(message.expected or message.fix)
    return not message.fix and not (message.expected and message.code.partition(".")[0] in SETTINGS)


def test_every_message_has_a_fix_or_needs_none() -> None:
    assert [code for code, message in catalogue().items() if lacks_fix(message)] == []


@pytest.mark.parametrize(
    ("message", "lacking"),
    [
        (Message("storage.x", "X failed", fix="start X"), False),
        (Message("storage.x", "X failed"), True),
        (Message("storage.x", "X failed", expected="a running X"), True),
        (Message("settings.x", "Not an X", expected="an X"), False),
        (Message("settings.x", "Not an X"), True),
        (Message("location.x", "X has no new data", note=True), False),
        (Message("location.x", "X failed", fix="start X", note=True), True),
    ],
)
def test_a_message_without_a_fix_is_found(message: Message, lacking: bool) -> None:
    assert lacks_fix(message) is lacking
