"""The file system interface by Hadoop's client in a Spark session's JVM: HDFS and all that Hadoop reaches.

The interface itself is in `filesystem.py`, what an error means is in `errors.py`. Imports no dagster; pyspark
is touched only through the session that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.uris import redact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FAIL_FAST = {
    "ipc.client.rpc-timeout.ms": "10000",  # without it a frozen NameNode blocks for ever
    "ipc.client.connect.timeout": "5000",
    "ipc.client.connect.max.retries.on.timeouts": "1",
    "dfs.client.socket-timeout": "10000",
    "dfs.client.retry.window.base": "500",
    "dfs.client.max.block.acquire.failures": "2",
    "dfs.client.block.write.locateFollowingBlock.retries": "5",
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "50",  # doubles; 400 slows small files
    "dfs.client.failover.max.attempts": "6",  # a pair of NameNodes: long enough for a failover
    "dfs.client.failover.sleep.max.millis": "5000",
}
"""Hadoop client settings by which a lost or frozen server fails within seconds (with the prefix
`spark.hadoop.` they are Spark settings; they must stand before the session first touches the server)."""


class HadoopFileSystem(FileSystem):
    """Any storage that Hadoop has a client for, through the JVM of a Spark session and its configuration.

    Args:
        spark: gives the session; called at the first use, so that making this object starts no JVM.
    """

    def __init__(self, spark: Callable[[], SparkSession]) -> None:
        self._spark = spark

    def _hadoop(self) -> Any:
        """The Java package org.apache.hadoop.fs."""
        jvm: Any = self._spark()._jvm
        return jvm.org.apache.hadoop.fs

    def _open(self, uri: str) -> tuple[Any, Any]:
        """Hadoop's file system and path for the URI."""
        path = self._hadoop().Path(uri)
        return path.getFileSystem(self._configuration()), path

    def _configuration(self) -> Any:
        context = self._spark().sparkContext._jsc
        if context is None:
            raise ConnectionError("the session was stopped")
        return context.hadoopConfiguration()

    def exists(self, uri: str) -> bool:
        """See FileSystem."""
        with suppress(NotADirectoryError), storage_errors(uri):
            fs, path = self._open(uri)
            return bool(fs.exists(path))
        return False  # below a file

    def _entries(self, uri: str) -> list[FileStatus]:
        with storage_errors(uri):
            fs, path = self._open(uri)
            found = [_status(uri, status) for status in fs.listStatus(path)]
            if len(found) == 1 and found[0].name == path.getName() and fs.getFileStatus(path).isFile():
                raise NotADirectoryError(f"{redact(uri)} is a file: only a folder can be listed")
            return found

    def mkdirs(self, uri: str) -> None:
        """See FileSystem."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            _check(fs.mkdirs(path), "make the folder", uri)

    def read_bytes(self, uri: str) -> bytes:
        """See FileSystem."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            stream = fs.open(path)
            try:
                return bytes(stream.readAllBytes())
            finally:
                stream.close()

    def write_new(self, uri: str, data: bytes) -> None:
        """See FileSystem."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            stream = fs.create(path, False)
            try:
                stream.write(bytearray(data))
            finally:
                stream.close()

    def _rename(self, src: str, dst: str, option: str) -> None:
        # FileContext throws where FileSystem.rename nests or returns False, and takes the options everywhere
        hadoop = self._hadoop()
        source, target = hadoop.Path(src), hadoop.Path(dst)
        gateway = self._spark().sparkContext._gateway
        assert gateway is not None
        options = gateway.new_array(hadoop.Options.Rename, 1)
        options[0] = getattr(hadoop.Options.Rename, option)
        context = hadoop.FileContext.getFileContext(target.toUri(), self._configuration())
        context.rename(source, target, options)

    def rename(self, src: str, dst: str) -> None:
        """See FileSystem."""
        with storage_errors(dst):
            self._rename(src, dst, "NONE")

    def replace(self, src: str, dst: str) -> None:
        """See FileSystem."""
        with storage_errors(dst):
            for uri in (src, dst):
                fs, path = self._open(uri)
                if fs.isDirectory(path):
                    raise IsADirectoryError(f"{redact(uri)} is a folder: only a file can replace a file")
            self._rename(src, dst, "OVERWRITE")

    def delete(self, uri: str) -> None:
        """See FileSystem."""
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
        """See FileSystem."""
        with storage_errors(uri):
            fs, path = self._open(uri)
            return int(fs.getContentSummary(path).getLength())


def _status(folder: str, status: Any) -> FileStatus:
    name, is_dir = status.getPath().getName(), bool(status.isDirectory())
    modified = datetime.fromtimestamp(status.getModificationTime() / 1000, UTC)
    uri, size = f"{folder.rstrip('/')}/{name}", 0 if is_dir else status.getLen()
    return FileStatus(uri, name, is_dir, size, modified)


def _check(done: bool, what: str, uri: str) -> None:
    if not done:
        raise StorageError(f"Storage did not {what} {redact(uri)} and gave no reason: see the NameNode's log")
