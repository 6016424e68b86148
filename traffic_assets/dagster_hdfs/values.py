"""The value of an asset, and the data that is published with it.

An asset returns an `AssetOutput` instead of the bare value if it has a record, small files or a reason to refuse a
partition. An input annotated `AssetInput` gets the record and the generations; its value is read on first access.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.publish import Generation


@dataclass(frozen=True)
class AssetOutput:
    """A value to publish, with its record and files.

    If another run has meanwhile replaced a generation in `built_on`, the step runs again. Otherwise that run's data
    would be lost.

    Attributes:
        value: DataFrame, ML model or JSON document.
        record: JSON-serializable facts for the pointer of every partition.
        records: Further facts by partition key.
        files: Small files for the folder `_files` next to the value, by name.
        opened: Name of the file that people open; the output's metadata contains its address.
        links: Name of a file by metadata key; the output's metadata contains the address of each.
        folders: DataFrames published with the value, by folder name. The name begins with `_`; otherwise Spark would
            read them as part of the value.
        refused: Reason by key of each partition that is not published. The others are published before the run fails.
        built_on: Id of the generation that the value extends, by partition key; None if there was none.
        rows: Number of rows that the step processed, for its cost per row; only for a value that is not a table.
        after: Callback after the value was written, or writing it failed.
        kept: True if later steps of this process may get the value itself. An IO manager that keeps no values reads it.
    """

    value: Any
    record: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    opened: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    built_on: Mapping[str, str | None] = field(default_factory=dict)
    rows: int | None = None
    after: Callable[[], object] | None = None
    kept: bool = False


def _no_files(_: Generation) -> dict[str, bytes]:
    return {}


@dataclass(frozen=True)
class AssetInput:
    """The current generations of an input, and access to their values.

    The asset that takes the input must also refuse the partitions in `refused`. They may have an earlier generation,
    which partitions that look back can use.

    Attributes:
        read: Function that reads the value.
        generations: Current generation by partition key, at the time when the input was loaded.
        refused: Reason by key of each partition that this run has refused to publish.
        read_files: Function that reads the small files published with the value of a generation.
    """

    read: Callable[[], Any]
    generations: Mapping[str, Generation]
    refused: Mapping[str, str] = field(default_factory=dict)
    read_files: Callable[[Generation], Mapping[str, bytes]] = _no_files

    @cached_property
    def value(self) -> Any:
        """The stored value, read on first access because many assets need only the record."""
        return self.read()

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The small files published with the value of the only generation, by name, read on first access.

        Raises:
            ValueError: If there is not exactly one generation.
        """
        return self.read_files(self.generation)

    @property
    def records(self) -> dict[str, Mapping[str, Any]]:
        """The facts of each partition, by key."""
        return {key: generation.record for key, generation in self.generations.items()}

    @property
    def record(self) -> Mapping[str, Any]:
        """The facts of the only generation.

        Raises:
            ValueError: If there is not exactly one generation.
        """
        return self.generation.record

    @property
    def generation(self) -> Generation:
        """The only generation.

        Raises:
            ValueError: If there is not exactly one generation.
        """
        if len(self.generations) != 1:
            count, partitions = len(self.generations), list(self.generations)
            raise ValueError(messages.NOT_ONE_GENERATION(count=count, partitions=partitions))
        return next(iter(self.generations.values()))
