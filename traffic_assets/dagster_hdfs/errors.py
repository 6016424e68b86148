"""Storage failures in words: what Hadoop, Spark or the local disk threw becomes one `StorageError`.

Here lives the translation alone. It imports neither pyspark nor dagster; the calls that fail are elsewhere
(`filesystem.py`, the IO managers), each inside `storage_errors(uri)`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from traffic_assets.dagster_hdfs.uris import redact

_CAUSE_LENGTH = 300
_DEEPEST_CAUSE = 20  # Java allows a chain of causes to be a circle


class StorageError(OSError):
    """Storage refused or did not answer; the message says why and what to do.

    `kind` is one of: `unreachable`, `frozen`, `safe_mode`, `unknown_host`, `wrong_port`, `no_client`,
    `session_lost`, `permission`, `name_quota`, `space_quota`, `no_space`, `no_datanode`, `missing_block`,
    `corrupt_file`, `schema_mismatch`, `no_links`, `failed`.

    `retryable` is True for `unreachable`, `frozen` and `safe_mode` only: that is what a NameNode that
    restarts or fails over looks like from outside, and it passes without anybody's help. All others come back
    on a retry until somebody acts.
    """

    def __init__(self, message: str, kind: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable


@dataclass(frozen=True)
class _Rule:
    kind: str
    pattern: re.Pattern[str]
    happened: str
    advice: str
    retryable: bool = False


def _rule(kind: str, pattern: str, happened: str, advice: str, retryable: bool = False) -> _Rule:
    return _Rule(kind, re.compile(pattern), happened, advice, retryable)


# The first match wins. What the NameNode answered stands before what the network did, since the traces of a
# clear answer often hold a socket error too; a file is only called corrupt when nothing else explains it.
_RULES = (
    _rule(
        "safe_mode",
        r"\bSafeModeException",
        "The NameNode is in safe mode, which allows no changes",
        "After a start it leaves by itself once the DataNodes have reported; otherwise see "
        "`hdfs dfsadmin -safemode get` and free the cause (often a full disk).",
        retryable=True,
    ),
    _rule(
        "name_quota",
        r"NSQuotaExceededException",
        "The namespace quota (number of files and folders) is used up",
        "Remove old generations, or have the quota raised: `hdfs dfsadmin -setQuota`.",
    ),
    _rule(
        "space_quota",
        r"DSQuotaExceededException",
        "The space quota is used up",
        "Remove old generations, or have the quota raised: `hdfs dfsadmin -setSpaceQuota`. It counts a "
        "whole block times the replication for every open file.",
    ),
    _rule(
        "permission",
        r"AccessControlException|\(Permission denied\)|Mkdirs failed to create",
        "Permission denied",
        "Give this user access (`hdfs dfs -chown`, `-chmod`, `-setfacl`), or run as a user who has it "
        "(HADOOP_USER_NAME, or the Kerberos principal).",
    ),
    _rule(
        "no_space",
        r"No space left on device",
        "The disk is full",
        "Free space where the message points, or move the storage to a larger disk.",
    ),
    _rule(
        "no_datanode",
        r"could only be (written|replicated) to 0|[Aa]ll datanodes .{0,200}are bad",
        "No DataNode took the data",
        "Start the DataNodes, see that they have space and that this machine reaches them: `hdfs dfsadmin -report`.",
    ),
    _rule(
        "missing_block",
        r"BlockMissingException|Could not obtain block",
        "No DataNode that holds this data answers",
        "Start the DataNodes: `hdfs dfsadmin -report`; what is lost for good is listed by "
        "`hdfs fsck / -list-corruptfileblocks`.",
    ),
    _rule(
        "unknown_host",
        r"java\.net\.UnknownHostException",
        "The host name of the storage is unknown",
        "Check the host in the URI, or HADOOP_CONF_DIR if it is the name of a nameservice.",
    ),
    _rule(
        "no_client",
        r"UnsupportedFileSystemException|Class \S+FileSystem not found",
        "The Spark session has no client for this kind of URI",
        "Check the scheme; if it is right, add the client's jar to `spark.jars.packages` (for s3a: "
        "org.apache.hadoop:hadoop-aws).",
    ),
    _rule(
        "frozen",
        r"SocketTimeoutException|ConnectTimeoutException",
        "The storage does not answer",
        "See whether the NameNode hangs (long garbage collection, full disk) or a firewall drops packets.",
        retryable=True,
    ),
    _rule(
        "unreachable",
        r"failed on connection exception|End of File Exception between|NoRouteToHostException",
        "Nothing usable answers at this address",
        "Check host and port of the URI and that the NameNode runs.",
        retryable=True,
    ),
    _rule(
        "wrong_port",
        r"RPC response has (a|invalid) length",
        "What answers at this address is no NameNode",
        "Check the port of the URI: it is the NameNode's RPC port, not its web page.",
    ),
    _rule(
        "schema_mismatch",
        r"PARQUET_COLUMN_DATA_TYPE_MISMATCH|SchemaColumnConvertNotSupported",
        "A Parquet file holds a column in another type than asked for",
        "Materialize the partitions again that were written with the earlier type.",
    ),
    _rule(
        "corrupt_file",
        r"is not a Parquet file|FAILED_READ_FILE\.(?!FILE_NOT_EXIST)|ChecksumException",
        "A file cannot be read: it is damaged or no Parquet file",
        "Materialize its partition again; if it is raw input, replace the file.",
    ),
)
_SESSION_LOST = _rule(
    "session_lost",
    "",
    "The JVM of the Spark session is gone",
    "It crashed (often: out of memory) or was stopped; start the run again with a new session, and see its "
    "log for `OutOfMemoryError` or `Killed`.",
)
_NO_JVM = re.compile(r"^\w+ does not exist in the JVM$")  # py4j, about a package, when nobody answers
_MISSING = re.compile(r"java\.io\.FileNotFoundException|\[PATH_NOT_FOUND\]|FAILED_READ_FILE\.FILE_NOT_EXIST")
_EXISTS = re.compile(r"FileAlreadyExistsException|and destination .+ must both be directories")
_NOT_A_FOLDER = re.compile(r"ParentNotDirectoryException|\(is not a directory\)")
_FILE = re.compile(r"while reading file (\S+?)\.?(?=\s)|(\S+) is not a Parquet file")
_OS_KINDS = {
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "space_quota",
    errno.ETIMEDOUT: "frozen",
}


def explain(error: BaseException, uri: str) -> OSError | None:
    """What a failed storage call means.

    Args:
        error: what Spark (py4j and pyspark exceptions), Hadoop or the operating system threw.
        uri: the URI that was worked on, for the message; credentials in it are left out.

    Returns:
        A StorageError, or FileNotFoundError, FileExistsError or NotADirectoryError for a path that is not as
        expected; None where the error has nothing to do with storage (or says it all itself).
    """
    if type(error).__module__.split(".")[0] in ("py4j", "pyspark"):
        return _explain_java(error, uri)
    if isinstance(error, ConnectionError):  # Hadoop's sockets are in the JVM; ours only lead to the JVM
        return _storage_error(_SESSION_LOST, uri, str(error))
    kind = _OS_KINDS.get(error.errno or 0) if isinstance(error, OSError) else None
    if kind and not isinstance(error, StorageError):
        return _storage_error(next(rule for rule in _RULES if rule.kind == kind), uri, str(error))
    return None


@contextmanager
def storage_errors(uri: str) -> Iterator[None]:
    """Raise what storage threw inside the block as what it means, `from` the original.

    Args:
        uri: the URI that the block works on.

    Raises:
        StorageError: storage refused or did not answer.
        FileNotFoundError, FileExistsError, NotADirectoryError: a path is not as expected.
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
            continue  # HDFS reports a path below a file as a lack of permission
        if match := rule.pattern.search(text):
            return _storage_error(rule, uri, _line_at(text, match.start()), _FILE.search(text))
    for pattern, kind, words in (
        (_EXISTS, FileExistsError, "already exists"),
        (_NOT_A_FOLDER, NotADirectoryError, "is a file, or lies below one, where a folder is needed"),
        (_MISSING, FileNotFoundError, "does not exist, or something in it was removed meanwhile"),
    ):
        if match := pattern.search(text):
            return kind(f"{redact(uri)} {words}. Cause: {_line_at(text, match.start())}")
    return None


def _java_causes(error: BaseException) -> Iterator[str]:
    """Class and message of the Java exception and of each of its causes."""
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
    named = f"; file {redact(file[1] or file[2])}" if file else ""
    message = f"{rule.happened} ({redact(uri)}{named}). {rule.advice} Cause: {redact(cause)}"
    return StorageError(message, rule.kind, rule.retryable)
