"""Messages about storage, Spark and Java."""

from collections.abc import Sequence
from datetime import timedelta

from traffic_assets.dagster_hdfs.message import CodedText, Message

_TABLE = "hdfs://namenode:9000/traffic-data/processed/ml-features"


def _failure(code: str, problem: str, fix: str, cause: str, paths: Sequence[str] = (_TABLE,)) -> Message:
    """Return the message of a storage failure, whose text quotes the cause.

    Args:
        code: Code of the message.
        problem: Problem without its values.
        fix: Action that helps.
        cause: Example of the cause.
        paths: Example of the paths: the URI of the call, then the file if the cause contains one.
    """
    example = {"paths": list(paths), "cause": cause}
    return Message(code=code, problem=f"{problem} ({{paths}}). Cause: {{cause}}", fix=fix, example=example)


# Storage failures: the code is `storage.<kind>`, with the kind of `StorageError` and hyphens.

SAFE_MODE = _failure(
    code="storage.safe-mode",
    problem="The NameNode is in safe mode, which allows no changes",
    fix="if the NameNode has just started, wait until the DataNodes have reported. Otherwise run "
    "`hdfs dfsadmin -safemode get`, and remove the cause, often a full disk",
    cause="org.apache.hadoop.hdfs.server.namenode.SafeModeException: Cannot create directory /traffic-data/processed. "
    "Name node is in safe mode",
)
NAME_QUOTA = _failure(
    code="storage.name-quota",
    problem="The namespace quota (number of files and folders) is used up",
    fix="remove old generations, or raise the quota with `hdfs dfsadmin -setQuota`",
    cause="org.apache.hadoop.hdfs.protocol.NSQuotaExceededException: The NameSpace quota (directories and files) of "
    "directory /traffic-data is exceeded: quota=1000 file count=1001",
)
SPACE_QUOTA = _failure(
    code="storage.space-quota",
    problem="The space quota is used up",
    fix="remove old generations, or raise the quota with `hdfs dfsadmin -setSpaceQuota`. Every open file counts as a "
    "whole block times the replication",
    cause="org.apache.hadoop.hdfs.protocol.DSQuotaExceededException: The DiskSpace quota of /traffic-data is exceeded: "
    "quota = 67108864 B = 64 MB but diskspace consumed = 134217728 B = 128 MB",
)
PERMISSION = _failure(
    code="storage.permission",
    problem="Permission denied",
    fix="give this user access (`hdfs dfs -chown`, `-chmod`, `-setfacl`), or run as a user who has it "
    "(HADOOP_USER_NAME, or the Kerberos principal)",
    cause="org.apache.hadoop.security.AccessControlException: Permission denied: user=jane, access=WRITE, "
    'inode="/traffic-data":spark:hadoop:drwxr-xr-x',
)
_FOLDER = "file:///data/traffic/processed/ml-features"
READ_ONLY = _failure(
    code="storage.read-only",
    problem="Read-only file system",
    fix="mount it for writing, or set persistence.base_uri to a folder that can be written",
    cause="[Errno 30] Read-only file system",
    paths=[_FOLDER],
)
LOCAL_PERMISSION = _failure(
    code="storage.local-permission",
    problem="No write permission",
    fix="give this user access to the folder (`chown`, `chmod`), or set persistence.base_uri to a folder of this user",
    cause="[Errno 13] Permission denied",
    paths=[_FOLDER],
)
NO_SPACE = _failure(
    code="storage.no-space",
    problem="The disk is full",
    fix="free space on the disk that the cause names, or move the storage to a larger disk",
    cause="[Errno 28] No space left on device",
    paths=["file:///data/traffic/processed/ml-features"],
)
NO_DATANODE = _failure(
    code="storage.no-datanode",
    problem="No DataNode accepted the data",
    fix="start the DataNodes, and check with `hdfs dfsadmin -report` that they have space and that this machine "
    "reaches them",
    cause="org.apache.hadoop.ipc.RemoteException: File /traffic-data/processed/ml-features/_staging/part-00000 could "
    "only be written to 0 of the 1 minReplication nodes",
)
MISSING_BLOCK = _failure(
    code="storage.missing-block",
    problem="No DataNode with this data answers",
    fix="start the DataNodes (`hdfs dfsadmin -report`); `hdfs fsck / -list-corruptfileblocks` lists lost blocks",
    cause="org.apache.hadoop.hdfs.BlockMissingException: Could not obtain block: BP-1:blk_1073741825_1001",
)
UNKNOWN_HOST = _failure(
    code="storage.unknown-host",
    problem="The host name of the storage is unknown",
    fix="check the host in the URI, or HADOOP_CONF_DIR if it is the name of a nameservice",
    cause="java.net.UnknownHostException: namenode",
)
NO_CLIENT = _failure(
    code="storage.no-client",
    problem="The Spark session has no client for this kind of URI",
    fix="check the scheme; if it is right, add the client's jar to `spark.jars.packages` (for s3a: "
    "org.apache.hadoop:hadoop-aws)",
    cause="java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found",
    paths=["s3a://bucket/traffic-data/processed/ml-features"],
)
FROZEN = _failure(
    code="storage.frozen",
    problem="The storage does not answer",
    fix="check whether the NameNode is frozen (long garbage collection, full disk) or a firewall drops packets",
    cause="java.net.SocketTimeoutException: 10000 millis timeout while waiting for channel to be ready for read",
)
UNREACHABLE = _failure(
    code="storage.unreachable",
    problem="No storage service answers at this address",
    fix="check host and port of the URI, and that the NameNode runs",
    cause="java.net.ConnectException: Call From driver/10.0.0.5 to namenode:9000 failed on connection exception: "
    "java.net.ConnectException: Connection refused",
)
WRONG_PORT = _failure(
    code="storage.wrong-port",
    problem="The service at this address is not a NameNode",
    fix="set the port of the URI to the NameNode's RPC port, not to that of its web page",
    cause="org.apache.hadoop.ipc.RpcException: RPC response has invalid length",
    paths=["hdfs://namenode:9870/traffic-data/processed/ml-features"],
)
SCHEMA_MISMATCH = _failure(
    code="storage.schema-mismatch",
    problem="A column of a Parquet file has a different type from what the reader expects",
    fix="re-materialize the partitions that were written with the earlier type",
    cause="[FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH] Data type mismatches when reading Parquet column "
    "[speed]. Expected Spark type double, actual Parquet type BINARY",
)
CORRUPT_FILE = _failure(
    code="storage.corrupt-file",
    problem="A file cannot be read: it is damaged or not a Parquet file",
    fix="materialize its partition again; if it is raw input, replace the file",
    cause="java.lang.RuntimeException: file:///data/raw/date=2026-01-05/torn.parquet is not a Parquet file",
    paths=["file:///data/raw", "file:///data/raw/date=2026-01-05/torn.parquet"],
)
SESSION_LOST = _failure(
    code="storage.session-lost",
    problem="The JVM of the Spark session is gone: it crashed (often for lack of memory) or was stopped",
    fix="start the run again with a new session, and search its log for `OutOfMemoryError` or `Killed`",
    cause="Answer from Java side is empty",
)
NO_LINKS = _failure(
    code="storage.no-links",
    problem="The disk does not support hard links, which prevent two writers from taking the same name",
    fix="use a folder on another disk: exFAT, FAT, and some SMB and FUSE mounts have no hard links",
    cause="[Errno 1] Operation not permitted",
    paths=["file:///media/usb/traffic/models/random_forest/v1.0.0"],
)
FAILED = Message(
    code="storage.failed",
    problem="The storage did not {action} {uri} and gave no reason",
    fix="see the NameNode's log",
    example={"action": "delete", "uri": "hdfs://namenode:9000/traffic-data/processed"},
)

# Paths that are not as expected.

PATH_EXISTS = Message(
    code="storage.path-exists",
    problem="{uri} already exists. Cause: {cause}",
    fix="use another name, or delete it if nothing needs it",
    example={"uri": "hdfs://namenode:9000/traffic-data/copy", "cause": "FileAlreadyExistsException"},
)
NOT_A_FOLDER = Message(
    code="storage.not-a-folder",
    problem="{uri} is a file or is below one. Cause: {cause}",
    expected="a folder",
    fix="move the file away, or use another path",
    example={"uri": "hdfs://namenode:9000/traffic-data", "cause": "ParentNotDirectoryException"},
)
PATH_MISSING = Message(
    code="storage.path-missing",
    problem="{uri} does not exist, or a file in it was removed while it was read. Cause: {cause}",
    fix="check the path; if another run has replaced the data, run this one again",
    example={"uri": "hdfs://namenode:9000/traffic-data/raw", "cause": "FileNotFoundException"},
)
RENAME_TARGET_EXISTS = Message(
    code="storage.rename-target-exists",
    problem="{uri} already exists, so nothing was renamed to it",
    fix="use another name, or delete it if nothing needs it",
    example={"uri": "file:///data/traffic/models/random_forest/v1.0.0"},
)
COPY_TARGET_EXISTS = Message(
    code="storage.copy-target-exists",
    problem="{uri} already exists, and a copy never overwrites",
    fix="choose another target, or delete it if nothing needs it",
    example={"uri": "file:///data/traffic/copy"},
)
COPY_INTO_ITSELF = Message(
    code="storage.copy-into-itself",
    problem="{source} cannot be copied into itself ({target})",
    fix="choose a target outside the source",
    example={"source": "file:///data/traffic", "target": "file:///data/traffic/copy"},
)
REPLACE_WITH_FOLDER = Message(
    code="storage.replace-with-folder",
    problem="{uri} is a folder",
    expected="a file, because only a file can replace a file",
    fix="pass a file; rename() moves a folder",
    example={"uri": "file:///data/traffic/models"},
)
LIST_OF_FILE = Message(
    code="storage.list-of-file",
    problem="{uri} is a file",
    expected="a folder, because only a folder can be listed",
    fix="pass the folder of the file",
    example={"uri": "hdfs://namenode:9000/traffic-data/raw/day.parquet"},
)
DELETE_OF_DISK = Message(
    code="storage.delete-of-disk",
    problem="{uri} is the root of the disk, which is never deleted",
    expected="a folder below it",
    fix="pass the folder to delete",
    example={"uri": "file:///"},
)
NOT_REMOVED = Message(
    code="storage.not-removed",
    problem="{uri} could not be removed. Cause: {cause}",
    fix="remove the cause; a later prune tries again",
    example={"uri": "file:///data/traffic/processed/ml-features/_staging/run-0123abcd", "cause": "Permission denied"},
)

# Names and URIs.

INVALID_NAME = Message(
    code="storage.invalid-name",
    problem="{name!r} is not a valid {what}",
    expected="1 to {length} ASCII letters, digits and . _ = - (no slash, space or colon), not beginning with . or _",
    fix="use another {what}",
    example={"name": "2026/01/05", "what": "partition key", "length": 200},
)
INVALID_COLUMN = Message(
    code="storage.invalid-column",
    problem="{column!r} is not a valid partition column",
    expected="ASCII letters, digits and _, beginning with a letter",
    fix="rename the column",
    example={"column": "the day"},
)
INVALID_FOLDER = Message(
    code="storage.invalid-folder",
    problem="{folder!r} is not a valid folder next to the data",
    expected="one of {allowed}",
    fix="rename the folder",
    example={"folder": "rejected", "allowed": ["_quarantine", "_files"]},
)
NOT_LOCAL = Message(
    code="storage.not-local",
    problem="{path!r} is not a location on the local disk",
    expected="an absolute path such as /data/traffic or file:///data/traffic",
    fix="pass such a path",
    example={"path": "data/traffic"},
)
NO_SESSION = Message(
    code="storage.no-session",
    problem="{uri} needs Hadoop's client, which needs a Spark session",
    fix="pass `spark`, a function that returns the session, or use a file: URI",
    example={"uri": "hdfs://namenode:9000/traffic-data"},
)
SESSION_STOPPED = Message(
    code="storage.session-stopped",
    problem="The Spark session was stopped",
    fix="start the run again with a new session",
)

# Publishing and reading partitions.

NOT_STAGED = Message(
    code="storage.not-staged",
    problem="{uri} is not in {staging}",
    expected="a folder that stage() created",
    fix="write to the folder that stage() returns, then publish it",
    example={"uri": "file:///data/elsewhere", "staging": "file:///data/traffic/processed/ml-features/_staging"},
)
NOT_MARKED = Message(
    code="storage.not-marked",
    problem="{uri} is published, but earlier generations could not be marked as replaced, so they are kept longer. "
    "Cause: {cause}",
    fix="remove the cause; the next publication marks them",
    example={"uri": "file:///data/traffic/processed/ml-features/_generations/date=2026-01-05/…", "cause": "disk full"},
)
_POINTER = f"{_TABLE}/_pointers/2026-01-06.json"
_GENERATION = f"{_TABLE}/_generations/date=2026-01-06/20260107T080000000000-0123abcd"
_DAMAGED = {"subject": "feature_table 2026-01-06", "remedy": "materialize feature_table 2026-01-06 again"}
DAMAGED_POINTER = Message(
    code="storage.damaged-pointer",
    problem="The pointer of {subject} is damaged ({pointer}: {cause})",
    fix="{remedy}",
    example={"pointer": _POINTER, "cause": "KeyError('path')", **_DAMAGED},
)
FOREIGN_POINTER = Message(
    code="storage.foreign-pointer",
    problem="The pointer of {subject} is damaged ({pointer}): its path {path!r} does not belong to partition "
    "{partition!r}",
    fix="{remedy}",
    example={
        "pointer": _POINTER,
        "path": "_generations/date=2026-01-07/20260108T080000000000-0123abcd",
        "partition": "2026-01-06",
        **_DAMAGED,
    },
)
MISSING_GENERATION = Message(
    code="storage.missing-generation",
    problem="The generation of {subject} is missing ({paths})",
    fix="{remedy}",
    example={"paths": [_GENERATION], **_DAMAGED},
)
DAMAGED_GENERATION = Message(
    code="storage.damaged-generation",
    problem="Files of {subject} are not as they were published:{files:lines}",
    fix="{remedy}",
    example={"files": {f"{_GENERATION}/part-00000.snappy.parquet": "0 bytes, 48797 recorded"}, **_DAMAGED},
)
SHORT_RETENTION = Message(
    code="storage.short-retention",
    problem="A retention period of {keep} is too short, because a running job may still read a replaced generation",
    expected="at least {shortest}",
    fix="pass a longer `keep`",
    example={"keep": timedelta(hours=1), "shortest": timedelta(days=1)},
)
NOTHING_PUBLISHED = Message(
    code="storage.nothing-published",
    problem="No partition is published in {uri}",
    fix="check the URI, or materialize its asset first",
    example={"uri": "hdfs://namenode:9000/traffic-data/processed/ml-features"},
)
NOTHING_IN_RANGE = Message(
    code="storage.nothing-in-range",
    problem="No partition from {start} to {end} is published in {uri}",
    expected="a range that contains some of the published partitions, {first} to {last}",
    fix="change the range, or materialize its partitions first",
    example={
        "uri": "hdfs://namenode:9000/traffic-data/processed/ml-features",
        "start": "2026-02-01",
        "end": "2026-02-07",
        "first": "2026-01-05",
        "last": "2026-01-18",
    },
)
NAIVE_TIME = Message(
    code="storage.naive-time",
    problem="A limit of the timestamps has no time zone ({times})",
    expected="a datetime with a time zone",
    fix="pass datetime(..., tzinfo=UTC), or another time zone",
    example={"times": ["2026-01-05 08:00:00"]},
)
NO_GENERATIONS = Message(
    code="storage.no-generations",
    problem="The list of generations is empty",
    expected="at least one generation",
    fix="pass the generations to read",
)
DIFFERENT_LAYOUTS = Message(
    code="storage.different-layouts",
    problem="{count} generations have different roots or partition columns ({layouts})",
    expected="generations of one dataset",
    fix="read one dataset at a time",
    example={"count": 2, "layouts": ["/data/readings by date", "/data/features by date"]},
)
NOT_ONE_GENERATION = Message(
    code="storage.not-one-generation",
    problem="{count} generations were loaded ({partitions})",
    expected="exactly one",
    fix="read the partitions one by one, or from `generations`",
    example={"count": 2, "partitions": ["2026-01-05", "2026-01-06"]},
)
MISSING_PARTITION = Message(
    code="storage.missing-partition",
    problem="{asset} has no published partition {partitions} below {root}",
    fix="materialize it first",
    example={"asset": "feature_table", "partitions": ["2026-01-05"], "root": "file:///data/traffic/processed"},
)
REPLACED_MEANWHILE = Message(
    code="storage.replaced-meanwhile",
    problem="Run {run_id} has published partition {partition} of {root} since this run read it",
    fix="run this one again",
    example={"run_id": "0f6c", "partition": "all", "root": "file:///data/traffic/processed/sensors"},
)
RANGE_OF_ONE = Message(
    code="storage.range-of-one",
    problem="{manager} stores one partition at a time, but the range has {count} ({first} to {last})",
    expected="a run of one partition",
    fix="remove backfill_policy=single_run() from the asset, or set partition_column for a DataFrame",
    example={"manager": "SparkModelIOManager", "count": 3, "first": "2026-01-05", "last": "2026-01-19"},
)
RANGE_NOT_COMPLETE = Message(
    code="storage.range-not-complete",
    problem="The value of a range of {count} partitions does not fit the range ({reason})",
    expected="a mapping of partition key to document",
    fix="return one document for each partition",
    example={"count": 2, "reason": "no document for 2026-01-06"},
)
_TOO_MANY = CodedText("Too many rows are bad, 120 of 1000.", "readings.too-many-bad-rows", {})
_REFUSED = {"2026-01-05": _TOO_MANY}
PARTITION_REFUSED = Message(
    code="storage.partition-refused",
    problem="Partition {partition} is refused and keeps its earlier data. Cause: {reason}",
    fix="remove the cause, then materialize this partition again",
    example={"partition": "2026-01-05", "reason": _TOO_MANY},
)
PARTITIONS_REFUSED = Message(
    code="storage.partitions-refused",
    problem="Partitions of {asset}: {published} published, {count} refused. The refused ones keep their earlier "
    "data:{refused:lines}",
    fix="remove the cause of each refusal, then materialize these partitions again",
    example={"asset": "sensor_readings", "published": 6, "count": 1, "refused": _REFUSED},
)
INPUT_REFUSED = Message(
    code="storage.input-refused",
    problem="This run has refused partitions of {asset} ({count}):{refused:lines}",
    fix="remove the cause of each refusal, then materialize these partitions again",
    example={"asset": "sensor_readings", "count": 1, "refused": _REFUSED},
)
UNSUPPORTED_DAGSTER = Message(
    code="storage.unsupported-dagster",
    problem="Dagster {version} has no OutputContext.{attribute}, so partitions that a run refuses would be recorded as "
    "materialized",
    expected="a version that has it",
    fix="install the version that constraints.txt pins",
    example={"version": "1.14.0", "attribute": "_asset_partitions_subset"},
)

# Java.

_JAVA = {"supported": "17 or 21", "install": "run `sudo apt-get install openjdk-17-jre-headless`"}
NO_JAVA = Message(
    code="java.missing",
    problem="No Java was found on the PATH, and JAVA_HOME is not set",
    expected="Java {supported}, which Spark 4 needs",
    fix="{install}",
    example=_JAVA,
)
NO_JAVA_IN_HOME = Message(
    code="java.wrong-home",
    problem="JAVA_HOME ({home}) contains no Java",
    expected="the folder of Java {supported}, which Spark 4 needs",
    fix="correct JAVA_HOME, or {install}",
    example={"home": "/opt/nojava", **_JAVA},
)
JAVA_HOME_HIDES_JAVA = Message(
    code="java.hidden-by-home",
    problem="Spark cannot use the Java of JAVA_HOME ({home}), although the one on the PATH is suitable ({java})",
    expected="JAVA_HOME with Java {supported}, which Spark 4 needs, or no JAVA_HOME",
    fix="unset JAVA_HOME to use {java}, or {install}",
    example={"home": "/opt/java-11", "java": "/usr/bin/java", **_JAVA},
)
UNSUPPORTED_JAVA = Message(
    code="java.unsupported-version",
    problem="Spark 4 needs Java {supported}; found {version} at {path}",
    expected="Java {supported}",
    fix="{install}",
    example={"version": 11, "path": "/usr/bin/java", **_JAVA},
)
NOT_JAVA = Message(
    code="java.unknown-version",
    problem="{path} prints no Java version",
    expected="Java {supported}, which Spark 4 needs",
    fix="{install}",
    example={"path": "/usr/bin/java", **_JAVA},
)

# Storage backends of installed packages.

_BACKEND = "acme of acme-store 2.1 (entry point acme = acme_store:Store in traffic_assets.storage)"

BACKEND_OF_LOCAL_DISK = Message(
    code="storage.backend-of-local-disk",
    problem="The storage backend {backend} cannot be used: the scheme {scheme!r} belongs to the local disk",
    fix="choose another scheme",
    example={"backend": _BACKEND, "scheme": "file"},
)
BACKEND_RIVALS = Message(
    code="storage.backend-rivals",
    problem="The storage backend {backend} cannot be used: several packages use its scheme ({packages})",
    fix="uninstall all but one",
    example={"backend": _BACKEND, "packages": ["acme-store 2.1", "other-store 2.1"]},
)
BACKEND_NOT_IMPORTED = Message(
    code="storage.backend-not-imported",
    problem="The storage backend {backend} cannot be used: its import failed. Cause: {cause}",
    fix="repair or uninstall the package",
    example={"backend": _BACKEND, "cause": "ImportError: no client"},
)
BACKEND_NOT_CALLABLE = Message(
    code="storage.backend-not-callable",
    problem="The storage backend {backend} cannot be used: its entry point refers to an object of type {type}",
    expected="a function or class",
    fix="repair or uninstall the package",
    example={"backend": _BACKEND, "type": "int"},
)
BACKEND_NO_FILESYSTEM = Message(
    code="storage.backend-no-filesystem",
    problem="The storage backend {backend} cannot be used: for {uri} it returned an object of type {type}",
    expected="a FileSystem",
    fix="repair or uninstall the package",
    example={"backend": _BACKEND, "uri": "acme://host/data", "type": "str"},
)

# Spark and Java.

WRONG_TIME_ZONE = Message(
    code="spark.wrong-time-zone",
    problem="The active Spark session has {setting} = {zone}",
    expected="{expected}",
    fix='call spark.conf.set("{setting}", "{expected}") first',
    example={"setting": "spark.sql.session.timeZone", "zone": "America/Los_Angeles", "expected": "UTC"},
)
ARCHIVE_NOT_WRITTEN = Message(
    code="class-data.not-written",
    problem="Spark starts without a class data archive: creating it failed (exit code {exit_code}, file written: "
    "{written}). Cause: {output}",
    fix="remove the cause, or set spark.class_data_archive to false",
    example={"exit_code": 1, "written": False, "output": "the last lines of the output"},
)
ARCHIVE_NO_SPACE = Message(
    code="class-data.no-space",
    problem="Spark starts without a class data archive: less than {needed} is free in {folder}",
    fix="free space there, or set spark.class_data_archive to false",
    example={"needed": "1 GiB", "folder": "~/.cache/traffic_assets/class-data"},
)
NOT_HOTSPOT = Message(
    code="class-data.not-hotspot",
    problem="Spark starts without a class data archive: {java} is not a HotSpot JVM",
    fix="set JAVA_HOME to a HotSpot JVM such as OpenJDK, or set spark.class_data_archive to false",
    example={"java": "/usr/lib/jvm/openj9/bin/java"},
)
