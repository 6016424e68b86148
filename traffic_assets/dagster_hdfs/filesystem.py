"""A small file system interface over URIs, and its implementation for the local disk with POSIX calls.

The implementation with Hadoop's client is in `hadoop.py`. Names and paths are in `uris.py`, the meaning of errors is in
`errors.py`, and publishing is in `publish.py`. This module imports neither dagster nor pyspark.
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

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.message import error_text
from traffic_assets.dagster_hdfs.uris import local_path, redact, split

_LOG = logging.getLogger(__name__)
_ASIDE = ".aside"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of os.link on a file system without hard links."""


@dataclass(frozen=True)
class FileStatus:
    """One entry of a folder; the size of a folder is 0 bytes."""

    uri: str
    name: str
    is_dir: bool
    size: int
    modified: datetime


class FileSystem(ABC):
    """File operations on full URIs, with the same meaning on every storage.

    Every method raises StorageError if storage refuses the call or does not answer (see `errors.py`), and the built-in
    FileNotFoundError, FileExistsError, NotADirectoryError and IsADirectoryError for paths. `list` leaves out files that
    a writer has written aside and not yet moved into place.

    A subclass in another package (an entry point in `traffic_assets.storage` with the name of the URI scheme)
    guarantees what the methods describe, in particular:

    - `rename` of a file is exclusive. If many processes rename to one free name, exactly one succeeds and the others
      get FileExistsError. Version numbers are claimed this way.
    - `rename` of a folder and `replace` are atomic. A reader sees the old or the new, never neither and never a part.
    - The next call of every process sees what was written, renamed or removed.
    - Returned URIs have the scheme of the URIs that were passed. Several threads may call the methods.
    - Spark writes and reads tables and models under the same URIs. So Hadoop needs a client for the scheme
      (`spark.hadoop.fs.<scheme>.impl`) that sees the same files.
    """

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Return whether a file or folder exists."""

    @abstractmethod
    def _entries(self, uri: str) -> list[FileStatus]:
        """Return the entries of a folder in any order; raise as `list` does."""

    def list_aside(self, uri: str) -> list[FileStatus]:
        """Return the files that writers have written aside in a folder, including those that a killed writer left.

        Raises:
            FileNotFoundError: If the folder does not exist.
            NotADirectoryError: If the URI is a file.
        """
        return [entry for entry in self._entries(uri) if entry.name.endswith(_ASIDE)]

    def list(self, uri: str) -> list[FileStatus]:
        """Return the entries of a folder, sorted by name.

        Raises:
            FileNotFoundError: If the folder does not exist.
            NotADirectoryError: If the URI is a file.
        """
        return sorted(
            (entry for entry in self._entries(uri) if not entry.name.endswith(_ASIDE)), key=lambda entry: entry.name
        )

    def file_sizes(self, uri: str) -> dict[str, int]:
        """Return the bytes of each file of a tree, by its path below the folder.

        Raises:
            FileNotFoundError: If the folder does not exist.
            NotADirectoryError: If the URI is a file.
        """
        sizes: dict[str, int] = {}
        for entry in self.list(uri):
            if entry.is_dir:
                sizes |= {f"{entry.name}/{path}": size for path, size in self.file_sizes(entry.uri).items()}
            else:
                sizes[entry.name] = entry.size
        return sizes

    @abstractmethod
    def mkdirs(self, uri: str) -> None:
        """Create the folder and its parents if they do not exist. Do not use it as a lock."""

    @abstractmethod
    def read_bytes(self, uri: str) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: If the file does not exist.
        """

    def read_range(self, uri: str, start: int, length: int) -> bytes:
        """Return some bytes of a file; fewer at its end. A subclass should read no more than these.

        Raises:
            FileNotFoundError: If the file does not exist.
        """
        return self.read_bytes(uri)[start : start + length]

    @abstractmethod
    def write_new(self, uri: str, data: bytes) -> None:
        """Write a new file, piece by piece, to a path that nobody reads yet; create its parent folders.

        Raises:
            FileExistsError: If the path exists.
        """

    def write_bytes(self, uri: str, data: bytes) -> None:
        """Create or replace a file atomically: readers see the old content or the new, never a part."""
        self._through_aside(uri, lambda aside: self.write_new(aside, data), self.replace)

    def create_exclusive(self, uri: str, data: bytes) -> bool:
        """Create a file, and return whether it was created; False if the path exists.

        Of many concurrent processes exactly one gets True. The file appears with its whole content or not at all.
        Object stores have no atomic rename. On them this is only as exclusive as their Hadoop client.
        """
        try:
            self._through_aside(uri, lambda aside: self.write_new(aside, data), self.rename)
        except FileExistsError:
            return False
        return True

    @abstractmethod
    def rename(self, src: str, dst: str) -> None:
        """Rename a file or folder; never into an existing folder, and never over an existing path.

        Raises:
            FileExistsError: If `dst` exists.
            FileNotFoundError: If `src` or the parent folder of `dst` does not exist.
        """

    @abstractmethod
    def replace(self, src: str, dst: str) -> None:
        """Move a file over a file (or to a free name) atomically: `dst` exists at every moment.

        Raises:
            FileNotFoundError: If `src` or the parent folder of `dst` does not exist.
            IsADirectoryError: If one of the two is a folder.
        """

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Remove a file, or a folder with its content, if it exists."""

    def discard(self, uri: str) -> None:
        """Remove a staged path that is no longer needed, without raising.

        Failures are only logged, because this runs while another error is raised or after publishing. Retention removes
        the path later.
        """
        try:
            self.delete(uri)
        except Exception as error:
            _LOG.warning(messages.NOT_REMOVED(uri=redact(uri), cause=error_text(error)))

    @abstractmethod
    def _copy(self, src: str, dst: str) -> None:
        """Copy a file or folder tree to a free path that nobody reads yet."""

    def copy(self, src: str, dst: str) -> None:
        """Copy a file or folder tree, which appears at `dst` atomically; create the parent folders of `dst`.

        Raises:
            FileExistsError: If `dst` exists.
            FileNotFoundError: If `src` does not exist.
            ValueError: If `dst` is inside `src`.
        """
        if f"{dst.rstrip('/')}/".startswith(f"{src.rstrip('/')}/"):
            raise ValueError(messages.COPY_INTO_ITSELF(source=redact(src), target=redact(dst)))
        if self.exists(dst):
            raise FileExistsError(messages.COPY_TARGET_EXISTS(uri=redact(dst)))
        self.mkdirs(split(dst)[0])
        self._through_aside(dst, lambda aside: self._copy(src, aside), self.rename)

    @abstractmethod
    def size(self, uri: str) -> int:
        """Return the bytes of a file, or of all files of a tree.

        Raises:
            FileNotFoundError: If the path does not exist.
        """

    def _through_aside(self, uri: str, write: Callable[[str], None], move: Callable[[str, str], None]) -> None:
        """Write a file or folder aside, then move it in one step to the path that readers know."""
        parent, name = split(uri)
        aside = f"{parent}/.{name}.{secrets.token_hex(8)}{_ASIDE}"
        try:
            write(aside)
            move(aside, uri)
        except Exception:
            with suppress(StorageError):  # the first error matters more
                self.delete(aside)
            raise


class LocalFileSystem(FileSystem):
    """The local disk with POSIX calls; never starts a JVM.

    Hadoop's own local file system is not suitable, because its replace is not atomic.
    """

    def exists(self, uri: str) -> bool:
        """See the base class."""
        with storage_errors(uri):
            return local_path(uri).exists()

    def _entries(self, uri: str) -> list[FileStatus]:
        entries = []
        with storage_errors(uri), os.scandir(local_path(uri)) as scanned:
            for entry in scanned:
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
        """See the base class."""
        with storage_errors(uri):
            local_path(uri).mkdir(parents=True, exist_ok=True)

    def read_bytes(self, uri: str) -> bytes:
        """See the base class."""
        with storage_errors(uri):
            return local_path(uri).read_bytes()

    def read_range(self, uri: str, start: int, length: int) -> bytes:
        """See the base class."""
        with storage_errors(uri), local_path(uri).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def write_new(self, uri: str, data: bytes) -> None:
        """See the base class."""
        path = local_path(uri)
        with storage_errors(uri):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut could leave the new name without content

    def rename(self, src: str, dst: str) -> None:
        """See the base class."""
        source, target = local_path(src), local_path(dst)
        with storage_errors(dst):
            if source.is_file():
                try:
                    os.link(source, target)  # fails if the name exists, so exactly one of many writers succeeds
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    raise StorageError(
                        messages.NO_LINKS(paths=[redact(dst)], cause=str(error)), kind="no_links"
                    ) from error
                source.unlink()
                return
            source.stat()
            # os.rename fails if the target appears after this check, unless it is an empty folder.
            if target.exists():
                raise FileExistsError(messages.RENAME_TARGET_EXISTS(uri=redact(dst)))
            try:
                source.rename(target)
            except OSError as error:
                if target.exists():
                    raise FileExistsError(messages.RENAME_TARGET_EXISTS(uri=redact(dst))) from error
                raise

    def replace(self, src: str, dst: str) -> None:
        """See the base class."""
        source = local_path(src)
        with storage_errors(dst):
            if source.is_dir():
                raise IsADirectoryError(messages.REPLACE_WITH_FOLDER(uri=redact(src)))
            source.replace(local_path(dst))

    def delete(self, uri: str) -> None:
        """See the base class."""
        path = local_path(uri)
        if path == path.parent:
            raise ValueError(messages.DELETE_OF_DISK(uri=uri))
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
        """See the base class."""
        path = local_path(uri)
        with storage_errors(uri):
            if not path.is_dir():
                return path.stat().st_size
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _unless_missing(_call: Any, _path: str, info: Any) -> None:
    error: BaseException = info[1]
    if not isinstance(error, FileNotFoundError):
        raise error
