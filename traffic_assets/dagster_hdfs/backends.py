"""Storage backends of installed packages: which URI scheme is theirs, by an entry point called like the scheme.

What a backend promises is said in `FileSystem` (`filesystem.py`), which asks here. One is imported when its scheme is
used and not before, so one that is broken harms nobody else. Imports neither dagster nor pyspark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from traffic_assets.dagster_hdfs.uris import LOCAL, scheme_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from traffic_assets.dagster_hdfs.filesystem import FileSystem

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
