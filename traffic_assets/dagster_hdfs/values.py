"""The value of an asset together with what is published beside it.

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
    """A value to publish, and what is published beside it.

    Attributes:
        value: DataFrame, ML model or JSON document.
        record: JSON-able facts for the pointer of every partition.
        records: Further facts by partition key.
        files: Small files for the folder `_files` beside the value, by name.
        opened: Name of the file that people open; the output's metadata has its address.
        links: Name of a file by metadata key; the output's metadata has the address of each.
        folders: DataFrames published beside the value, by folder name. The name begins with `_`; otherwise Spark would
            read them with the value.
        refused: Reason by key of each partition that is not published. The others are published before the run fails.
        built_on: Id of the generation that the value extends, by partition key; None if there was none. If another run
            has replaced it since, the step runs again. Otherwise the data of that run would be lost.
        rows: Rows that the step processed, for its cost per row; only for a value that is not a table.
        after: Callback after the value was written, or failed to be.
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

    Attributes:
        read: Function that reads the value.
        generations: Current generation by partition key, at the time when the input was loaded.
        refused: Reason by key of each partition that this run has refused to publish. The asset that takes the input
            must refuse these partitions as well. An earlier generation may exist, for partitions that look back.
        read_files: Function that reads the small files beside the value of a generation.
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
        """The small files beside the value of the only generation, by name, read on first access.

        Raises:
            ValueError: There is not exactly one generation.
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
            ValueError: There is not exactly one generation.
        """
        return self.generation.record

    @property
    def generation(self) -> Generation:
        """The only generation.

        Raises:
            ValueError: There is not exactly one generation.
        """
        if len(self.generations) != 1:
            count, partitions = len(self.generations), list(self.generations)
            raise ValueError(messages.NOT_ONE_GENERATION(count=count, partitions=partitions))
        return next(iter(self.generations.values()))
