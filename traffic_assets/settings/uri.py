"""Normalization of the folders and URIs in the settings."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from traffic_assets.messages import settings as messages

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_CONTAINER_AT_ACCOUNT = ("abfs", "abfss", "wasb", "wasbs")


def mask_credentials(text: str) -> str:
    """Return a text with the user and password of every URI in it replaced by `***`."""
    return _CREDENTIALS.sub("***@", text)


def absolute_uri(value: str) -> str:
    """Return a folder or URI with a scheme and, on the local disk, as an absolute path.

    Raises:
        ValueError: If the URI contains a user or a password, or is empty.
    """
    parts = urlsplit(value)
    if parts.password or (parts.username and parts.scheme not in _CONTAINER_AT_ACCOUNT):
        raise ValueError(messages.CREDENTIALS_IN_URI(uri=mask_credentials(value)))
    if parts.scheme in ("", "file"):
        path = parts.path if parts.scheme else value
        if not path:
            raise ValueError(messages.EMPTY_URI(uri=value))
        return f"file://{Path(path).expanduser().resolve()}"  # as Spark writes it: nothing encoded
    return value.rstrip("/")
