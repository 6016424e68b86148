"""One published copy of a partition, and the facts in its record that readers rely on.

Publishing is in `publish.py`; the comparison of a generation's files with its record is in `inventory.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

UNPARTITIONED = "all"
"""The partition key of a dataset without partitions."""
BYTES, FILES, ROWS = "bytes", "files", "rows"
"""Fields of a record: bytes of the whole folder, bytes of each file by path, and number of rows."""
TIMESTAMP = "timestamp"
"""Column of a table whose range its record contains."""
TIMESTAMP_RANGE = "timestamp_range"
"""Field of a record: first and last `timestamp` in UTC, ISO format; null if no row has one."""
CODE_VERSION = "code_version"
"""Field of a record: Dagster's code version of the asset when it was published, if it has one."""
REMEDY = "materialize {subject} again"
"""What a user does about a damaged partition, if the dataset has no remedy of its own."""


@dataclass(frozen=True)
class Generation:
    """One published copy of a partition; `record` contains facts for JSON, such as rows, schema and provenance.

    Attributes:
        id: Unique name, which begins with the time of publishing.
        partition: Partition key.
        uri: Folder of the files.
        published_at: Time of publishing.
        run_id: Run that produced the data.
        record: Facts about the data.
        dataset: Name of the dataset for messages.
        remedy: Template of what to do if the generation is damaged; see `describe_remedy`.
    """

    id: str
    partition: str
    uri: str
    published_at: datetime
    run_id: str
    record: dict[str, Any]
    dataset: str = field(default="", compare=False)
    remedy: str = field(default=REMEDY, compare=False)

    @property
    def files(self) -> Mapping[str, int] | None:
        """The bytes of each published file by its path in the folder; None if earlier code published it."""
        files = self.record.get(FILES)
        return files if isinstance(files, Mapping) else None


def describe_partitions(dataset: str, partitions: Sequence[str]) -> str:
    """Return the name of some partitions of a dataset for messages.

    >>> describe_partitions("feature_table", ["2026-01-06", "2026-01-05"])
    'feature_table 2026-01-05, 2026-01-06'
    """
    return dataset if UNPARTITIONED in partitions else f"{dataset} {', '.join(sorted(partitions))}"


def describe_remedy(template: str, dataset: str, partitions: Sequence[str]) -> str:
    """Return what a user does to get undamaged partitions.

    Args:
        template: Text with the fields `subject` (see `describe_partitions`), `first` and `last` (partition keys).
        dataset: Name of the dataset.
        partitions: Keys of the damaged partitions.

    >>> describe_remedy("rebuild {first} {last}", "feature_table", ["2026-01-05"])
    'rebuild 2026-01-05 2026-01-05'
    """
    subject = describe_partitions(dataset, partitions)
    return template.format(subject=subject, first=min(partitions), last=max(partitions))


def generations_within(
    generations: Iterable[Generation], start: datetime | None = None, end: datetime | None = None
) -> list[Generation]:
    """Return the generations that may contain rows with a `timestamp` in a range; no file is read.

    A generation whose record has no range (no such column, or earlier code) may contain any.

    Args:
        generations: Generations in any order, which is kept.
        start: First timestamp, inclusive, with a time zone; None for the first one.
        end: Last timestamp, exclusive, with a time zone; None for no limit.
    """
    return [generation for generation in generations if _overlaps(generation.record, start, end)]


def join_timestamp_ranges(generations: Sequence[Generation]) -> dict[str, Any]:
    """Return the field of a record with the range of all rows of some generations; empty if one has no range."""
    ranges = [generation.record.get(TIMESTAMP_RANGE, ()) for generation in generations]
    if any(limits == () for limits in ranges):
        return {}
    times = sorted((at for limits in ranges if limits for at in limits), key=datetime.fromisoformat)
    return {TIMESTAMP_RANGE: [times[0], times[-1]] if times else None}


def _overlaps(record: dict[str, Any], start: datetime | None, end: datetime | None) -> bool:
    if TIMESTAMP_RANGE not in record:
        return True
    if record[TIMESTAMP_RANGE] is None:
        return False
    first, last = map(datetime.fromisoformat, record[TIMESTAMP_RANGE])
    return (end is None or first < end) and (start is None or start <= last)
