"""The registry on any Hadoop URI: register, list, load.

    {root}/<lane>/_claims/v1.1.0.json       who took the number; an exclusive create, so there is one winner
    {root}/<lane>/_staging/<token>/         files being gathered; nobody reads it, and retention removes it in time
    {root}/<lane>/v1.1.0/                   immutable: pipeline/ model/ artifacts/ metadata.json MANIFEST.json
    {root}/<lane>/latest.json               derived: the newest version, for those who cannot list

The version directories are the truth: a number that was claimed but never published is a gap, no version. What
is in `metadata.json` is defined in `metadata.py`; which generations must stay is told by `references`.
"""

import importlib
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from traffic_assets.dagster_hdfs.filesystem import FileStatus
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.ml.algorithm import algorithms
from traffic_assets.registry.manifest import write_manifest
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.reading import METADATA, RegistryReader
from traffic_assets.registry.safety import unsafe_stages
from traffic_assets.registry.versions import FIRST, VERSION, RegistryError, Version

if TYPE_CHECKING:
    from pyspark.ml import Model, PipelineModel

_LOG = logging.getLogger(__name__)
LATEST = "latest.json"
PIPELINE, MODEL, ARTIFACTS = "pipeline", "model", "artifacts"
CLAIMS = "_claims"
_TRIES = 1000


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


class ModelRegistry(RegistryReader):
    """The versions below one root URI: registering and loading beside reading."""

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

    def prune_staging(self, keep: timedelta, now: datetime | None = None) -> list[str]:
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
        old = [entry.uri for entry in self._staged_below(self.root) if entry.modified < before]
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
        if reasons := [r for folder in (PIPELINE, MODEL) for r in unsafe_stages(f"{uri}/{folder}", self.filesystem)]:
            raise RegistryError(f"{lane} {metadata.version} is not loaded: {'; '.join(reasons)}")
        from pyspark.ml import PipelineModel

        module, _, name = metadata.model_class.rpartition(".")
        model_class = getattr(importlib.import_module(module), name)
        return LoadedModel(
            pipeline=PipelineModel.load(f"{uri}/{PIPELINE}"),
            model=model_class.load(f"{uri}/{MODEL}"),
            metadata=metadata,
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
        write_manifest(staged, str(version), filesystem)
        return metadata

    def _claim(self, new: NewVersion) -> Version:
        """Take the next free number; among many at once, each gets its own."""
        lane_uri = self._lane_uri(new.lane)
        self.filesystem.mkdirs(f"{lane_uri}/{CLAIMS}")
        claimed = [
            Version.parse(e.name.removesuffix(".json"))
            for e in self.filesystem.list(f"{lane_uri}/{CLAIMS}")
            if VERSION.fullmatch(e.name.removesuffix(".json"))
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

    def _staged_below(self, uri: str) -> Iterable[FileStatus]:
        """Staged folders and files written aside, of lanes with and without a version."""
        try:
            entries = self.filesystem.list(uri)
        except FileNotFoundError:
            return
        yield from self.filesystem.list_aside(uri)
        for entry in entries:
            if not entry.is_dir or VERSION.fullmatch(entry.name):
                continue
            if entry.name == Internal.STAGING:
                yield from self.filesystem.list(entry.uri)
            else:
                yield from self._staged_below(entry.uri)


def _step(done: str, lane: str, version: Version) -> None:
    _LOG.debug("registry step: %s", done, extra={"step": done, "lane": lane, "version": str(version)})
