"""Class data archives: files of loaded Java classes that make Spark start in half the time.

Java maps such an archive into memory instead of parsing and verifying some 9,000 classes
(`-XX:SharedArchiveFile`). An archive belongs to one Java build and one class path, so its name contains a digest of
both. It is stored in the user's cache folder and may be deleted at any time. If anything does not match, Java starts
without it. No function here raises because of the cache folder, the Java installation or the archive.

    archive = spark_archive()
    create(archive)             # once; a session with a few jobs
    with use_archive(archive): # no effect without the file
        spark = SparkSession.builder.getOrCreate()
"""

import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.java import java_program

_log = logging.getLogger(__name__)

FIRST_JAVA = 17
"""Minimum Java version; Spark 4 needs it too."""

NEEDED_BYTES = 1 << 30
"""Free bytes needed to create an archive, several times the size of Spark's: a full disk would truncate the file."""

CREATION_SECONDS = 900
"""Time limit for creating an archive, in case the JVM hangs: an idle machine needs seconds, a busy one minutes."""
RETRY_SECONDS = 24 * 3600
"""Time after which a failed creation is retried."""

UNUSED_SECONDS = 30 * 24 * 3600
"""Time after which an archive that no process has used is deleted, when another one is created."""

QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"
_USERS_OPTIONS = ("SharedArchiveFile", "ArchiveClassesAtExit", "-Xshare", "AutoCreateSharedArchive")
_OPTIONS_VARIABLES = ("SPARK_SUBMIT_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
_JOBS = Path(__file__).with_name("class_data_jobs.py")
_CLASS_PATH_VARIABLES = ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_DIST_CLASSPATH")
"""Variables that Spark appends to its class path: an archive of the class path before them still matches."""


@dataclass(frozen=True)
class Archive:
    """The archive for one Java build and one class path, whether or not it exists.

    Attributes:
        folder: Folder of all archives.
        name: Role, versions and a digest of everything that an archive depends on.
    """

    folder: Path
    name: str

    @property
    def path(self) -> Path | None:
        """Path of the complete file; None if there is none.

        The name ends with the size, because Java crashes on a truncated archive instead of starting without it.
        """
        with suppress(OSError):
            for path in self.folder.glob(f"{self.name}.*.jsa"):
                if path.name == f"{self.name}.{path.stat().st_size}.jsa":
                    return path
        return None

    @property
    def options(self) -> list[str]:
        """JVM options that use the archive; none if it does not exist."""
        path = self.path
        if path is None or os.pathsep in str(path):  # Java would read two paths
            return []
        with suppress(OSError):  # a read-only cache works too
            os.utime(path)
        return [f"-XX:SharedArchiveFile={path}", "-Xshare:auto", *QUIET.split()]


def cache_folder() -> Path:
    """Return the folder of all archives below XDG_CACHE_HOME or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "traffic_assets" / "class-data"


def archive_for(role: str, java: str, class_path: list[Path]) -> Archive | None:
    """Return the archive of a kind of process; None if its Java cannot use one.

    Args:
        role: Name of the kind of process and, if it has one, its version.
        java: Java program.
        class_path: Jars and folders of jars. The name of the archive depends on size and time of each jar.
    """
    try:
        version, build = _java_build(java)
        if int(version.split(".")[0]) < FIRST_JAVA:
            return None
        entries = [build, *(line for path in class_path for line in _entries(path))]
        digest = hashlib.sha256("\n".join(entries).encode()).hexdigest()[:12]
        return Archive(cache_folder(), f"{role}-java-{version}-{digest}")
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        _log.debug("no class data archive for %s: %s", role, error)
        return None


def spark_archive() -> Archive | None:
    """Return the archive for the Spark and the Java that pyspark starts; None if they cannot use one.

    A Spark installation with files in its configuration folder has none: Java does not archive a class path with a
    folder before the jars.
    """
    home = os.environ.get("SPARK_HOME")
    spark = Path(home) if home else _pyspark_folder()
    if spark is None:
        return None
    jars, conf = spark / "jars", Path(os.environ.get("SPARK_CONF_DIR") or spark / "conf")
    core = next(iter(jars.glob("spark-core_*.jar")), None)
    if core is None or (conf.is_dir() and any(conf.iterdir())):
        return None
    return archive_for(f"spark-{core.stem.split('-', 2)[2]}", java_program(), [conf, jars])


def jvm_runs() -> bool:
    """Return whether pyspark's JVM is already running, even if spark-submit started it; it takes no more options."""
    pyspark = sys.modules.get("pyspark")
    return "PYSPARK_GATEWAY_PORT" in os.environ or (pyspark is not None and pyspark.SparkContext._gateway is not None)


@contextmanager
def use_archive(archive: Archive | None, users_options: str = "") -> Iterator[None]:
    """Let a driver that starts inside the block use an archive, unless the user set such Java options.

    The options are in SPARK_SUBMIT_OPTS, which Spark puts before `spark.driver.extraJavaOptions`: both apply, and
    the user's option wins.

    Args:
        archive: Archive; None changes nothing.
        users_options: Java options of the driver.
    """
    before = os.environ.get("SPARK_SUBMIT_OPTS")
    configured = " ".join([users_options, *(os.environ.get(name, "") for name in _OPTIONS_VARIABLES)])
    options = [] if archive is None or any(option in configured for option in _USERS_OPTIONS) else archive.options
    if not options:
        yield
        return
    os.environ["SPARK_SUBMIT_OPTS"] = shlex.join(options) + (f" {before}" if before else "")
    try:
        yield
    finally:
        if before is None:
            del os.environ["SPARK_SUBMIT_OPTS"]
        else:
            os.environ["SPARK_SUBMIT_OPTS"] = before


def create(archive: Archive | None, notify: Callable[[str], None] = lambda _: None) -> None:
    """Create Spark's class data archive unless it exists, by running a few typical jobs in another process.

    Args:
        archive: Archive from `spark_archive`; None creates nothing.
        notify: Callback with a message before the work starts.
    """
    with write_archive(archive) as part:
        if archive is None or part is None:
            return
        notify(f"Preparing Java for Spark, once for this version: a class data archive (240 MB) in {archive.folder}")
        dropped = (*_CLASS_PATH_VARIABLES, *_OPTIONS_VARIABLES, "PYSPARK_SUBMIT_ARGS")
        environ = {key: value for key, value in os.environ.items() if key not in dropped}
        environ |= {
            "SPARK_SUBMIT_OPTS": shlex.join(get_creation_options(part)),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        run_writer(part, [sys.executable, "-P", str(_JOBS)], environ)


def get_creation_options(part: Path) -> list[str]:
    """Return the JVM options that write an archive when the JVM ends."""
    return [f"-XX:ArchiveClassesAtExit={part}", *QUIET.split()]


def run_writer(part: Path, command: list[str], environ: Mapping[str, str]) -> None:
    """Run a command whose JVM writes an archive, in the folder of the archive.

    Raises:
        RuntimeError: If the command fails or writes no archive.
    """
    with tempfile.TemporaryFile(dir=part.parent) as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            cwd=part.parent,
            timeout=CREATION_SECONDS,
        )
        if done.returncode or not part.is_file():
            output.seek(0)
            text = output.read().decode(errors="replace")[-3000:]
            raise RuntimeError(
                messages.ARCHIVE_NOT_WRITTEN(exit_code=done.returncode, written=part.is_file(), output=text)
            )


@contextmanager
def write_archive(archive: Archive | None) -> Iterator[Path | None]:
    """Yield the path to write an archive to, and publish the file afterwards.

    The path is None if the archive exists or another process creates it now. It is also None if creating it failed
    within the last day, the disk is nearly full, or the cache folder cannot be written. Each process writes into its
    own folder, and a rename publishes the file. A killed process leaves only its folder, which the next one deletes.

    Args:
        archive: Archive; None yields None too.
    """
    if archive is None or archive.path is not None:
        yield None
        return
    failed = archive.folder / f"{archive.name}.failed"
    with _lock(archive) as held:
        if not held or archive.path is not None or _age(failed) < RETRY_SECONDS:
            yield None
            return
        try:
            _clean(archive)
            if shutil.disk_usage(archive.folder).free < NEEDED_BYTES:
                needed = f"{NEEDED_BYTES / (1 << 30):g} GiB"
                raise OSError(messages.ARCHIVE_NO_SPACE(needed=needed, folder=archive.folder))
            folder = Path(tempfile.mkdtemp(prefix=f"{archive.name}.part-", dir=archive.folder))
        except OSError as error:
            _log.debug("no class data archive is created: %s", error)
            yield None
            return
        part = folder / "classes.jsa"
        try:
            yield part
            part.replace(archive.folder / f"{archive.name}.{part.stat().st_size}.jsa")
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            _log.debug("the class data archive %s could not be created: %s", archive.name, error)
            with suppress(OSError):
                failed.write_text(str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lock(archive: Archive) -> Iterator[bool]:
    """Hold the archive's lock; yield False if another process has it, or the folder cannot be written."""
    try:
        import fcntl  # only on POSIX systems

        archive.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(archive.folder / f"{archive.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (ImportError, OSError) as error:
        _log.debug("no class data archive is created: %s", error)
        yield False
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(lock)


def _clean(archive: Archive) -> None:
    """Delete folders of killed processes, truncated files, and archives that no process used for a month."""
    for left in archive.folder.glob(f"{archive.name}.part-*"):
        shutil.rmtree(left, ignore_errors=True)
    for path in archive.folder.glob("*.jsa"):
        if path.name.startswith(f"{archive.name}.") or _age(path) > UNUSED_SECONDS:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _java_build(java: str) -> tuple[str, str]:
    """Return a Java's version and everything that distinguishes its build from others."""
    printed = subprocess.run(
        [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=60, check=True
    ).stderr
    properties = dict(re.findall(r"^ +(java\.\S+|os\.arch) = (.*)$", printed, re.MULTILINE))
    names = ("java.home", "java.runtime.version", "java.vm.name", "java.vm.version", "os.arch")
    if not re.search("HotSpot|OpenJDK", properties.get("java.vm.name", "")):
        raise ValueError(messages.NOT_HOTSPOT(java=java))
    return properties["java.version"], "\n".join(properties.get(name, "") for name in names)


def _entries(path: Path) -> list[str]:
    """Return a part of the class path with sizes and times; a folder's jars in the order in which Java reads them."""
    if not path.is_dir():
        return [str(path)] if not path.exists() else [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"]
    with os.scandir(path) as entries:
        stats = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".jar")]
    return [str(path), *(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)]


def _pyspark_folder() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec("pyspark")
    return Path(spec.origin).parent if spec is not None and spec.origin else None
