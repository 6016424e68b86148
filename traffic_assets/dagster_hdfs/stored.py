"""A value together with what is published beside it.

Assets hand one to an IO manager instead of the bare value when they have a record, small files or a reason to
refuse a partition; an input annotated `Stored` gets the record and the generations back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from traffic_assets.dagster_hdfs.publish import Generation


@dataclass(frozen=True)
class Stored:
    """A value and its company.

    Attributes:
        value: what is stored: a DataFrame, an ML model or a JSON document.
        record: JSON-able facts kept in the pointer, for one partition or all of them.
        records: further facts by partition key.
        files: small files published beside the value in the folder `_files`, by name.
        folders: DataFrames published beside the value, by the name of their folder (which begins with `_`, so
            that Spark does not read them with the value).
        refused: by partition key, why it is not published; the others are, before the run fails.
        generations: by partition key, what was loaded; empty on the way out.
    """

    value: Any
    record: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    folders: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    generations: Mapping[str, Generation] = field(default_factory=dict)

    @property
    def generation(self) -> Generation:
        """The one generation that was loaded.

        Raises:
            ValueError: where there is not exactly one.
        """
        if len(self.generations) != 1:
            raise ValueError(f"{len(self.generations)} generations were loaded, not one: {', '.join(self.generations)}")
        return next(iter(self.generations.values()))
