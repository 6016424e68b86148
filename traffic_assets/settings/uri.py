"""Folders and URIs as a user writes them, and as they are used everywhere."""

from pathlib import Path
from urllib.parse import urlsplit

_CONTAINER_AT_ACCOUNT = ("abfs", "abfss", "wasb", "wasbs")


def absolute_uri(value: str) -> str:
    """A folder or URI as it is used everywhere: with a scheme and, on the local disk, absolute."""
    parts = urlsplit(value)
    if parts.password or (parts.username and parts.scheme not in _CONTAINER_AT_ACCOUNT):
        raise ValueError("a user or password in a URI would be written to logs; use Hadoop's credentials")
    if parts.scheme in ("", "file"):
        path = parts.path if parts.scheme else value
        if not path:
            raise ValueError("given an empty folder")
        return f"file://{Path(path).expanduser().resolve()}"  # as Spark writes it: nothing encoded
    return value.rstrip("/")
