"""Storage backends of installed packages, found by the scheme of a URI; nothing here creates a file system.

The entry point of a package's backend has the name of its URI scheme. It is imported when the scheme is first used, so
a broken backend affects only its own scheme. Not here: the file system of a URI (`backends.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.uris import LOCAL, get_scheme

GROUP = "traffic_assets.storage"

Factory = Callable[..., Any]
"""Function or class of an entry point that creates the file system for a URI. It must not call the function for the
session before the first operation."""


class BackendError(ValueError):
    """Failure of a backend of an installed package; the message names the package."""


@dataclass(frozen=True)
class Backend:
    """One entry point of an installed package.

    Attributes:
        scheme: URI scheme in lower case.
        source: Object that the entry point names, as `module:object`.
        distribution: Name and version of the package.
        point: Entry point.
    """

    scheme: str
    source: str
    distribution: str
    point: EntryPoint

    def factory(self) -> Factory:
        """Return the function or class that creates the backend's file systems.

        Raises:
            BackendError: If the scheme is not free, the import fails, or the entry point refers to nothing callable.
        """
        if self.scheme == LOCAL:
            raise BackendError(messages.BACKEND_OF_LOCAL_DISK(backend=str(self), scheme=LOCAL))
        rivals = [other.distribution for other in backends() if other.scheme == self.scheme]
        if len(rivals) > 1:
            raise BackendError(messages.BACKEND_RIVALS(backend=str(self), packages=rivals))
        try:
            loaded: Any = self.point.load()
        except Exception as error:  # the import of a package can raise anything
            cause = f"{type(error).__name__}: {error}"
            raise BackendError(messages.BACKEND_NOT_IMPORTED(backend=str(self), cause=cause)) from error
        if not callable(loaded):
            raise BackendError(messages.BACKEND_NOT_CALLABLE(backend=str(self), type=type(loaded).__name__))
        return loaded

    def __str__(self) -> str:
        return f"{self.scheme} of {self.distribution} (entry point {self.point.name} = {self.source} in {GROUP})"


@cache
def backends() -> tuple[Backend, ...]:
    """Return the backends of installed packages, usable or not, sorted by scheme."""
    unsorted = [
        Backend(
            point.name.lower(),
            point.value,
            f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package",
            point,
        )
        for point in entry_points(group=GROUP)
    ]
    return tuple(sorted(unsorted, key=lambda backend: (backend.scheme, backend.distribution)))


def find_backend(uri: str) -> Backend | None:
    """Return the backend for a URI's scheme; None if no installed package has one, and for the local disk."""
    scheme = get_scheme(uri)
    return None if scheme == LOCAL else next((backend for backend in backends() if backend.scheme == scheme), None)
