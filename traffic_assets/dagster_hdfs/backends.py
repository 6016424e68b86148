"""File systems by URI: the local disk, Hadoop's client, or a storage backend of an installed package.

`filesystem.py` lists the guarantees of a file system, `installed_backends.py` finds the backends. This module imports
neither dagster nor pyspark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.installed_backends import GROUP, Backend, BackendError, backends, find_backend
from traffic_assets.dagster_hdfs.uris import is_local, local_path, redact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["GROUP", "Backend", "BackendError", "backends", "filesystem_for", "find_backend"]


def filesystem_for(uri: str, spark: Callable[[], SparkSession] | None = None) -> FileSystem:
    """Return the file system of a URI.

    Args:
        uri: `file:` URI or absolute local path, URI with the scheme of an installed backend, or any URI that Hadoop has
            a client for.
        spark: Function that returns the Spark session for Hadoop's client; called for the first operation.

    Raises:
        ValueError: If the URI is a relative path, or needs a session and `spark` is None.
        BackendError: If the scheme's backend cannot be used.
    """
    if is_local(uri):
        local_path(uri)
        return LocalFileSystem()
    if backend := find_backend(uri):
        created: object = backend.factory()(uri, spark)
        if not isinstance(created, FileSystem):
            name, shown = type(created).__name__, redact(uri)
            raise BackendError(messages.BACKEND_NO_FILESYSTEM(backend=str(backend), uri=shown, type=name))
        return created
    if spark is None:
        raise ValueError(messages.NO_SESSION(uri=redact(uri)))
    from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem

    return HadoopFileSystem(spark)
