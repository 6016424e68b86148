"""Names and URIs: valid path segments, joined paths and local URIs.

This module does not access storage; `filesystem.py` does. URIs are written as Spark and Hadoop read them, without
percent encoding.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from traffic_assets.dagster_hdfs import messages

_NAME = re.compile(r"[A-Za-z0-9=-][A-Za-z0-9._=-]*")
_NAME_LENGTH = 200  # file systems allow 255; a file written aside has a longer name
LOCAL = "file"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOCAL_PREFIX = re.compile(r"file:(//(localhost)?(?=/))?", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*:[^/\s]*@")


class Internal(StrEnum):
    """Reserved folder names, which no key or model can have; Spark does not read such folders."""

    STAGING = "_staging"
    GENERATIONS = "_generations"
    POINTERS = "_pointers"
    QUARANTINE = "_quarantine"
    FILES = "_files"
    PUBLISHED = "_published"


def redact(text: str) -> str:
    """Return a URI, or a text that contains some, without the `user:password@` of any URI."""
    return _CREDENTIALS.sub("***@", text)


def safe_name(name: str, what: str = "name") -> str:
    """Return a name that is a valid path segment on every file system.

    Args:
        name: Name from a user, a partition key or a configuration.
        what: Kind of the name for the message, such as "partition key".

    Raises:
        ValueError: If the name is empty, too long, begins with `_` or `.`, or contains anything except ASCII letters,
            digits and `. _ = -`.
    """
    if len(name) <= _NAME_LENGTH and _NAME.fullmatch(name):
        return name
    shown = name if len(name) <= _NAME_LENGTH else f"{name[:_NAME_LENGTH]}..."
    raise ValueError(messages.INVALID_NAME(name=shown, what=what, length=_NAME_LENGTH))


def join(base: str, *parts: str | Internal) -> str:
    """Return the URI of a path below `base`; no part can lead out of `base`.

    Args:
        base: URI or absolute local path.
        parts: Valid path segments (see `safe_name`) or members of `Internal`.

    Raises:
        ValueError: If a part is not a valid path segment.
    """
    for part in parts:
        if not isinstance(part, Internal):
            safe_name(part, "path segment")
    return "/".join([base.rstrip("/"), *parts])


def split(uri: str) -> tuple[str, str]:
    """Return the URI of the folder that contains `uri` (without a slash at its end), and the last segment."""
    parent, _, name = uri.rstrip("/").rpartition("/")
    return parent, name


def absolute_uri(uri: str) -> str:
    """Return the URI with its scheme: an absolute local path becomes a `file:` URI, regardless of Spark's default.

    Raises:
        ValueError: If the URI is a relative path.
    """
    return uri if not is_local(uri) else f"file://{local_path(uri)}"


def get_scheme(uri: str) -> str:
    """Return the scheme in lower case; that of the local disk if the URI has none."""
    scheme = _SCHEME.match(uri)
    return scheme[1].lower() if scheme else LOCAL


def is_local(uri: str) -> bool:
    """Return whether the URI is on the local disk: `file:`, or no scheme at all."""
    return get_scheme(uri) == LOCAL


def local_path(uri: str) -> Path:
    """Return the path of a local URI.

    Raises:
        ValueError: If the URI is not local, names another host or is relative.
    """
    path = _LOCAL_PREFIX.sub("", uri, count=1) if uri[:5].lower() == "file:" else uri
    if not is_local(uri) or not path.startswith("/") or path.startswith("//"):
        raise ValueError(messages.NOT_LOCAL(path=redact(uri)))
    return Path(path)
