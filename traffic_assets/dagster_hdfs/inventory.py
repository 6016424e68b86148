"""The files of a generation: recorded when it is published, and compared with its folder when it is read.

Otherwise Spark would silently return fewer rows, because it ignores a file of 0 bytes and does not miss a deleted one.
The comparison takes one recursive listing and opens no file. This module imports neither dagster nor pyspark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.generation import BYTES, Generation, describe_partitions, describe_remedy
from traffic_assets.dagster_hdfs.threads import map_in_threads
from traffic_assets.dagster_hdfs.uris import Internal, redact

MARKERS = ("_SUCCESS", Internal.PUBLISHED)
"""Files without content that Spark and the publisher add."""
_CHECKSUMS = ".crc"
_CHECKED_BYTES, _CHECKSUM_BYTES, _CHECKSUM_HEADER = 512, 4, 8
"""Layout of the checksum file that Hadoop's client writes next to each file on a local disk."""


def take_inventory(sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the files whose loss matters, sorted: all except markers and checksum files.

    Args:
        sizes: Bytes of every file, by path below the folder.

    >>> take_inventory({"part-0.parquet": 9, ".part-0.parquet.crc": 12, "_files/map.png": 7, "_SUCCESS": 0})
    {'_files/map.png': 7, 'part-0.parquet': 9}
    """
    names = {path: path.rpartition("/")[2] for path in sizes}
    return {path: sizes[path] for path in sorted(sizes) if names[path][0] != "." and names[path] not in MARKERS}


def require_whole(generations: Sequence[Generation], filesystem: FileSystem) -> None:
    """Raise if files of a generation are missing, or have other sizes than its record.

    The folders are listed in parallel. A record of earlier code has no files; its total of bytes is compared.

    Args:
        generations: Generations of one dataset.
        filesystem: File system of their folders.

    Raises:
        StorageError: If a folder is missing (kind `missing_generation`), or its files differ from the record (kind
            `damaged_generation`). The message names each file, and the remedy.
    """
    listings = map_in_threads(lambda generation: _list_files(generation.uri, filesystem), generations)
    if missing := [g for g, sizes in zip(generations, listings, strict=True) if sizes is None]:
        text = messages.MISSING_GENERATION(
            subject=_describe(missing), paths=[redact(g.uri) for g in missing], remedy=_remedy(missing)
        )
        raise StorageError(text, kind="missing_generation")
    pairs = zip(generations, listings, strict=True)
    if differences := {
        g.uri: compared for g, sizes in pairs if sizes is not None and (compared := dict(_compare(g, sizes)))
    }:
        raise damage_error(generations, differences)


def damage_error(generations: Sequence[Generation], differences: Mapping[str, Mapping[str, str]]) -> StorageError:
    """Return the error for generations that differ from their records.

    Args:
        generations: Generations of one dataset.
        differences: By URI of a damaged generation: for each path, what is stored and what was recorded.
    """
    damaged = [generation for generation in generations if generation.uri in differences]
    files = {redact(path): text for g in damaged for path, text in differences[g.uri].items()}
    text = messages.DAMAGED_GENERATION(subject=_describe(damaged), files=files, remedy=_remedy(damaged))
    return StorageError(text, kind="damaged_generation")


def _list_files(uri: str, filesystem: FileSystem) -> dict[str, int] | None:
    """Return the bytes of each file of a folder; None if there is no such folder."""
    try:
        return filesystem.file_sizes(uri)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _compare(generation: Generation, sizes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the path and the difference of each file that is not as recorded."""
    recorded = generation.files
    if recorded is None:
        expected = generation.record.get(BYTES)
        if expected is not None and not _has_bytes(expected, sizes):
            yield generation.uri, f"{sum(sizes.values())} bytes, {expected} recorded"
        return
    stored = take_inventory(sizes)
    for path, expected in recorded.items():
        if path not in stored:
            yield f"{generation.uri}/{path}", f"missing, {expected} bytes recorded"
        elif stored[path] != expected:
            yield f"{generation.uri}/{path}", f"{stored[path]} bytes, {expected} recorded"
    for path in stored:
        is_hidden = any(part.startswith("_") for part in path.split("/"))
        if path not in recorded and not is_hidden:  # Spark would read its rows
            yield f"{generation.uri}/{path}", f"{stored[path]} bytes, not recorded"


def _has_bytes(expected: int, sizes: Mapping[str, int]) -> bool:
    """Return whether files have a total of bytes, which may include checksum files that a copy has lost."""
    total = sum(sizes.values())
    if total == expected or any(path.endswith(_CHECKSUMS) for path in sizes):
        return total == expected
    lost = sum(_CHECKSUM_HEADER + _CHECKSUM_BYTES * -(-size // _CHECKED_BYTES) for size in sizes.values())
    return total < expected <= total + lost


def _describe(generations: Sequence[Generation]) -> str:
    return describe_partitions(generations[0].dataset, [g.partition for g in generations])


def _remedy(generations: Sequence[Generation]) -> str:
    first = generations[0]
    return describe_remedy(first.remedy, first.dataset, [g.partition for g in generations])
