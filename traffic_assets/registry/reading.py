"""Reading of a registry without Spark: list, metadata, verify.

Registering and loading are in `store.py`. This module imports neither pyspark nor dagster, so a small service can use
it.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from pydantic import ValidationError

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.uris import absolute_uri, join
from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import registry as messages
from traffic_assets.registry.manifest import MANIFEST, changed_files
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.versions import VERSION, MisplacedVersionError, RegistryError, Version

METADATA = "metadata.json"
OFFERED = 3
"""Most versions that the message about a damaged one offers; each is read whole before."""


class RegistryReader:
    """The versions below one root URI.

    Args:
        root: URI, such as hdfs://namenode:9000/traffic-data/models, or absolute local path.
        filesystem: File system of `root`.

    Raises:
        ValueError: If the root is a relative path.
    """

    def __init__(self, root: str, filesystem: FileSystem) -> None:
        self.root = absolute_uri(root).rstrip("/")  # Spark looks for a bare path on fs.defaultFS
        self.filesystem = filesystem

    def lanes(self) -> list[str]:
        """Return the ids of the lanes with a version, sorted."""
        return sorted(self._lanes_below(self.root, ""))

    def versions(self, lane: str) -> list[str]:
        """Return the published versions of a lane, oldest first."""
        return [str(version) for version in self._versions(lane)]

    def latest(self, lane: str) -> str:
        """Return the newest version of a lane; a folder that contains another version does not count.

        Raises:
            RegistryError: If the lane has no version.
        """
        newest = self._newest(lane)
        if newest is None:
            raise RegistryError(messages.NO_MODEL(lane=lane, lanes=self.lanes()))
        return str(newest)

    def metadata(self, lane: str, version: str = "latest") -> VersionMetadata:
        """Return the metadata of a version.

        Raises:
            RegistryError: If the version does not exist, its metadata cannot be read, or its folder contains another
                version.
        """
        uri = self._version_uri(lane, version)
        metadata = self._read_metadata(lane, uri)
        if not _is_in_place(metadata, lane, uri):
            raise MisplacedVersionError(
                messages.MISPLACED_VERSION(uri=uri, lane=metadata.lane, version=metadata.version)
            )
        return metadata

    def all_versions(self, notify: Callable[["RegistryError"], None] | None = None) -> list[VersionMetadata]:
        """Return the metadata of every version of every lane.

        Args:
            notify: Callback for each version whose metadata cannot be read; without it the first one raises.

        Raises:
            RegistryError: If the metadata of a version cannot be read, and `notify` is None.
        """
        versions = []
        for lane in self.lanes():
            for version in self.versions(lane):
                try:
                    versions.append(self.metadata(lane, version))
                except RegistryError as error:
                    if notify is None:
                        raise
                    notify(error)
        return versions

    def every(self, damaged: Callable[["RegistryError"], None] | None = None) -> list[VersionMetadata]:
        """Return `all_versions`; the old name works until 1.0."""
        warn_renamed("RegistryReader.every", "RegistryReader.all_versions")
        return self.all_versions(damaged)

    def references(self) -> set[str]:
        """Return the ids of the generations that registered versions refer to, and those of misplaced folders.

        Raises:
            RegistryError: If the metadata of a version cannot be read, because its references are then unknown.
        """
        return {
            id_
            for lane in self.lanes()
            for version in self.versions(lane)
            for id_ in self._read_metadata(lane, f"{self._lane_uri(lane)}/{version}").training.references
        }

    def verify(self, lane: str, version: str = "latest") -> None:
        """Raise if a version's files differ from its manifest.

        Raises:
            RegistryError: If files are missing, added or changed; the message lists them.
        """
        uri = self._version_uri(lane, version)
        try:
            changed = changed_files(uri, self.filesystem)
        except ValueError as error:
            raise self._make_damage_error(lane, uri, MANIFEST) from error
        if changed:
            raise self._make_damage_error(lane, uri, *changed)

    def _read_metadata(self, lane: str, uri: str) -> VersionMetadata:
        """Return the metadata in a version's folder, even if it is that of another version."""
        try:
            return self._parse_metadata(uri)
        except (FileNotFoundError, ValidationError) as error:
            raise self._make_damage_error(lane, uri, METADATA) from error

    def _parse_metadata(self, uri: str) -> VersionMetadata:
        return VersionMetadata.model_validate_json(self.filesystem.read_bytes(f"{uri}/{METADATA}"))

    def _make_damage_error(self, lane: str, uri: str, *files: str) -> RegistryError:
        version = uri.rpartition("/")[2]
        others = (str(other) for other in reversed(self._versions(lane)) if str(other) != version)
        intact = islice((other for other in others if self._is_intact(lane, other)), OFFERED)
        return RegistryError(
            messages.DAMAGED_VERSION(
                lane=lane, version=version, uri=uri, files=files, manifest=MANIFEST, versions=[*intact][::-1]
            )
        )

    def _is_readable(self, lane: str, version: str) -> bool:
        """Return whether a folder contains the metadata of the version that it names."""
        uri = f"{self._lane_uri(lane)}/{version}"
        try:
            return _is_in_place(self._parse_metadata(uri), lane, uri)
        except (FileNotFoundError, ValidationError):
            return False

    def _is_intact(self, lane: str, version: str) -> bool:
        """Return whether a version's metadata can be read and its files are those of its manifest."""
        try:
            return self._is_readable(lane, version) and not changed_files(
                f"{self._lane_uri(lane)}/{version}", self.filesystem
            )
        except ValueError:
            return False

    def _newest(self, lane: str) -> Version | None:
        for version in reversed(self._versions(lane)):
            uri = f"{self._lane_uri(lane)}/{version}"
            try:
                if not _is_in_place(self._parse_metadata(uri), lane, uri):
                    continue
            except (FileNotFoundError, ValidationError):
                pass  # a damaged version counts: its number is taken
            return version
        return None

    def _versions(self, lane: str) -> list[Version]:
        try:
            entries = self.filesystem.list(self._lane_uri(lane))
        except FileNotFoundError:
            return []
        return sorted(Version.parse(e.name) for e in entries if e.is_dir and VERSION.fullmatch(e.name))

    def _version_uri(self, lane: str, version: str) -> str:
        name = self.latest(lane) if version == "latest" else str(Version.parse(version))
        if name not in (versions := self.versions(lane)):
            readable = [version for version in versions if self._is_readable(lane, version)]
            raise RegistryError(messages.NO_VERSION(lane=lane, version=name, versions=readable))
        return f"{self._lane_uri(lane)}/{name}"

    def _lane_uri(self, lane: str) -> str:
        segments = lane.split("/")
        if any(VERSION.fullmatch(segment) for segment in segments):
            raise ValueError(messages.INVALID_LANE(lane=lane))
        return join(self.root, *segments)

    def _lanes_below(self, uri: str, prefix: str) -> Iterable[str]:
        try:
            entries = self.filesystem.list(uri)
        except FileNotFoundError:
            return
        folders = [e for e in entries if e.is_dir and not e.name.startswith(("_", "."))]
        if prefix and any(VERSION.fullmatch(e.name) for e in folders):
            yield prefix
        for entry in folders:
            if not VERSION.fullmatch(entry.name):
                yield from self._lanes_below(entry.uri, f"{prefix}/{entry.name}" if prefix else entry.name)


def _is_in_place(metadata: VersionMetadata, lane: str, uri: str) -> bool:
    return (metadata.lane, metadata.version) == (lane, uri.rpartition("/")[2])


def summary(metadata: VersionMetadata) -> dict[str, Any]:
    """Return the line of a version in a list of versions."""
    test, temporal = metadata.metrics["test"], metadata.temporal["metrics"]
    return {
        "lane": metadata.lane,
        "version": metadata.version,
        "kind": metadata.kind,
        "week": metadata.training.week,
        "r2": test["r2"],
        "rmse": test["rmse"],
        "mae": test["mae"],
        "temporal_rmse": temporal["rmse"],
        "created_at": metadata.created_at,
    }
