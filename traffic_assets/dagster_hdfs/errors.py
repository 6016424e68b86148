"""Translation of storage failures: an error of Hadoop, Spark or the local disk becomes one `StorageError`.

This module imports neither pyspark nor dagster. The calls that fail are in `filesystem.py` and the IO managers, each
inside `storage_errors(uri)`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.dagster_hdfs.uris import is_local, local_path, redact

_CAUSE_LENGTH = 300
_DEEPEST_CAUSE = 20  # Java allows a chain of causes to be a cycle


class StorageError(OSError):
    """Failure of a storage that refused a call or did not answer; the message says why and what to do.

    The kinds are `unreachable`, `frozen`, `safe_mode`, `unknown_host`, `wrong_port`, `no_client`, `session_lost`,
    `permission`, `local_permission`, `read_only`, `name_quota`, `space_quota`, `no_space`, `no_datanode`,
    `missing_block`, `corrupt_file`, `schema_mismatch`, `missing_generation`, `damaged_generation`, `no_links` and
    `failed`. The code of the message is `storage.<kind>` with hyphens.

    Only the first three kinds are retryable. A NameNode that restarts or fails over looks like that from outside, and
    recovers without help. Any other failure recurs until somebody fixes its cause.

    Attributes:
        kind: Kind of the failure.
        retryable: True if a retry may succeed.
    """

    def __init__(self, message: str, kind: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable


@dataclass(frozen=True)
class _Rule:
    """Rule that recognizes one kind of failure.

    Attributes:
        message: Message of the failure.
        pattern: Text that only this failure has in its trace.
        retryable: True if a retry may succeed.
    """

    message: Message
    pattern: re.Pattern[str]
    retryable: bool = False

    @property
    def kind(self) -> str:
        return self.message.code.removeprefix("storage.").replace("-", "_")


# The first match wins. The NameNode's answers come before network errors, because the trace of a clear answer often
# contains a socket error too. A file is called corrupt only if nothing else explains the failure.
_RULES = (
    _Rule(messages.SAFE_MODE, re.compile(r"\bSafeModeException"), retryable=True),
    _Rule(messages.NAME_QUOTA, re.compile(r"NSQuotaExceededException")),
    _Rule(messages.SPACE_QUOTA, re.compile(r"DSQuotaExceededException")),
    _Rule(messages.READ_ONLY, re.compile(r"Read-only file system")),
    _Rule(
        messages.PERMISSION,
        re.compile(r"AccessControlException|\(Permission denied\)|Mkdirs failed to create"),
    ),
    _Rule(messages.NO_SPACE, re.compile(r"No space left on device")),
    _Rule(
        messages.NO_DATANODE,
        re.compile(r"could only be (written|replicated) to 0|[Aa]ll datanodes .{0,200}are bad"),
    ),
    _Rule(messages.MISSING_BLOCK, re.compile(r"BlockMissingException|Could not obtain block")),
    _Rule(messages.UNKNOWN_HOST, re.compile(r"java\.net\.UnknownHostException")),
    _Rule(messages.NO_CLIENT, re.compile(r"UnsupportedFileSystemException|Class \S+FileSystem not found")),
    _Rule(messages.FROZEN, re.compile(r"SocketTimeoutException|ConnectTimeoutException"), retryable=True),
    _Rule(
        messages.UNREACHABLE,
        re.compile(r"failed on connection exception|End of File Exception between|NoRouteToHostException"),
        retryable=True,
    ),
    _Rule(messages.WRONG_PORT, re.compile(r"RPC response has (a|invalid) length")),
    _Rule(
        messages.SCHEMA_MISMATCH,
        re.compile(r"PARQUET_COLUMN_DATA_TYPE_MISMATCH|SchemaColumnConvertNotSupported"),
    ),
    _Rule(
        messages.CORRUPT_FILE,
        re.compile(r"is not a Parquet file|FAILED_READ_FILE\.(?!FILE_NOT_EXIST)|ChecksumException"),
    ),
)
_LOCAL_PERMISSION = _Rule(messages.LOCAL_PERMISSION, re.compile(""))
_SESSION_LOST = _Rule(messages.SESSION_LOST, re.compile(""))
_NO_JVM = re.compile(r"^\w+ does not exist in the JVM$")  # py4j, about a package, if the JVM is gone
_MISSING = re.compile(r"java\.io\.FileNotFoundException|\[PATH_NOT_FOUND\]|FAILED_READ_FILE\.FILE_NOT_EXIST")
_EXISTS = re.compile(r"FileAlreadyExistsException|and destination .+ must both be directories")
_NOT_A_FOLDER = re.compile(r"ParentNotDirectoryException|\(is not a directory\)")
_FILE = re.compile(r"while reading file (\S+?)\.?(?=\s)|(\S+) is not a Parquet file")
_OS_KINDS = {
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "read_only",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "space_quota",
    errno.ETIMEDOUT: "frozen",
}


def explain(error: BaseException, uri: str) -> OSError | None:
    """Return what a failed storage call means.

    Args:
        error: Error of Spark (py4j and pyspark exceptions), Hadoop or the operating system.
        uri: URI of the call, for the message; credentials in it are left out.

    Returns:
        A StorageError; or FileNotFoundError, FileExistsError or NotADirectoryError for a path that is not as expected.
        None if the error has nothing to do with storage, or needs no explanation.
    """
    if type(error).__module__.split(".")[0] in ("py4j", "pyspark"):
        return _explain_java(error, uri)
    if isinstance(error, ConnectionError):  # Hadoop's sockets are in the JVM; those of this process lead to the JVM
        return _storage_error(_SESSION_LOST, uri, str(error))
    kind = os_error_kind(error) if isinstance(error, OSError) else None
    if kind and not isinstance(error, StorageError):
        return _storage_error(_find_rule(kind), uri, str(error))
    return None


def os_error_kind(error: OSError) -> str | None:
    """Return the kind of an error of the operating system, as `StorageError` names it; None for any other kind."""
    return _OS_KINDS.get(error.errno or 0)


@contextmanager
def storage_errors(uri: str) -> Iterator[None]:
    """Translate a storage failure inside the block, and raise the translation `from` the original.

    Args:
        uri: URI that the block works on.

    Raises:
        StorageError: If storage refuses the call or does not answer.
        FileNotFoundError, FileExistsError, NotADirectoryError: If a path is not as expected.
    """
    try:
        yield
    except Exception as error:
        meaning = explain(error, uri)
        if meaning is None:
            raise
        raise meaning from error


def _explain_java(error: BaseException, uri: str) -> OSError | None:
    from py4j.protocol import Py4JNetworkError

    if isinstance(error, Py4JNetworkError) or _NO_JVM.search(str(error)):
        return _storage_error(_SESSION_LOST, uri, str(error))
    text = "\n".join([*_java_causes(error), str(error)])
    for rule in _RULES:
        if rule.kind == "permission" and _NOT_A_FOLDER.search(text):
            continue  # HDFS reports a path below a file as a missing permission
        if match := rule.pattern.search(text):
            return _storage_error(rule, uri, _line_at(text, match.start()), _FILE.search(text))
    for pattern, kind, message in (
        (_EXISTS, FileExistsError, messages.PATH_EXISTS),
        (_NOT_A_FOLDER, NotADirectoryError, messages.NOT_A_FOLDER),
        (_MISSING, FileNotFoundError, messages.PATH_MISSING),
    ):
        if match := pattern.search(text):
            return kind(message(uri=redact(uri), cause=_line_at(text, match.start())))
    return None


def _java_causes(error: BaseException) -> Iterator[str]:
    """Yield class and message of the Java exception and of each of its causes."""
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    for _ in range(_DEEPEST_CAUSE):
        if java is None:
            return
        yield f"{java.getClass().getName()}: {java.getMessage()}"
        java = java.getCause()


def _line_at(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    line = text[start:].split("\n", 1)[0].strip()
    return redact(line if len(line) <= _CAUSE_LENGTH else f"{line[:_CAUSE_LENGTH]} [...]")


def _storage_error(rule: _Rule, uri: str, cause: str, file: re.Match[str] | None = None) -> StorageError:
    if rule.kind == "permission" and is_local(uri):
        rule = _find_rule("read_only") if _is_read_only(uri) else _LOCAL_PERMISSION
    paths = [redact(uri), *([redact(file[1] or file[2])] if file else [])]
    return StorageError(rule.message(paths=paths, cause=redact(cause).rstrip(".")), rule.kind, rule.retryable)


def _find_rule(kind: str) -> _Rule:
    return next(rule for rule in _RULES if rule.kind == kind)


def _is_read_only(uri: str) -> bool:
    """Return whether a local path is on a file system without write access; Spark only says that it cannot write."""
    path = Path(local_path(uri))
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return bool(os.statvfs(existing).f_flag & os.ST_RDONLY)
