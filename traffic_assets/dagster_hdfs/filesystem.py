"""One small file system interface over URIs, and its implementation for the local disk by POSIX calls.

Here live file operations. The implementation by Hadoop's client is in `hadoop.py`, names and paths are in
`uris.py`, what an error means is in `errors.py`, how a partition is published is in `publish.py`. Imports no
dagster and no pyspark.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.uris import local_path, redact, split

_LOG = logging.getLogger(__name__)
_ASIDE = ".aside"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What os.link fails with where a file system has no hard links."""


@dataclass(frozen=True)
class FileStatus:
    """One entry of a folder; the size of a folder is 0."""

    uri: str
    name: str
    is_dir: bool
    size: int
    modified: datetime


class FileSystem(ABC):
    """File operations on full URIs, with the same meaning on every storage.

    Every method raises StorageError when storage refuses or does not answer (see `errors.py`), and the
    built-in FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError for paths. What a
    writer has written aside and not yet put in place is never listed.

    A subclass of another package (an entry point in `traffic_assets.storage`, called like the URI scheme) promises
    what the methods say, above all:

    - `rename` of a file is exclusive: of many processes that rename to one free name, exactly one succeeds, and the
      others get FileExistsError. Numbers of versions are claimed so.
    - `rename` of a folder and `replace` are atomic: a reader sees the old or the new, never neither and never a part.
    - What was written, renamed or removed is seen by the next call of every process.
    - URIs come back as they went in, in the same scheme; methods may be called by several threads.
    - Spark writes and reads the tables and models by the same URIs, so Hadoop needs a client for the scheme
      (`spark.hadoop.fs.<scheme>.impl`) that sees the same files.
    """

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Whether a file or folder is there."""

    @abstractmethod
    def _entries(self, uri: str) -> list[FileStatus]:
        """What `list` sorts; raises as it does."""

    def list_aside(self, uri: str) -> list[FileStatus]:
        """What writers have written aside in a folder: under way, or left by one that was killed.

        Raises:
            FileNotFoundError: there is no such folder.
            NotADirectoryError: it is a file.
        """
        return [entry for entry in self._entries(uri) if entry.name.endswith(_ASIDE)]

    def list(self, uri: str) -> list[FileStatus]:
        """The entries of a folder, sorted by name.

        Raises:
            FileNotFoundError: there is no such folder.
            NotADirectoryError: it is a file.
        """
        return sorted(
            (entry for entry in self._entries(uri) if not entry.name.endswith(_ASIDE)), key=lambda entry: entry.name
        )

    @abstractmethod
    def mkdirs(self, uri: str) -> None:
        """Make the folder and those above it; fine if it is there. It is no lock."""

    @abstractmethod
    def read_bytes(self, uri: str) -> bytes:
        """The content of a file; FileNotFoundError if there is none."""

    @abstractmethod
    def write_new(self, uri: str, data: bytes) -> None:
        """Write a new file piece by piece, for a place where nobody reads yet; folders above it are made.

        Raises:
            FileExistsError: something is there.
        """

    def write_bytes(self, uri: str, data: bytes) -> None:
        """Create or replace a file at once: readers see the old content or the new, never a part."""
        self._through_aside(uri, lambda aside: self.write_new(aside, data), self.replace)

    def create_exclusive(self, uri: str, data: bytes) -> bool:
        """Create a file that must not be there: of many processes at once exactly one gets True.

        The file appears with all its content or not at all. On object stores, which have no atomic rename,
        this is only as exclusive as their Hadoop client makes it.
        """
        try:
            self._through_aside(uri, lambda aside: self.write_new(aside, data), self.rename)
        except FileExistsError:
            return False
        return True

    @abstractmethod
    def rename(self, src: str, dst: str) -> None:
        """Rename a file or folder; never into an existing folder, never over anything.

        Raises:
            FileExistsError: something is at `dst`.
            FileNotFoundError: nothing is at `src`, or the folder of `dst` is missing.
        """

    @abstractmethod
    def replace(self, src: str, dst: str) -> None:
        """Move a file over a file (or to a free name) at once; readers of `dst` never miss it.

        Raises:
            FileNotFoundError: nothing is at `src`, or the folder of `dst` is missing.
            IsADirectoryError: one of the two is a folder.
        """

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Remove a file, or a folder with all that is in it; fine if nothing is there."""

    def discard(self, uri: str) -> None:
        """Remove what was staged in vain, or what is left of it.

        Never raises: it runs where an error is told or a publish is done, and retention removes what stays.
        """
        try:
            self.delete(uri)
        except Exception as error:
            _LOG.warning("%s is left to the retention, since it cannot be removed: %s", redact(uri), error)

    @abstractmethod
    def _copy(self, src: str, dst: str) -> None:
        """Copy a file or folder tree to a free name where nobody reads yet."""

    def copy(self, src: str, dst: str) -> None:
        """Copy a file or folder tree, which appears at `dst` whole; folders above it are made.

        Raises:
            FileExistsError: something is at `dst`.
            FileNotFoundError: nothing is at `src`.
            ValueError: `dst` is inside `src`.
        """
        if f"{dst.rstrip('/')}/".startswith(f"{src.rstrip('/')}/"):
            raise ValueError(f"{redact(src)} cannot be copied into itself ({redact(dst)}): choose a target outside")
        if self.exists(dst):
            raise FileExistsError(f"{redact(dst)} already exists: a copy never overwrites")
        self.mkdirs(split(dst)[0])
        self._through_aside(dst, lambda aside: self._copy(src, aside), self.rename)

    @abstractmethod
    def size(self, uri: str) -> int:
        """The bytes of a file, or of all files of a tree; FileNotFoundError if nothing is there."""

    def _through_aside(self, uri: str, make: Callable[[str], None], put: Callable[[str, str], None]) -> None:
        """Make something beside the place where readers look, then put it there in one step."""
        parent, name = split(uri)
        aside = f"{parent}/.{name}.{secrets.token_hex(8)}{_ASIDE}"
        try:
            make(aside)
            put(aside, uri)
        except Exception:
            with suppress(StorageError):  # what went wrong first is the news
                self.delete(aside)
            raise


class LocalFileSystem(FileSystem):
    """The local disk by POSIX calls; never starts a JVM.

    Hadoop's own local file system is not used, since its replace is not atomic.
    """

    def exists(self, uri: str) -> bool:
        """See FileSystem."""
        with storage_errors(uri):
            return local_path(uri).exists()

    def _entries(self, uri: str) -> list[FileStatus]:
        entries = []
        with storage_errors(uri), os.scandir(local_path(uri)) as found:
            for entry in found:
                try:
                    status = entry.stat()
                except FileNotFoundError:  # removed since the folder was opened
                    continue
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                size = 0 if entry.is_dir() else status.st_size
                uri_of_entry = f"{uri.rstrip('/')}/{entry.name}"
                entries.append(FileStatus(uri_of_entry, entry.name, entry.is_dir(), size, modified))
        return entries

    def mkdirs(self, uri: str) -> None:
        """See FileSystem."""
        with storage_errors(uri):
            local_path(uri).mkdir(parents=True, exist_ok=True)

    def read_bytes(self, uri: str) -> bytes:
        """See FileSystem."""
        with storage_errors(uri):
            return local_path(uri).read_bytes()

    def write_new(self, uri: str, data: bytes) -> None:
        """See FileSystem."""
        path = local_path(uri)
        with storage_errors(uri):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # or a power cut could leave the new name with no content

    def rename(self, src: str, dst: str) -> None:
        """See FileSystem."""
        source, target = local_path(src), local_path(dst)
        with storage_errors(dst):
            if source.is_file():
                try:
                    os.link(source, target)  # fails if the name is taken: one winner, unlike a look and a rename
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    raise StorageError(
                        f"The disk of {dst} makes no hard links, by which one of many at once takes a name: exFAT and "
                        f"FAT have none, nor have some SMB and FUSE mounts. Choose a folder on another disk. "
                        f"Cause: {error}",
                        "no_links",
                    ) from error
                source.unlink()
                return
            source.stat()
            # A target that appears after this look makes os.rename fail, unless it is an empty folder.
            if target.exists():
                raise FileExistsError(f"{dst} already exists: nothing was renamed to it")
            try:
                source.rename(target)
            except OSError as error:
                if target.exists():
                    raise FileExistsError(f"{dst} already exists: nothing was renamed to it") from error
                raise

    def replace(self, src: str, dst: str) -> None:
        """See FileSystem."""
        source = local_path(src)
        with storage_errors(dst):
            if source.is_dir():
                raise IsADirectoryError(f"{src} is a folder: only a file can replace a file")
            source.replace(local_path(dst))

    def delete(self, uri: str) -> None:
        """See FileSystem."""
        path = local_path(uri)
        if path == path.parent:
            raise ValueError(f"{uri} is the whole disk: it is not deleted; give the folder that you mean")
        with storage_errors(uri):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, onerror=_unless_missing)
            else:
                path.unlink(missing_ok=True)

    def _copy(self, src: str, dst: str) -> None:
        source, target = local_path(src), local_path(dst)
        with storage_errors(src):
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)

    def size(self, uri: str) -> int:
        """See FileSystem."""
        path = local_path(uri)
        with storage_errors(uri):
            if not path.is_dir():
                return path.stat().st_size
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _unless_missing(_call: Any, _path: str, info: Any) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]
