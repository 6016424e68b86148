"""Atomic publishing: a partition is an immutable generation, and a pointer file names the current one.

    {root}/_staging/<run id>-<token>/                  folder for a writer; nobody reads it
    {root}/_generations/<partition dir>/<generation>/  immutable; a partition dir is `date=K`, or just `K`
    {root}/_pointers/<K>.json                          current generation of K, and its record

Publishing renames the staged folder to its generation, then swaps the pointer. Each is one atomic step, so readers see
the old data or the new, never a part. If two runs publish one partition, the later swap wins. File operations are in
`filesystem.py`; reading with Spark is in `reading.py`, and the comparison of a generation's files with its record in
`inventory.py`. This module does not import dagster.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.generation import (
    BYTES,
    FILES,
    REMEDY,
    UNPARTITIONED,
    Generation,
    describe_partitions,
    describe_remedy,
)
from traffic_assets.dagster_hdfs.inventory import require_whole, take_inventory
from traffic_assets.dagster_hdfs.message import error_text
from traffic_assets.dagster_hdfs.threads import map_in_threads
from traffic_assets.dagster_hdfs.uris import Internal, absolute_uri, join, redact, safe_name, split

__all__ = ["SHORTEST_KEEP", "UNPARTITIONED", "Dataset", "Generation", "PointerError"]

SHORTEST_KEEP = timedelta(hours=24)

_LOG = logging.getLogger(__name__)
_ID = re.compile(r"(\d{8}T\d{12})-[0-9a-f]{8}")
_ID_TIME = "%Y%m%dT%H%M%S%f"
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_POINTER = ".json"


class PointerError(RuntimeError):
    """Error for a pointer file with unexpected content."""


class Dataset:
    """The partitions below one root URI.

    Args:
        root: URI or absolute local path.
        filesystem: File system of `root`, from `filesystem_for(root, spark)`.
        partition_column: Column for the partition key when the data is read, such as `date`; None for none.
        name: Name for messages; None for the last segment of the root.
        remedy: Template of what to do if a partition is damaged; see `generation.describe_remedy`.

    Raises:
        ValueError: If the root is a relative path, or the column's name is not valid.
    """

    def __init__(
        self,
        root: str,
        filesystem: FileSystem,
        partition_column: str | None = None,
        name: str | None = None,
        remedy: str = REMEDY,
    ) -> None:
        if partition_column is not None and not _COLUMN.fullmatch(partition_column):
            raise ValueError(messages.INVALID_COLUMN(column=partition_column))
        self.root = absolute_uri(root).rstrip("/")
        self.filesystem = filesystem
        self.partition_column = partition_column
        self.name = name or split(self.root)[1]
        self.remedy = remedy

    def stage(self, run_id: str) -> str:
        """Create a new folder for a writer, and return its URI.

        The folder exists, so Spark must write into it with mode "append". It may also contain one folder for each of
        many partitions, which are published one by one.
        """
        staged = join(self.root, Internal.STAGING, f"{safe_name(run_id, 'run id')}-{secrets.token_hex(4)}")
        self.filesystem.mkdirs(staged)
        return staged

    def publish(self, partition: str, staged_uri: str, run_id: str, record: dict[str, Any]) -> Generation:
        """Turn a staged folder into the current generation of a partition.

        Args:
            partition: Partition key (UNPARTITIONED for a dataset without partitions).
            staged_uri: URI from `stage`, or of a folder in it. The folder is moved.
            run_id: Run that produced the data.
            record: JSON-serializable facts about the data, stored in the pointer. The bytes of the folder and of each
                file are added.

        Raises:
            ValueError: If a name is not a valid path segment, the folder is not below this dataset's staging, or the
                record contains NaN or infinity.
            TypeError: If the record is not JSON-serializable.
            FileNotFoundError: If the staged folder does not exist.
            StorageError: If storage fails; the partition's current generation is the old or the new one.
        """
        staging = join(self.root, Internal.STAGING)
        below = absolute_uri(staged_uri).removeprefix(f"{staging}/")
        if below == absolute_uri(staged_uri) or ".." in below.split("/"):
            raise ValueError(messages.NOT_STAGED(uri=redact(staged_uri), staging=redact(staging)))
        now = datetime.now(UTC)
        generation_id = f"{now.strftime(_ID_TIME)}-{secrets.token_hex(4)}"
        folder = join(self.root, Internal.GENERATIONS, self._partition_dir(partition))
        sizes = self.filesystem.file_sizes(staged_uri)
        generation = Generation(
            id=generation_id,
            partition=partition,
            uri=join(folder, generation_id),
            published_at=now,
            run_id=safe_name(run_id, "run id"),
            record={**record, BYTES: sum(sizes.values()), FILES: take_inventory(sizes)},
            dataset=self.name,
            remedy=self.remedy,
        )
        pointer = self._to_json(generation)
        _step("staging written", generation)

        self.filesystem.mkdirs(folder)
        self.filesystem.rename(staged_uri, generation.uri)
        _step("renamed", generation)
        # aside in staging, where retention removes what a killed publisher leaves
        aside = join(staging, f"{generation_id}{_POINTER}")
        self.filesystem.write_new(aside, pointer)
        _step("pointer written aside", generation)
        self.filesystem.mkdirs(join(self.root, Internal.POINTERS))
        self.filesystem.replace(aside, self._pointer_uri(partition))
        _step("pointer swapped", generation)
        try:
            # marks for retention that this generation replaced those before it; without it they are only kept longer
            self.filesystem.write_new(join(generation.uri, Internal.PUBLISHED), b"")
        except OSError as error:  # publishing is complete: readers follow the pointer
            _LOG.warning(messages.NOT_MARKED(uri=redact(generation.uri), cause=error_text(error)))
        return generation

    def discard(self, staged_uri: str) -> None:
        """Remove a staged folder that will not be published, without raising; see `FileSystem.discard`."""
        self.filesystem.discard(staged_uri)

    def current(self, partition: str) -> Generation | None:
        """Return the current generation of a partition; None if it was never published.

        Raises:
            PointerError: If the pointer is damaged.
        """
        uri = self._pointer_uri(partition)
        try:
            data = self.filesystem.read_bytes(uri)
        except FileNotFoundError:
            return None
        return self._from_json(data, partition, uri)

    def current_generations(self, partitions: Iterable[str] | None = None) -> dict[str, Generation]:
        """Return the current generation by partition key, without partitions that are not published.

        The pointers are read in parallel.

        Args:
            partitions: Partition keys, in the order of the result; None for all.

        Raises:
            PointerError: If a pointer is damaged.
        """
        keys = self.partitions() if partitions is None else list(partitions)
        generations = zip(keys, map_in_threads(self.current, keys), strict=True)
        return {key: generation for key, generation in generations if generation is not None}

    def require_whole(self, generations: Iterable[Generation]) -> None:
        """Raise if the files of some generations are not those that were published; see `inventory.py`.

        Raises:
            StorageError: If a file or a whole generation is missing, or a file has another size.
        """
        require_whole(list(generations), self.filesystem)

    def files(self, generation: Generation) -> dict[str, bytes]:
        """Return the small files published with the data of a generation, by name.

        If earlier code published it, they are not compared with the record, which does not list them.

        Raises:
            StorageError: If files of the generation are missing, or have other sizes than when they were published.
        """
        if generation.files is not None:
            self.require_whole([generation])
        entries = self._list(join(generation.uri, Internal.FILES))
        return {entry.name: self.filesystem.read_bytes(entry.uri) for entry in entries}

    def partitions(self) -> list[str]:
        """Return the keys of all published partitions, sorted."""
        names = [entry.name for entry in self._list(join(self.root, Internal.POINTERS))]
        return sorted(name.removesuffix(_POINTER) for name in names if name.endswith(_POINTER))

    def newest_partition(self) -> str | None:
        """Return the key of the partition whose pointer was written last; None without any."""
        entries = self._list(join(self.root, Internal.POINTERS))
        pointers = [(entry.modified, entry.name) for entry in entries if entry.name.endswith(_POINTER)]
        return max(pointers)[1].removesuffix(_POINTER) if pointers else None

    def prune_generations(
        self,
        keep: timedelta,
        is_referenced: Callable[[str], bool] | Collection[str],
        now: datetime | None = None,
    ) -> list[str]:
        """Remove generations that were replaced longer than `keep` ago, and staging folders of the same age.

        A current generation is never removed. A generation that never became current (its publisher was killed) has
        replaced nothing, and counts as replaced together with those before it.

        Args:
            keep: Time for which a reader may still use a replaced generation; at least 24 hours.
            is_referenced: URIs of generations that must stay because a model refers to them, or a function that tests
                a URI.
            now: Reference time, for tests.

        Returns:
            URIs that were removed.

        Raises:
            ValueError: If `keep` is too short.
            PointerError: If a pointer is damaged; nothing is removed.
        """
        if keep < SHORTEST_KEEP:
            raise ValueError(messages.SHORT_RETENTION(keep=keep, shortest=SHORTEST_KEEP))
        referenced = is_referenced if callable(is_referenced) else set(is_referenced).__contains__
        before = (now or datetime.now(UTC)) - keep
        folders = self._list(join(self.root, Internal.GENERATIONS))
        by_folder = [self._generations_in(folder) for folder in folders]
        current = {generation.uri for generation in self.current_generations().values()}  # read after the folders
        old = [
            uri
            for generations in by_folder
            for uri, replaced_at in self._find_replacement_times(generations, current)
            if replaced_at < before and uri not in current and not referenced(uri)
        ]
        staged = self._list(join(self.root, Internal.STAGING))
        old += [entry.uri for entry in staged if entry.modified < before]
        for uri in old:
            self.filesystem.delete(uri)
        return old

    def _generations_in(self, folder: FileStatus) -> list[tuple[str, datetime]]:
        """Return URI and time of each generation of a partition, in order."""
        matches = [(entry.uri, _ID.fullmatch(entry.name)) for entry in self._list(folder.uri)]
        return [(uri, datetime.strptime(match[1], _ID_TIME).replace(tzinfo=UTC)) for uri, match in matches if match]

    def _find_replacement_times(
        self, generations: Sequence[tuple[str, datetime]], current: Collection[str]
    ) -> list[tuple[str, datetime]]:
        """Return URI of each generation with the time when another replaced it; otherwise its own time."""
        result: list[tuple[str, datetime]] = []
        replaced: datetime | None = None
        for uri, at in reversed(generations):
            result.append((uri, replaced or at))
            if uri in current or self.filesystem.exists(join(uri, Internal.PUBLISHED)):
                replaced = at
        return result[::-1]

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
        subject = describe_partitions(self.name, [partition])
        remedy = describe_remedy(self.remedy, self.name, [partition])
        try:
            pointer = json.loads(data)
            generations, folder, generation_id = pointer["path"].split("/")
            is_of_partition = (
                generations == Internal.GENERATIONS
                and generation_id == pointer["generation"]
                and _ID.fullmatch(generation_id)
                and f"={folder}".endswith(f"={partition}")
            )
            if not is_of_partition:
                raise PointerError(
                    messages.FOREIGN_POINTER(
                        subject=subject, pointer=redact(uri), path=pointer["path"], partition=partition, remedy=remedy
                    )
                )
            return Generation(
                id=generation_id,
                partition=partition,
                uri=join(self.root, Internal.GENERATIONS, folder, generation_id),
                published_at=datetime.fromisoformat(pointer["published_at"]),
                run_id=pointer["run_id"],
                record=dict(pointer["record"]),
                dataset=self.name,
                remedy=self.remedy,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PointerError(
                messages.DAMAGED_POINTER(subject=subject, pointer=redact(uri), cause=repr(error), remedy=remedy)
            ) from error


def _step(done: str, generation: Generation) -> None:
    _LOG.debug(
        "publish step: %s", done, extra={"step": done, "partition": generation.partition, "generation": generation.id}
    )
