"""Atomic publish: a partition is an immutable generation, and a pointer file says which one is current.

    {root}/_staging/<run id>-<token>/                  what a writer fills; nobody reads it
    {root}/_generations/<partition dir>/<generation>/  immutable; a partition dir is `date=K`, or just `K`
    {root}/_pointers/<K>.json                          which generation of K is current, and its record

A publish renames the staged folder to its generation and then swaps the pointer, each in one step: readers
see the old data or the new, whole. Two publishers of one partition leave one current generation, that of the
later swap. File operations are in `filesystem.py`; reading with Spark is in `reading.py`. Imports no dagster.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.uris import Internal, absolute_uri, join, redact, safe_name

UNPARTITIONED = "all"
"""The partition key of a dataset without partitions."""

SHORTEST_KEEP = timedelta(hours=24)

_LOG = logging.getLogger(__name__)
_ID = re.compile(r"(\d{8}T\d{12})-[0-9a-f]{8}")
_ID_TIME = "%Y%m%dT%H%M%S%f"
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_POINTER = ".json"


class PointerError(RuntimeError):
    """A pointer file does not hold what a publish writes."""


@dataclass(frozen=True)
class Generation:
    """One published copy of a partition; `record` holds JSON-able facts (rows, schema, provenance...)."""

    id: str
    partition: str
    uri: str
    published_at: datetime
    run_id: str
    record: dict[str, Any]


class Dataset:
    """The partitions below one root URI.

    Args:
        root: a URI or absolute local path.
        filesystem: the one that `root` is on (`filesystem_for(root, spark)`).
        partition_column: the column that the partition key becomes when the data is read (`date`), or None.

    Raises:
        ValueError: the root is a relative path, or the column's name is not a plain one.
    """

    def __init__(self, root: str, filesystem: FileSystem, partition_column: str | None = None) -> None:
        if partition_column is not None and not _COLUMN.fullmatch(partition_column):
            raise ValueError(
                f"{partition_column!r} cannot be a partition column: use ASCII letters, digits "
                "and _, beginning with a letter"
            )
        self.root = absolute_uri(root).rstrip("/")
        self.filesystem = filesystem
        self.partition_column = partition_column

    def stage(self, run_id: str) -> str:
        """Make a fresh folder for a writer; returns its URI.

        Spark has to write into it with mode "append", since it is there. It may also hold one folder for each
        of many partitions, each published by itself.
        """
        staged = join(self.root, Internal.STAGING, f"{safe_name(run_id, 'run id')}-{secrets.token_hex(4)}")
        self.filesystem.mkdirs(staged)
        return staged

    def publish(self, partition: str, staged_uri: str, run_id: str, record: dict[str, Any]) -> Generation:
        """Make a staged folder the current generation of a partition.

        Args:
            partition: the partition key (UNPARTITIONED for a dataset without partitions).
            staged_uri: what `stage` returned, or a folder in it; it is gone afterwards.
            run_id: the run that made the data.
            record: JSON-able facts about the data, kept in the pointer.

        Raises:
            ValueError: a name is not fit for a path, the folder is not below this dataset's staging, or the
                record holds a number that JSON has not (NaN, infinity).
            TypeError: the record is not JSON-able.
            FileNotFoundError: there is no such staged folder.
            StorageError: storage failed; the partition's current generation is the old or the new one.
        """
        staging = join(self.root, Internal.STAGING)
        below = absolute_uri(staged_uri).removeprefix(f"{staging}/")
        if below == absolute_uri(staged_uri) or ".." in below.split("/"):
            raise ValueError(f"{redact(staged_uri)} is not in {redact(staging)}: publish a folder made by stage()")
        now = datetime.now(UTC)
        generation_id = f"{now.strftime(_ID_TIME)}-{secrets.token_hex(4)}"
        folder = join(self.root, Internal.GENERATIONS, self._partition_dir(partition))
        generation = Generation(
            generation_id, partition, join(folder, generation_id), now, safe_name(run_id, "run id"), record
        )
        pointer = self._to_json(generation)
        _step("staging written", generation)

        self.filesystem.mkdirs(folder)
        self.filesystem.rename(staged_uri, generation.uri)
        _step("renamed", generation)
        # aside in staging, where what a killed publisher leaves behind is removed in time
        aside = join(staging, f"{generation_id}{_POINTER}")
        self.filesystem.write_new(aside, pointer)
        _step("pointer written aside", generation)
        self.filesystem.mkdirs(join(self.root, Internal.POINTERS))
        self.filesystem.replace(aside, self._pointer_uri(partition))
        _step("pointer swapped", generation)
        try:
            # tells the retention that this one took the place of those before it; without it they only stay longer
            self.filesystem.write_new(join(generation.uri, Internal.PUBLISHED), b"")
        except OSError as error:  # it is published all the same: readers follow the pointer
            _LOG.warning("%s is published, but not marked as such for the retention: %s", redact(generation.uri), error)
        return generation

    def discard(self, staged_uri: str) -> None:
        """Remove a staged folder that will not be published, as `FileSystem.discard`: it never raises."""
        self.filesystem.discard(staged_uri)

    def current(self, partition: str) -> Generation | None:
        """The current generation of a partition; None if it was never published.

        Raises:
            PointerError: the pointer is damaged.
        """
        uri = self._pointer_uri(partition)
        try:
            data = self.filesystem.read_bytes(uri)
        except FileNotFoundError:
            return None
        return self._from_json(data, partition, uri)

    def current_generations(self, partitions: Iterable[str] | None = None) -> dict[str, Generation]:
        """The current generations of the given partitions (None: all), in order, without unpublished ones."""
        keys = self.partitions() if partitions is None else partitions
        found = ((key, self.current(key)) for key in keys)
        return {key: generation for key, generation in found if generation is not None}

    def files(self, generation: Generation) -> dict[str, bytes]:
        """The small files published beside the data of a generation, by name; none where it has none."""
        entries = self._list(join(generation.uri, Internal.FILES))
        return {entry.name: self.filesystem.read_bytes(entry.uri) for entry in entries}

    def partitions(self) -> list[str]:
        """The keys of all published partitions, sorted."""
        names = [entry.name for entry in self._list(join(self.root, Internal.POINTERS))]
        return sorted(name.removesuffix(_POINTER) for name in names if name.endswith(_POINTER))

    def prune_generations(
        self,
        keep: timedelta,
        is_referenced: Callable[[str], bool] | Collection[str],
        now: datetime | None = None,
    ) -> list[str]:
        """Remove generations that were replaced longer than `keep` ago, and staging folders as old as that.

        A current generation is never removed. One that never became current (its publisher was killed) replaced
        nothing, and counts as replaced together with those before it.

        Args:
            keep: how long a reader may still work on what it found; at least 24 hours.
            is_referenced: the URIs of generations that must stay (a model names them), or a test for one.
            now: the time to count from, for tests.

        Returns:
            The URIs that were removed.

        Raises:
            ValueError: `keep` is too short.
            PointerError: a pointer is damaged; nothing was removed.
        """
        if keep < SHORTEST_KEEP:
            raise ValueError(
                f"keep={keep} is too short: a run that reads an old generation would lose "
                f"it; give at least {SHORTEST_KEEP}"
            )
        referenced = is_referenced if callable(is_referenced) else set(is_referenced).__contains__
        before = (now or datetime.now(UTC)) - keep
        folders = self._list(join(self.root, Internal.GENERATIONS))
        found = [self._generations_in(folder) for folder in folders]
        current = {generation.uri for generation in self.current_generations().values()}  # read after the folders
        old = [
            uri
            for generations in found
            for uri, replaced_at in self._replaced(generations, current)
            if replaced_at < before and uri not in current and not referenced(uri)
        ]
        staged = self._list(join(self.root, Internal.STAGING))
        old += [entry.uri for entry in staged if entry.modified < before]
        for uri in old:
            self.filesystem.delete(uri)
        return old

    def _generations_in(self, folder: FileStatus) -> list[tuple[str, datetime]]:
        """URI and time of each generation of a partition, in order."""
        matches = [(entry.uri, _ID.fullmatch(entry.name)) for entry in self._list(folder.uri)]
        return [(uri, datetime.strptime(match[1], _ID_TIME).replace(tzinfo=UTC)) for uri, match in matches if match]

    def _replaced(
        self, generations: Sequence[tuple[str, datetime]], current: Collection[str]
    ) -> list[tuple[str, datetime]]:
        """URI of each generation with the time when another took its place (where none did: its own time)."""
        found: list[tuple[str, datetime]] = []
        replaced: datetime | None = None
        for uri, at in reversed(generations):
            found.append((uri, replaced or at))
            if uri in current or self.filesystem.exists(join(uri, Internal.PUBLISHED)):
                replaced = at
        return found[::-1]

    def _list(self, uri: str) -> list[FileStatus]:
        try:
            return self.filesystem.list(uri)
        except FileNotFoundError:
            return []

    def _partition_dir(self, partition: str) -> str:
        safe_name(partition, "partition key")
        return f"{self.partition_column}={partition}" if self.partition_column else partition

    def _pointer_uri(self, partition: str) -> str:
        return join(self.root, Internal.POINTERS, f"{safe_name(partition, 'partition key')}{_POINTER}")

    def _to_json(self, generation: Generation) -> bytes:
        pointer = {
            "generation": generation.id,
            "path": generation.uri.removeprefix(f"{self.root}/"),
            "published_at": generation.published_at.isoformat(),
            "run_id": generation.run_id,
            "record": generation.record,
        }
        return json.dumps(pointer, indent=1, allow_nan=False).encode()

    def _from_json(self, data: bytes, partition: str, uri: str) -> Generation:
        try:
            pointer = json.loads(data)
            generations, folder, generation_id = pointer["path"].split("/")
            if (
                generations != Internal.GENERATIONS
                or generation_id != pointer["generation"]
                or not _ID.fullmatch(generation_id)
                or not f"={folder}".endswith(f"={partition}")
            ):
                raise ValueError(f"its path {pointer['path']!r} is none of partition {partition!r}")
            return Generation(
                id=generation_id,
                partition=partition,
                uri=join(self.root, Internal.GENERATIONS, folder, generation_id),
                published_at=datetime.fromisoformat(pointer["published_at"]),
                run_id=pointer["run_id"],
                record=pointer["record"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PointerError(
                f"The pointer {redact(uri)} is damaged ({error!r}): materialize the partition "
                "again, or restore the file; the generations are not touched"
            ) from error


def _step(done: str, generation: Generation) -> None:
    _LOG.debug(
        "publish step: %s", done, extra={"step": done, "partition": generation.partition, "generation": generation.id}
    )
