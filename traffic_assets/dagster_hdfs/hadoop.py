"""The file system interface with Hadoop's client in a Spark session's JVM: HDFS and every storage with such a client.

The interface is in `filesystem.py`, the meaning of errors in `errors.py`. This module does not import dagster, and
uses pyspark only through the session of the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.uris import redact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FAIL_FAST = {
    "ipc.client.rpc-timeout.ms": "10000",  # without it a frozen NameNode blocks forever
    "ipc.client.connect.timeout": "5000",
    "ipc.client.connect.max.retries.on.timeouts": "1",
    "dfs.client.socket-timeout": "10000",
    "dfs.client.retry.window.base": "500",
    "dfs.client.max.block.acquire.failures": "2",
    "dfs.client.block.write.locateFollowingBlock.retries": "5",
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "50",  # doubles; the default 400 slows small files
    "dfs.client.failover.max.attempts": "6",  # a pair of NameNodes: long enough for a failover
    "dfs.client.failover.sleep.max.millis": "5000",
}
"""Hadoop client settings that make calls to a lost or frozen server fail within seconds. With the prefix
`spark.hadoop.` they are Spark settings, which must be set before the session first contacts the server."""


class HadoopFileSystem(FileSystem):
    """Any storage with a Hadoop client, through the JVM of a Spark session and its configuration.

    Args:
        spark: Function that returns the session. It is called on first use, so creating this object starts no JVM.
    """

    def __init__(self, spark: Callable[[], SparkSession]) -> None:
        self._spark = spark

    def _hadoop(self) -> Any:
        """Return the Java package org.apache.hadoop.fs."""
        jvm: Any = self._spark()._jvm
        return jvm.org.apache.hadoop.fs

    def _open(self, uri: str) -> tuple[Any, Any]:
        """Return Hadoop's file system and path for the URI."""
        path = self._hadoop().Path(uri)
        return path.getFileSystem(self._configuration()), path

    def _configuration(self) -> Any:
        context = self._spark().sparkContext._jsc
        if context is None:
            raise ConnectionError(messages.SESSION_STOPPED())
        return context.hadoopConfiguration()

    def exists(self, uri: str) -> bool:
        """See the base class."""
        with suppress(NotADirectoryError), storage_errors(uri):
            fs, path = self._open(uri)
            return bool(fs.exists(path))
        return False  # the path is below a file

    def _entries(self, uri: str) -> list[FileStatus]:
        with storage_errors(uri):
            fs, path = self._open(uri)
            entries = [_status(uri, status) for status in fs.listStatus(path)]
            if len(entries) == 1 and entries[0].name == path.getName() and fs.getFileStatus(path).isFile():
                raise NotADirectoryError(messages.LIST_OF_FILE(uri=redact(uri)))
            return entries

    def file_sizes(self, uri: str) -> dict[str, int]:
        """See the base class, which takes several times as long because it lists folder by folder."""
        sizes: dict[str, int] = {}
        with storage_errors(uri):
            fs, path = self._open(uri)
            folder = f"{fs.makeQualified(path).toString()}/"
            files = fs.listFiles(path, True)
            while files.hasNext():
                status = files.next()
                file = status.getPath().toString()
                if not file.startswith(folder):  # the URI is a file, or a mount point has other names
                    return super().file_sizes(uri)
                sizes[file.removeprefix(folder)] = status.getLen()
        return sizes

    def mkdirs(self, uri: str) -> None:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            _check(fs.mkdirs(path), "create the folder", uri)

    def read_bytes(self, uri: str) -> bytes:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            stream = fs.open(path)
            try:
                return bytes(stream.readAllBytes())
            finally:
                stream.close()

    def read_range(self, uri: str, start: int, length: int) -> bytes:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            stream = fs.open(path)
            try:
                stream.seek(start)
                return bytes(stream.readNBytes(length))
            finally:
                stream.close()

    def write_new(self, uri: str, data: bytes) -> None:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            stream = fs.create(path, False)
            try:
                stream.write(bytearray(data))
            finally:
                stream.close()

    def _rename(self, src: str, dst: str, option: str) -> None:
        # FileContext throws and takes options on every storage; FileSystem.rename nests folders or returns False
        hadoop = self._hadoop()
        source, target = hadoop.Path(src), hadoop.Path(dst)
        gateway = self._spark().sparkContext._gateway
        assert gateway is not None
        options = gateway.new_array(hadoop.Options.Rename, 1)
        options[0] = getattr(hadoop.Options.Rename, option)
        context = hadoop.FileContext.getFileContext(target.toUri(), self._configuration())
        context.rename(source, target, options)

    def rename(self, src: str, dst: str) -> None:
        """See the base class."""
        with storage_errors(dst):
            self._rename(src, dst, "NONE")

    def replace(self, src: str, dst: str) -> None:
        """See the base class."""
        with storage_errors(dst):
            for uri in (src, dst):
                fs, path = self._open(uri)
                if fs.isDirectory(path):
                    raise IsADirectoryError(messages.REPLACE_WITH_FOLDER(uri=redact(uri)))
            self._rename(src, dst, "OVERWRITE")

    def delete(self, uri: str) -> None:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            _check(fs.delete(path, True) or not fs.exists(path), "delete", uri)

    def _copy(self, src: str, dst: str) -> None:
        with storage_errors(src):
            fs, source = self._open(src)
            _, target = self._open(dst)
            copy = self._hadoop().FileUtil.copy
            _check(copy(fs, source, fs, target, False, False, self._configuration()), "copy", src)

    def size(self, uri: str) -> int:
        """See the base class."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            return int(fs.getContentSummary(path).getLength())


def _status(folder: str, status: Any) -> FileStatus:
    name, is_dir = status.getPath().getName(), bool(status.isDirectory())
    modified = datetime.fromtimestamp(status.getModificationTime() / 1000, UTC)
    uri, size = f"{folder.rstrip('/')}/{name}", 0 if is_dir else status.getLen()
    return FileStatus(uri, name, is_dir, size, modified)


def _check(done: bool, action: str, uri: str) -> None:
    if not done:
        raise StorageError(messages.FAILED(action=action, uri=redact(uri)), kind="failed")
