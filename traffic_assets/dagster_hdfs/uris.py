"""Names and URIs: what may be a path segment, how paths are put together, which URIs are local.

Nothing here touches storage (that is `filesystem.py`). URIs are written as Spark and Hadoop read them:
nothing is percent-encoded.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9=-][A-Za-z0-9._=-]*")
_NAME_LENGTH = 200  # file systems allow 255; what is written aside has a longer name
LOCAL = "file"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOCAL_PREFIX = re.compile(r"file:(//(localhost)?(?=/))?", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*:[^/\s]*@")


class Internal(StrEnum):
    """Folders that no key or model can be called, since Spark does not look into them."""

    STAGING = "_staging"
    GENERATIONS = "_generations"
    POINTERS = "_pointers"
    QUARANTINE = "_quarantine"
    FILES = "_files"
    PUBLISHED = "_published"


def redact(text: str) -> str:
    """The text (a URI or a message that holds some) without the `user:password@` of any URI."""
    return _CREDENTIALS.sub("***@", text)


def safe_name(name: str, what: str = "name") -> str:
    """The name itself, if it is fit to be one segment of a path on every file system.

    Args:
        name: what a user, a partition key or a configuration gave.
        what: what it is called in the message ("partition key").

    Raises:
        ValueError: it is empty, too long, begins with `_` or `.`, or holds anything but ASCII letters,
            digits and `. _ = -`.
    """
    if len(name) <= _NAME_LENGTH and _NAME.fullmatch(name):
        return name
    given = name if len(name) <= _NAME_LENGTH else f"{name[:_NAME_LENGTH]}..."
    raise ValueError(
        f"{given!r} cannot be a {what}: use 1 to {_NAME_LENGTH} ASCII letters, digits "
        "and . _ = - (no slash, space or colon), not beginning with . or _"
    )


def join(base: str, *parts: str | Internal) -> str:
    """The URI below `base` that the parts name; no part can lead out of `base`.

    Args:
        base: a URI or an absolute local path.
        parts: one safe segment each (see `safe_name`), or a member of `Internal`.

    Raises:
        ValueError: a part is not one safe segment.
    """
    for part in parts:
        if not isinstance(part, Internal):
            safe_name(part, "path segment")
    return "/".join([base.rstrip("/"), *parts])


def split(uri: str) -> tuple[str, str]:
    """The URI of the folder that holds `uri` (without a slash at its end), and its name."""
    parent, _, name = uri.rstrip("/").rpartition("/")
    return parent, name


def absolute_uri(uri: str) -> str:
    """The URI with its scheme: an absolute local path becomes a `file:` URI, whatever Spark's default is.

    Raises:
        ValueError: it is a relative path.
    """
    return uri if not is_local(uri) else f"file://{local_path(uri)}"


def scheme_of(uri: str) -> str:
    """The scheme in lower case; that of the local disk where there is none."""
    scheme = _SCHEME.match(uri)
    return scheme[1].lower() if scheme else LOCAL


def is_local(uri: str) -> bool:
    """Whether the URI is on the local disk: `file:` or no scheme at all."""
    return scheme_of(uri) == LOCAL


def local_path(uri: str) -> Path:
    """The path of a local URI.

    Raises:
        ValueError: the URI is not local, names another host or is relative.
    """
    path = _LOCAL_PREFIX.sub("", uri, count=1) if uri[:5].lower() == "file:" else uri
    if not is_local(uri) or not path.startswith("/") or path.startswith("//"):
        raise ValueError(
            f"{redact(uri)!r} is no local location: give an absolute path such as /data/traffic or file:///data/traffic"
        )
    return Path(path)
