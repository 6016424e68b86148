"""Timestamp patterns: the table agrees with Spark's parser, and a pattern covers date and time."""

import string
from typing import TYPE_CHECKING

import pytest

from traffic_assets.settings.timestamp_patterns import _find_unsupported, find_pattern_problem
from traffic_assets_tests.settings.problems import problem

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATTERNS = (
    *(letter * length for letter in string.ascii_letters for length in range(1, 24)),
    *(
        "'",
        "''",
        "x'",
        "[yyyy]",
        "[yyyy",
        "yyyy]",
        "{yyyy}",
        "yyyy#",
        "yyyy-MM-dd'T'HH:mm:ss",
        "%Y-%m-%d",
        "é",
        "yyyy年",
    ),
    *(
        "yyyyMMddHHmmssSSS",
        "dd.MM.yyyy HH:mm",
        "MM/dd/yyyy hh:mm a",
        "yyyy-MM-dd EEE",
        "'Y'yyyy",
        "yyyy''MM",
        "é",
        "yyyy年",
    ),
)


def test_the_table_agrees_with_sparks_parser(spark: "SparkSession") -> None:
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    java = spark._jvm
    assert java is not None

    def parses(pattern: str) -> bool:
        zone = java.java.time.ZoneId.of("UTC")
        try:
            formatter = java.org.apache.spark.sql.catalyst.util.TimestampFormatter.apply(pattern, zone, True)
            formatter.validatePatternString(False)
        except (Py4JJavaError, PySparkException):
            return False
        return True

    differing = [p for p in PATTERNS if parses(p) is not (_find_unsupported(_without_quotes(p)) is None)]
    assert differing == []


def _without_quotes(pattern: str) -> str:
    from traffic_assets.settings.timestamp_patterns import _QUOTED

    return _QUOTED.sub(" ", pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("YYYY-MM-dd HH:mm", "YYYY is not supported"),
        ("%Y-%m-%d %H:%M", "Y is not supported"),
        ("HH:mm", "it has no year (yyyy)"),
        ("yyyy HH:mm", "it has no month and day (MM, dd)"),
        ("MM/dd/yyyy", "it has no hour (HH)"),
        ("DD/MM/yyyy HH:mm", "D is the day of the year; the day of the month is dd"),
        ("MM/dd/yyyy hh:mm", "its hour has no AM or PM (a)"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    text = problem("local", data={"timestamp_formats": ["dd.MM.yyyy HH:mm", pattern]})
    assert text.code == "settings.invalid-timestamp-pattern"
    assert text.values == {"path": "data.timestamp_formats.1", "pattern": pattern, "reason": reason}


@pytest.mark.parametrize("pattern", ["MM/dd/yyyy HH:mm:ss", "yyyyDDD HHmm", "dd.MM.yy[ HH:mm]", "MM/dd/yyyy hh:mm a"])
def test_usual_patterns_are_accepted(pattern: str) -> None:
    assert find_pattern_problem(pattern) is None
