"""JSON documents."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.inventory import damage_error
from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager, RangeError
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.uris import join

DOCUMENT = "document.json"


class _Documents(dict[str, Any]):
    """The documents of a range by partition key, as opposed to one document that is a mapping."""


class JsonIOManager(HdfsIOManager):
    """JSON documents, one for each partition.

    The value of a run over several partitions is a mapping of partition key to document. The value of a run of one
    partition is the document itself.
    """

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        documents = value if isinstance(value, _Documents) else {partitions[0]: value}
        contents = {key: json.dumps(documents[key], indent=1, allow_nan=False).encode() for key in partitions}
        for key, content in contents.items():
            self.storage.filesystem.mkdirs(self._folder(folder, key))
            self.storage.filesystem.write_new(f"{self._folder(folder, key)}/{DOCUMENT}", content)
        return {key: {} for key in partitions}

    def _value_of_range(self, value: Any, partitions: Sequence[str], refused: Collection[str]) -> Any:
        if not isinstance(value, Mapping):
            reason = type(value).__name__
        elif missing := sorted(set(partitions) - set(value)):
            reason = f"no document for {', '.join(missing)}"
        elif other := sorted(set(value) - {*partitions, *refused}):
            reason = f"documents for {', '.join(other)}, which the run does not materialize"
        else:
            return _Documents({key: value[key] for key in partitions})
        raise RangeError(messages.RANGE_NOT_COMPLETE(count=len(partitions), reason=reason))

    def _folder(self, base: str, key: str) -> str:
        return join(base, key)

    def _require_whole(self, dataset: Dataset, generations: Sequence[Generation]) -> None:
        """Raise if files of the generations are not as they were published.

        Bytes of earlier code are not compared: its documents contain URIs, which people replace when they move the base
        folder. A document that was cut off is not valid JSON.
        """
        super()._require_whole(dataset, [g if g.files is not None else replace(g, record={}) for g in generations])

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        (generation,) = generations
        uri = f"{generation.uri}/{DOCUMENT}"
        try:
            return json.loads(self.storage.filesystem.read_bytes(uri))
        except FileNotFoundError:
            difference = "missing"
        except ValueError as error:
            difference = f"not valid JSON ({error})"
        raise damage_error(generations, {generation.uri: {uri: difference}})
