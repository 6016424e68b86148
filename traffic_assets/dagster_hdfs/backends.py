"""Which file system a URI is on: the local disk, Hadoop's client, or a storage backend of an installed package.

A package's backend is an entry point called like its URI scheme. It is imported when the scheme is used and not
before, so one that is broken harms nobody else. What a file system promises is said in `filesystem.py`. Imports
neither dagster nor pyspark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.uris import LOCAL, is_local, local_path, redact, scheme_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GROUP = "traffic_assets.storage"

Factory = Callable[[str, "Callable[[], SparkSession] | None"], "FileSystem"]
"""What an entry point gives: makes the file system for a URI; the session, if there is one, is not asked for before
the first operation."""


class BackendError(ValueError):
    """A backend of an installed package cannot be used; the message names the package."""


@dataclass(frozen=True)
class Backend:
    """One entry point of an installed package.

    Attributes:
        scheme: of the URIs that are its own, in lower case.
        source: what it points at, as `module:object`.
        distribution: name and version of the package.
        point: the entry point.
    """

    scheme: str
    source: str
    distribution: str
    point: EntryPoint

    def factory(self) -> Factory:
        """What makes its file systems.

        Raises:
            BackendError: the scheme is not free, the import fails, or nothing that can be called is there.
        """
        if self.scheme == LOCAL:
            raise self.error(f"the scheme {LOCAL!r} is the local disk's: choose another")
        rivals = [other.distribution for other in backends() if other.scheme == self.scheme]
        if len(rivals) > 1:
            raise self.error(f"{' and '.join(rivals)} give the same scheme: uninstall all but one")
        try:
            found: Any = self.point.load()
        except Exception as error:  # whatever somebody's module raises at import
            raise self.error(f"it cannot be imported: {type(error).__name__}: {error}") from error
        if not callable(found):
            raise self.error(f"the entry point gives no function or class; what it gives is a {type(found).__name__}")
        return found

    def error(self, what: str) -> BackendError:
        """An error that names the package."""
        return BackendError(
            f"the storage backend {self.scheme} of {self.distribution} (entry point {self.point.name} = {self.source} "
            f"in {GROUP}) cannot be used: {what}"
        )


@cache
def backends() -> tuple[Backend, ...]:
    """The backends of installed packages, usable or not, by scheme."""
    found = [
        Backend(
            point.name.lower(),
            point.value,
            f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package",
            point,
        )
        for point in entry_points(group=GROUP)
    ]
    return tuple(sorted(found, key=lambda backend: (backend.scheme, backend.distribution)))


def backend_of(uri: str) -> Backend | None:
    """The backend that a URI belongs to, if an installed package has one for its scheme; the local disk has none."""
    scheme = scheme_of(uri)
    return None if scheme == LOCAL else next((backend for backend in backends() if backend.scheme == scheme), None)


def filesystem_for(uri: str, spark: Callable[[], SparkSession] | None = None) -> FileSystem:
    """The file system that a URI is on.

    Args:
        uri: a `file:` URI or absolute local path, one in the scheme of an installed backend, or any URI that Hadoop
            has a client for.
        spark: gives the Spark session for the latter; not called before the first operation.

    Raises:
        ValueError: the URI is a relative path, or needs a session and none can be had.
        BackendError: the scheme's backend cannot be used.
    """
    if is_local(uri):
        local_path(uri)
        return LocalFileSystem()
    if backend := backend_of(uri):
        made: object = backend.factory()(uri, spark)
        if not isinstance(made, FileSystem):
            raise backend.error(f"it made no FileSystem for {redact(uri)}, but a {type(made).__name__}")
        return made
    if spark is None:
        raise ValueError(
            f"{redact(uri)} is reached by Hadoop's client in a Spark session: pass `spark`, a "
            "function that returns the session, or use a file: URI"
        )
    from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem

    return HadoopFileSystem(spark)
