"""The manifest of a version: the SHA-256 of every file, which reveals a change before anything is loaded."""

import hashlib
import json
from collections.abc import Iterable

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.messages import registry as messages

MANIFEST = "MANIFEST.json"


def write_manifest(uri: str, version: str, filesystem: FileSystem) -> None:
    """Write the manifest of the files below a folder, next to them."""
    manifest = {"version": version, "sha256": dict(checksums(uri, filesystem))}
    filesystem.write_new(f"{uri}/{MANIFEST}", json.dumps(manifest, indent=1).encode())


def changed_files(uri: str, filesystem: FileSystem) -> list[str]:
    """Return the files below a folder that are missing, added or changed since its manifest was written.

    Raises:
        ValueError: If the manifest is missing or cannot be read.
    """
    try:
        expected = dict(json.loads(filesystem.read_bytes(f"{uri}/{MANIFEST}"))["sha256"])
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(messages.NO_MANIFEST(uri=f"{uri}/{MANIFEST}")) from error
    actual = {path: checksum for path, checksum in checksums(uri, filesystem) if path != MANIFEST}
    return sorted(path for path in actual.keys() | expected.keys() if actual.get(path) != expected.get(path))


def checksums(uri: str, filesystem: FileSystem, prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield the path of every file below a folder, with its SHA-256."""
    for entry in filesystem.list(uri):
        path = f"{prefix}{entry.name}"
        if entry.is_dir:
            yield from checksums(entry.uri, filesystem, f"{path}/")
        else:
            yield path, hashlib.sha256(filesystem.read_bytes(entry.uri)).hexdigest()
