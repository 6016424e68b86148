"""The value of an asset together with what is published beside it.

An asset returns an `AssetOutput` instead of the bare value if it has a record, small files or a reason to refuse a
partition. An input annotated `AssetInput` gets the record and the generations; its value is read on first access.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from traffic_assets.dagster_hdfs.publish import Generation


@dataclass(frozen=True)
class AssetOutput:
    """A value to publish, and its company.

    Attributes:
        value: what is stored: a DataFrame, an ML model or a JSON document.
        record: JSON-able facts kept in the pointer, for one partition or all of them.
        records: further facts by partition key.
        files: small files published beside the value in the folder `_files`, by name.
        opened: the one of them that people open: the output's metadata says where it is.
        folders: DataFrames published beside the value, by the name of their folder (which begins with `_`, so
            that Spark does not read them with the value).
        refused: by partition key, why it is not published; the others are, before the run fails.
        built_on: by partition key, the id of the generation that the value extends, None where there was none. Where
            another run has replaced it since, the step is run again instead of losing what that run added.
        rows: that the step worked on, where its value is no table: its cost is told a row.
        after: called when the value has been written, or could not be.
        kept: whether later steps of this process may be handed the value itself instead of reading it; an IO manager
            that keeps none reads it.
    """

    value: Any
    record: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    opened: str | None = None
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
    """What the pointers of an input name.

    Attributes:
        read: reads the value.
        generations: by partition key, what the pointers named when the input was loaded.
        refused: by partition key that this run was to publish and has refused, why. An earlier generation of it may
            be there, for partitions that look back. Whoever takes the input has to refuse these partitions as well.
        read_files: reads the small files beside the value of a generation.
    """

    read: Callable[[], Any]
    generations: Mapping[str, Generation]
    refused: Mapping[str, str] = field(default_factory=dict)
    read_files: Callable[[Generation], Mapping[str, bytes]] = _no_files

    @cached_property
    def value(self) -> Any:
        """What is stored, read when it is first asked for: many assets need the record alone."""
        return self.read()

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The small files published beside the value of the one generation, by name, read when first asked for.

        Raises:
            ValueError: where there is not exactly one.
        """
        return self.read_files(self.generation)

    @property
    def records(self) -> dict[str, Mapping[str, Any]]:
        """The facts of each partition, by its key."""
        return {key: generation.record for key, generation in self.generations.items()}

    @property
    def record(self) -> Mapping[str, Any]:
        """The facts of the one generation.

        Raises:
            ValueError: where there is not exactly one.
        """
        return self.generation.record

    @property
    def generation(self) -> Generation:
        """The one generation.

        Raises:
            ValueError: where there is not exactly one.
        """
        if len(self.generations) != 1:
            raise ValueError(f"{len(self.generations)} generations were loaded, not one: {', '.join(self.generations)}")
        return next(iter(self.generations.values()))
