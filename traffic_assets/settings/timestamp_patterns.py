"""Timestamp patterns that Spark can parse with (`to_timestamp`), checked without Spark.

The table is compared with Spark's own parser in a test. Source: `DateTimeFormatterHelper` and `TimestampFormatter` of
Spark 4, and `java.time.format.DateTimeFormatterBuilder`.
"""

import re
from itertools import groupby

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages

MAX_LENGTHS = {
    **dict.fromkeys("adhHkKms", 2),
    **dict.fromkeys("GLMz", 4),
    **dict.fromkeys("xXZ", 5),
    "a": 1,
    "D": 3,
    "y": 6,
    "S": 9,
    "g": 19,
}
"""Maximum number of repetitions of each letter; one repetition is always allowed."""

EXACT_LENGTHS = {"O": (1, 4), "v": (1, 4), "V": (2,)}
"""Allowed numbers of repetitions of the letters that take only some."""

RESERVED = "{}#"

_QUOTED = re.compile(r"'[^']*'")


def find_pattern_problem(pattern: str) -> CodedText | None:
    """Return the reason why readings cannot be parsed with a pattern, or None.

    >>> find_pattern_problem("yyyy-MM-dd HH:mm:ss") is None
    True
    >>> find_pattern_problem("YYYY-MM-dd HH:mm").values["reason"]
    'YYYY is not supported'

    Args:
        pattern: Pattern as `data.timestamp_formats` contains it.
    """
    letters = _QUOTED.sub(" ", pattern)
    reason = _find_unsupported(letters) or _find_missing_part(letters)
    return messages.INVALID_TIMESTAMP_PATTERN(pattern=pattern, reason=reason) if reason else None


def _find_unsupported(letters: str) -> str | None:
    if "'" in letters:
        return "a quote is not closed"
    if reserved := [character for character in RESERVED if character in letters]:
        return f"{reserved[0]} is reserved; quote it"
    depth = 0
    for character in letters:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth < 0:
            return "] closes no ["
    for letter, run in groupby(letters):
        length = len(list(run))
        allowed = EXACT_LENGTHS.get(letter) or range(1, MAX_LENGTHS.get(letter, 0) + 1)
        if letter.isascii() and letter.isalpha() and length not in allowed:
            return f"{letter * length} is not supported"
    return None


def _find_missing_part(letters: str) -> str | None:
    """Return the part of a point in time that a pattern lacks: Spark would take 1970, 1 January or midnight."""
    used = set(letters)
    if "D" in used and used & {"M", "L"}:
        return "D is the day of the year; the day of the month is dd"
    if "y" not in used:
        return "it has no year (yyyy)"
    if "D" not in used and not (used & {"M", "L"} and "d" in used):
        return "it has no month and day (MM, dd)"
    if not used & set("HkhK"):
        return "it has no hour (HH)"
    if used & {"h", "K"} and "a" not in used:
        return "its hour has no AM or PM (a)"
    return None
