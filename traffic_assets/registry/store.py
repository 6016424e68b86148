"""The registry on any Hadoop URI: register, list, load.

    {root}/<lane>/_claims/v1.1.0.json       owner of the number; an exclusive create, so exactly one process gets it
    {root}/<lane>/_staging/<token>/         files of a registration; nobody reads them, and retention removes them
    {root}/<lane>/v1.1.0/                   immutable: pipeline/ model/ artifacts/ metadata.json MANIFEST.json
    {root}/<lane>/latest.json               derived: the newest version, for readers that cannot list

The version folders are authoritative: a number that was claimed but never published is a gap. The fields of
`metadata.json` are in `metadata.py`; `references` returns the generations that must stay.
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
from traffic_assets.dagster_hdfs.message import find_coded_text
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import registry as messages
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
    """Content of a version to register.

    Attributes:
        lane: Id of the lane: path segments separated by slashes.
        pipeline_uri: URI of the stored PipelineModel (preprocessor and model), which is copied unchanged.
        model_uri: URI of the model inside it.
        artifacts: Small files by name, such as figures.
        metadata: Function that returns the metadata for a version and a time.
        identity: URI of the model's generation. One generation is never registered twice.
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
    """The versions below one root URI, with registering and loading."""

    def register(self, new: NewVersion) -> VersionMetadata:
        """Register the next version of a lane; if the model is registered already, return its version.

        Raises:
            RegistryError: If no free version number is found.
            ValueError: If a name is not a valid path segment.
            StorageError: If storage fails; earlier versions are unchanged.
        """
        for known in reversed(self.versions(new.lane)):
            try:
                metadata = self.metadata(new.lane, known)
            except RegistryError as error:  # damage of an old version must not prevent a new one
                _LOG.warning(find_coded_text(error))
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
        """Remove staged files of registrations that were killed longer than `keep` ago; versions and claims stay.

        Args:
            keep: Time that is longer than any registration.
            now: Reference time, for tests.

        Returns:
            URIs that were removed.

        Raises:
            StorageError: If a file cannot be removed.
        """
        before = (now or datetime.now(UTC)) - keep
        old = [entry.uri for entry in self._staged_below(self.root) if entry.modified < before]
        for uri in old:
            self.filesystem.delete(uri)
        return old

    def remove_leftovers(self, keep: timedelta, now: datetime | None = None) -> list[str]:
        """Call `prune_staging`; the old name works until 1.0."""
        warn_renamed("ModelRegistry.remove_leftovers", "ModelRegistry.prune_staging")
        return self.prune_staging(keep, now)

    def load(self, lane: str, version: str = "latest") -> LoadedModel:
        """Verify the files of a version, and return it ready to predict.

        The metadata names the class of the model, which must be the model class of an algorithm. Each stage must have a
        known class too. No other class is imported, and no pickle is read. Requires an active Spark session.

        Raises:
            RegistryError: If the version is missing or damaged, has an unknown class, or could run other code.
        """
        metadata = self.metadata(lane, version)
        known = {algorithm.model_class for algorithm in algorithms().values()}
        if metadata.model_class not in known:
            raise RegistryError(
                messages.UNKNOWN_MODEL_CLASS(
                    lane=lane,
                    version=metadata.version,
                    model_class=metadata.model_class,
                    known=sorted(known),
                    algorithm=metadata.algorithm,
                )
            )
        self.verify(lane, metadata.version)
        uri = self._version_uri(lane, metadata.version)
        if reasons := [r for folder in (PIPELINE, MODEL) for r in unsafe_stages(f"{uri}/{folder}", self.filesystem)]:
            raise RegistryError(messages.UNSAFE_VERSION(lane=lane, version=metadata.version, reasons=reasons))
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
        """Claim and return the next free number; concurrent processes get different ones.

        A folder that was copied by hand does not count as the newest version, but its number is not free either.
        """
        lane_uri = self._lane_uri(new.lane)
        self.filesystem.mkdirs(f"{lane_uri}/{CLAIMS}")
        claimed = [
            Version.parse(e.name.removesuffix(".json"))
            for e in self.filesystem.list(f"{lane_uri}/{CLAIMS}")
            if VERSION.fullmatch(e.name.removesuffix(".json"))
        ]
        newest, folders = self._newest(new.lane), set(self._versions(new.lane))
        taken = [*claimed, *([newest] if newest else [])]
        version = max(taken).next() if taken else Version(*FIRST)
        content = json.dumps({"model": new.identity, "claimed_at": datetime.now(UTC).isoformat()}).encode()
        for _ in range(_TRIES):
            claim = f"{lane_uri}/{CLAIMS}/{version}.json"
            if version not in folders and self.filesystem.create_exclusive(claim, content):
                return version
            version = version.next()
        raise RegistryError(messages.NO_FREE_VERSION(lane=new.lane, tries=_TRIES, claims=f"{lane_uri}/{CLAIMS}"))

    def _point_to_latest(self, lane: str) -> None:
        """Swap `latest.json`, and repeat this if another version was published meanwhile."""
        uri = f"{self._lane_uri(lane)}/{LATEST}"
        while True:
            newest = self.latest(lane)
            self.filesystem.write_bytes(uri, json.dumps({"version": newest, "path": newest}).encode())
            if self.latest(lane) == newest:
                return

    def _staged_below(self, uri: str) -> Iterable[FileStatus]:
        """Yield staged folders and files written aside, of lanes with and without a version."""
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
