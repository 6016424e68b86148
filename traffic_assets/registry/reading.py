"""Reading a registry without Spark: list, metadata, verify.

Not here: registering and loading (`store.py`). Nothing here imports pyspark or dagster, so a small service can use it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.uris import absolute_uri, join
from traffic_assets.registry.manifest import MANIFEST, changed_files
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.versions import VERSION, RegistryError, Version

METADATA = "metadata.json"


class RegistryReader:
    """The versions below one root URI.

    Args:
        root: a URI, such as hdfs://namenode:9000/traffic-data/models, or an absolute local path.
        filesystem: the one that `root` is on.

    Raises:
        ValueError: the root is a relative path.
    """

    def __init__(self, root: str, filesystem: FileSystem) -> None:
        self.root = absolute_uri(root).rstrip("/")  # Spark would look for a bare path where fs.defaultFS says
        self.filesystem = filesystem

    def lanes(self) -> list[str]:
        """Ids of the lanes that have a version, sorted."""
        return sorted(self._lanes_below(self.root, ""))

    def versions(self, lane: str) -> list[str]:
        """The published versions of a lane, oldest first."""
        return [str(version) for version in self._versions(lane)]

    def latest(self, lane: str) -> str:
        """The newest version.

        Raises:
            RegistryError: where the lane has none.
        """
        versions = self._versions(lane)
        if not versions:
            raise RegistryError(
                f"no model is registered as {lane!r}; registered are: {', '.join(self.lanes()) or 'none'}"
            )
        return str(versions[-1])

    def metadata(self, lane: str, version: str = "latest") -> VersionMetadata:
        """The metadata of a version.

        Raises:
            RegistryError: where there is no such version, or its metadata cannot be read.
        """
        uri = self._version_uri(lane, version)
        try:
            return VersionMetadata.model_validate_json(self.filesystem.read_bytes(f"{uri}/{METADATA}"))
        except (FileNotFoundError, ValidationError) as error:
            raise self._damaged(lane, version, uri, METADATA) from error

    def all_versions(self, notify: Callable[["RegistryError"], None] | None = None) -> list[VersionMetadata]:
        """The metadata of every version of every lane.

        Args:
            notify: told of each version whose metadata cannot be read; without it the first one raises.

        Raises:
            RegistryError: see `notify`.
        """
        found = []
        for lane in self.lanes():
            for version in self.versions(lane):
                try:
                    found.append(self.metadata(lane, version))
                except RegistryError as error:
                    if notify is None:
                        raise
                    notify(error)
        return found

    def references(self) -> set[str]:
        """Ids of the generations that registered versions refer to.

        Raises:
            RegistryError: where a version's metadata cannot be read, so that what it refers to is not known.
        """
        return {id_ for metadata in self.all_versions() for id_ in metadata.training.references}

    def verify(self, lane: str, version: str = "latest") -> None:
        """Hold a version's files against its manifest.

        Raises:
            RegistryError: naming the files that are missing, added or changed.
        """
        uri = self._version_uri(lane, version)
        try:
            wrong = changed_files(uri, self.filesystem)
        except ValueError as error:
            raise self._damaged(lane, version, uri, MANIFEST) from error
        if wrong:
            raise self._damaged(lane, version, uri, *wrong)

    def _damaged(self, lane: str, version: str, uri: str, *files: str) -> RegistryError:
        return RegistryError(
            f"{lane} {version} at {uri} is damaged: {', '.join(files)} missing, added or changed (see {MANIFEST}); "
            f"use another version ({', '.join(self.versions(lane))})"
        )

    def _versions(self, lane: str) -> list[Version]:
        try:
            entries = self.filesystem.list(self._lane_uri(lane))
        except FileNotFoundError:
            return []
        return sorted(Version.parse(e.name) for e in entries if e.is_dir and VERSION.fullmatch(e.name))

    def _version_uri(self, lane: str, version: str) -> str:
        wanted = self.latest(lane) if version == "latest" else str(Version.parse(version))
        if wanted not in (versions := self.versions(lane)):
            raise RegistryError(f"{lane} has no version {wanted}; it has: {', '.join(versions) or 'none'}")
        return f"{self._lane_uri(lane)}/{wanted}"

    def _lane_uri(self, lane: str) -> str:
        segments = lane.split("/")
        if any(VERSION.fullmatch(segment) for segment in segments):
            raise ValueError(f"{lane!r} cannot be a lane: it would lie inside a version, which is immutable")
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


def summary(metadata: VersionMetadata) -> dict[str, Any]:
    """One line of a list of versions."""
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
