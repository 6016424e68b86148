"""Facts in the record of a generation, and how messages name partitions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from traffic_assets.dagster_hdfs.generation import (
    REMEDY,
    TIMESTAMP_RANGE,
    UNPARTITIONED,
    Generation,
    describe_partitions,
    describe_remedy,
    generations_within,
    join_timestamp_ranges,
)

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


def generation(key: str, **record: Any) -> Generation:
    return Generation(f"id-{key}", key, f"file:///x/{key}", MIDNIGHT, "run", record)


def day(number: int) -> Generation:
    """Return a generation with hourly rows from 0 to 23 o'clock of a day after the 5th."""
    first = MIDNIGHT + number * DAY
    last = first + timedelta(hours=23)
    return generation(str(number), **{TIMESTAMP_RANGE: [first.isoformat(), last.isoformat()]})


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, "012"),
        (MIDNIGHT + DAY, None, "12"),
        (None, MIDNIGHT + DAY, "0"),
        (None, MIDNIGHT + DAY + timedelta(microseconds=1), "01"),
        (MIDNIGHT + timedelta(hours=23), MIDNIGHT + DAY, "0"),
        (MIDNIGHT + timedelta(hours=23.5), MIDNIGHT + DAY, ""),
        (MIDNIGHT + 3 * DAY, None, ""),
        (datetime(2026, 1, 5, 22, tzinfo=timezone(timedelta(hours=-8))), None, "12"),
    ],
)
def test_generations_without_rows_in_a_range_are_left_out(
    start: datetime | None, end: datetime | None, expected: str
) -> None:
    days = [day(number) for number in range(3)]
    assert "".join(chosen.partition for chosen in generations_within(days, start, end)) == expected


def test_generations_of_earlier_code_may_contain_any_timestamp_and_empty_ones_none() -> None:
    earlier, empty = generation("earlier"), generation("empty", **{TIMESTAMP_RANGE: None})
    assert generations_within([earlier, empty], MIDNIGHT, MIDNIGHT + DAY) == [earlier]


@pytest.mark.parametrize(
    ("generations", "expected"),
    [
        ([day(1), day(0)], [day(0).record[TIMESTAMP_RANGE][0], day(1).record[TIMESTAMP_RANGE][1]]),
        ([generation("empty", **{TIMESTAMP_RANGE: None}), day(2)], day(2).record[TIMESTAMP_RANGE]),
        ([generation("empty", **{TIMESTAMP_RANGE: None})], None),
    ],
    ids=["two days", "an empty day", "no rows"],
)
def test_the_range_of_many_generations_includes_each(
    generations: Sequence[Generation], expected: list[str] | None
) -> None:
    assert join_timestamp_ranges(generations) == {TIMESTAMP_RANGE: expected}


def test_the_range_is_unknown_if_that_of_one_generation_is() -> None:
    assert join_timestamp_ranges([day(0), generation("earlier")]) == {}


def test_a_dataset_without_partitions_is_named_without_a_key() -> None:
    assert describe_partitions("sensor_table", [UNPARTITIONED]) == "sensor_table"
    assert describe_remedy(REMEDY, "sensor_table", [UNPARTITIONED]) == "materialize sensor_table again"


def test_a_remedy_has_the_first_and_the_last_partition() -> None:
    keys = ["2026-01-07", "2026-01-05"]
    assert describe_remedy("rebuild {first} {last}", "feature_table", keys) == "rebuild 2026-01-05 2026-01-07"
    assert describe_remedy(REMEDY, "feature_table", keys) == "materialize feature_table 2026-01-05, 2026-01-07 again"
