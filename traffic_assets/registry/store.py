"""The registry on any Hadoop URI: register, list, load.

    {root}/<lane>/_claims/v1.1.0.json       who took the number; an exclusive create, so there is one winner
    {root}/<lane>/_staging/<token>/         files being gathered; nobody reads it, and retention removes it in time
    {root}/<lane>/v1.1.0/                   immutable: pipeline/ model/ artifacts/ metadata.json MANIFEST.json
    {root}/<lane>/latest.json               derived: the newest version, for those who cannot list

The version directories are the truth: a number that was claimed but never published is a gap, no version. What
is in `metadata.json` is defined in `metadata.py`; which generations must stay is told by `references`.
"""

import hashlib
import importlib
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.uris import Internal, absolute_uri, join
from traffic_assets.ml.algorithms import algorithms
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.safety import objections

if TYPE_CHECKING:
    from pyspark.ml import Model, PipelineModel

_LOG = logging.getLogger(__name__)
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
FIRST = (1, 0, 0)
METADATA, MANIFEST, LATEST = "metadata.json", "MANIFEST.json", "latest.json"
PIPELINE, MODEL, ARTIFACTS = "pipeline", "model", "artifacts"
CLAIMS = "_claims"
_TRIES = 1000


class RegistryError(RuntimeError):
    """A version cannot be registered, found or loaded; the message says why and what there is."""


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """The version that a text such as v1.2.0 means.

        Raises:
            RegistryError: where it means none.
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise RegistryError(f"{text!r} is no version: the form is v1.0.0, or latest")
        return cls(*(int(part) for part in match.groups()))

    def next(self) -> "Version":
        """The one after: a retrained model is a new minor version."""
        return Version(self.major, self.minor + 1, 0)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class NewVersion:
    """What becomes a version.

    Attributes:
        lane: id of the lane; path segments separated by slashes.
        pipeline_uri: the stored PipelineModel (preprocessor and model), copied as it is.
        model_uri: the bare model inside it.
        artifacts: small files by name, such as pictures.
        metadata: makes the metadata once the version is known.
        identity: URI of the model's generation: the same generation is never registered twice.
    """

    lane: str
    pipeline_uri: str
    model_uri: str
    artifacts: Mapping[str, bytes]
    metadata: Callable[[str, datetime], VersionMetadata]
    identity: str


@dataclass(frozen=True)
class LoadedModel:
    """A version ready to predict."""

    pipeline: "PipelineModel"
    model: "Model"
    metadata: VersionMetadata


class ModelRegistry:
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

    def every(self, damaged: Callable[["RegistryError"], None] | None = None) -> list[VersionMetadata]:
        """The metadata of every version of every lane.

        Args:
            damaged: told of each version whose metadata cannot be read; without it the first one raises.

        Raises:
            RegistryError: see `damaged`.
        """
        found = []
        for lane in self.lanes():
            for version in self.versions(lane):
                try:
                    found.append(self.metadata(lane, version))
                except RegistryError as error:
                    if damaged is None:
                        raise
                    damaged(error)
        return found

    def references(self) -> set[str]:
        """Ids of the generations that registered versions refer to.

        Raises:
            RegistryError: where a version's metadata cannot be read, so that what it refers to is not known.
        """
        return {id_ for metadata in self.every() for id_ in metadata.training.references}

    def register(self, new: NewVersion) -> VersionMetadata:
        """Make the next version of a lane, or return the one that this model already is.

        Raises:
            ValueError: where a name is no safe path segment.
            StorageError: where storage fails; earlier versions stay as they are.
        """
        for known in reversed(self.versions(new.lane)):
            try:
                metadata = self.metadata(new.lane, known)
            except RegistryError as error:  # an old version's damage is no reason to lose a new model
                _LOG.warning("%s", error)
                continue
            if metadata.training.model == new.identity:
                self._point_to_latest(new.lane)
                return metadata
        lane_uri = self._lane_uri(new.lane)
        version = self._claim(new)
        _step("claimed", new.lane, version)
        staged = join(lane_uri, Internal.STAGING, f"{version}-{secrets.token_hex(4)}")
        try:
            metadata = self._gather(new, version, staged)
            _step("files written", new.lane, version)
            self.filesystem.rename(staged, f"{lane_uri}/{version}")
        except BaseException:
            self.filesystem.discard(staged)
            raise
        _step("published", new.lane, version)
        self._point_to_latest(new.lane)
        _step("pointer swapped", new.lane, version)
        return metadata

    def remove_leftovers(self, keep: timedelta, now: datetime | None = None) -> list[str]:
        """Remove what registrations that were killed longer than `keep` ago have left; versions and claims stay.

        Args:
            keep: longer than any registration takes.
            now: the time to count from, for tests.

        Returns:
            The URIs that were removed.

        Raises:
            StorageError: something cannot be removed.
        """
        before = (now or datetime.now(UTC)) - keep
        old = [entry.uri for entry in self._leftovers_below(self.root) if entry.modified < before]
        for uri in old:
            self.filesystem.delete(uri)
        return old

    def load(self, lane: str, version: str = "latest") -> LoadedModel:
        """A version, ready to predict, after its files were held against their checksums.

        The class of the bare model is taken from the metadata and must be one that an algorithm names, and each
        stage must be of a known class: nothing else is imported, and no pickle is ever read. Needs an active Spark
        session.

        Raises:
            RegistryError: where the version is missing, damaged, of an unknown type, or holds what would be run.
        """
        metadata = self.metadata(lane, version)
        known = {algorithm.model_class for algorithm in algorithms().values()}
        if metadata.model_class not in known:
            raise RegistryError(
                f"{lane} {metadata.version} is of the unknown type {metadata.model_class!r}; "
                f"known types: {', '.join(sorted(known))}. If another package brought the algorithm "
                f"{metadata.algorithm!r}, install that package"
            )
        self.verify(lane, metadata.version)
        uri = self._version_uri(lane, metadata.version)
        if reasons := [r for folder in (PIPELINE, MODEL) for r in objections(f"{uri}/{folder}", self.filesystem)]:
            raise RegistryError(f"{lane} {metadata.version} is not loaded: {'; '.join(reasons)}")
        from pyspark.ml import PipelineModel

        module, _, name = metadata.model_class.rpartition(".")
        model_class = getattr(importlib.import_module(module), name)
        return LoadedModel(
            pipeline=PipelineModel.load(f"{uri}/{PIPELINE}"),
            model=model_class.load(f"{uri}/{MODEL}"),
            metadata=metadata,
        )

    def verify(self, lane: str, version: str = "latest") -> None:
        """Hold a version's files against its manifest.

        Raises:
            RegistryError: naming the files that are missing, added or changed.
        """
        uri = self._version_uri(lane, version)
        try:
            expected = dict(json.loads(self.filesystem.read_bytes(f"{uri}/{MANIFEST}"))["sha256"])
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(lane, version, uri, MANIFEST) from error
        found = {path: sum_ for path, sum_ in self._sums(uri) if path != MANIFEST}
        if found != expected:
            wrong = sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))
            raise self._damaged(lane, version, uri, *wrong)

    def _damaged(self, lane: str, version: str, uri: str, *files: str) -> RegistryError:
        return RegistryError(
            f"{lane} {version} at {uri} is damaged: {', '.join(files)} missing, added or changed (see {MANIFEST}); "
            f"use another version ({', '.join(self.versions(lane))})"
        )

    def _gather(self, new: NewVersion, version: Version, staged: str) -> VersionMetadata:
        filesystem = self.filesystem
        filesystem.mkdirs(f"{staged}/{ARTIFACTS}")
        filesystem.copy(new.pipeline_uri, f"{staged}/{PIPELINE}")
        filesystem.copy(new.model_uri, f"{staged}/{MODEL}")
        for name, content in new.artifacts.items():
            filesystem.write_new(join(f"{staged}/{ARTIFACTS}", name), content)
        metadata = new.metadata(str(version), datetime.now(UTC))
        filesystem.write_new(f"{staged}/{METADATA}", metadata.model_dump_json(indent=1).encode())
        manifest = {"version": str(version), "sha256": dict(self._sums(staged))}
        filesystem.write_new(f"{staged}/{MANIFEST}", json.dumps(manifest, indent=1).encode())
        return metadata

    def _claim(self, new: NewVersion) -> Version:
        """Take the next free number; among many at once, each gets its own."""
        lane_uri = self._lane_uri(new.lane)
        self.filesystem.mkdirs(f"{lane_uri}/{CLAIMS}")
        claimed = [
            Version.parse(e.name.removesuffix(".json"))
            for e in self.filesystem.list(f"{lane_uri}/{CLAIMS}")
            if _VERSION.fullmatch(e.name.removesuffix(".json"))
        ]
        taken = [*claimed, *self._versions(new.lane)]
        version = max(taken).next() if taken else Version(*FIRST)
        content = json.dumps({"model": new.identity, "claimed_at": datetime.now(UTC).isoformat()}).encode()
        for _ in range(_TRIES):
            if self.filesystem.create_exclusive(f"{lane_uri}/{CLAIMS}/{version}.json", content):
                return version
            version = version.next()
        raise RegistryError(f"no free version of {new.lane} within {_TRIES} tries; look at {lane_uri}/{CLAIMS}")

    def _point_to_latest(self, lane: str) -> None:
        """Swap `latest.json`; again where another version was published meanwhile."""
        uri = f"{self._lane_uri(lane)}/{LATEST}"
        while True:
            newest = self.latest(lane)
            self.filesystem.write_bytes(uri, json.dumps({"version": newest, "path": newest}).encode())
            if self.latest(lane) == newest:
                return

    def _versions(self, lane: str) -> list[Version]:
        try:
            entries = self.filesystem.list(self._lane_uri(lane))
        except FileNotFoundError:
            return []
        return sorted(Version.parse(e.name) for e in entries if e.is_dir and _VERSION.fullmatch(e.name))

    def _version_uri(self, lane: str, version: str) -> str:
        wanted = self.latest(lane) if version == "latest" else str(Version.parse(version))
        if wanted not in (versions := self.versions(lane)):
            raise RegistryError(f"{lane} has no version {wanted}; it has: {', '.join(versions) or 'none'}")
        return f"{self._lane_uri(lane)}/{wanted}"

    def _lane_uri(self, lane: str) -> str:
        segments = lane.split("/")
        if any(_VERSION.fullmatch(segment) for segment in segments):
            raise ValueError(f"{lane!r} cannot be a lane: it would lie inside a version, which is immutable")
        return join(self.root, *segments)

    def _lanes_below(self, uri: str, prefix: str) -> Iterable[str]:
        try:
            entries = self.filesystem.list(uri)
        except FileNotFoundError:
            return
        folders = [e for e in entries if e.is_dir and not e.name.startswith(("_", "."))]
        if prefix and any(_VERSION.fullmatch(e.name) for e in folders):
            yield prefix
        for entry in folders:
            if not _VERSION.fullmatch(entry.name):
                yield from self._lanes_below(entry.uri, f"{prefix}/{entry.name}" if prefix else entry.name)

    def _leftovers_below(self, uri: str) -> Iterable[FileStatus]:
        """Staged folders and files written aside, of lanes with and without a version."""
        try:
            entries = self.filesystem.list(uri)
        except FileNotFoundError:
            return
        yield from self.filesystem.list_aside(uri)
        for entry in entries:
            if not entry.is_dir or _VERSION.fullmatch(entry.name):
                continue
            if entry.name == Internal.STAGING:
                yield from self.filesystem.list(entry.uri)
            else:
                yield from self._leftovers_below(entry.uri)

    def _sums(self, uri: str, prefix: str = "") -> Iterable[tuple[str, str]]:
        for entry in self.filesystem.list(uri):
            path = f"{prefix}{entry.name}"
            if entry.is_dir:
                yield from self._sums(entry.uri, f"{path}/")
            else:
                yield path, hashlib.sha256(self.filesystem.read_bytes(entry.uri)).hexdigest()


def _step(done: str, lane: str, version: Version) -> None:
    _LOG.debug("registry step: %s", done, extra={"step": done, "lane": lane, "version": str(version)})


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
