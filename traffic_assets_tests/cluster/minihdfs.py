"""A real single-node HDFS for tests: one NameNode and one DataNode process on loopback.

The servers' jars come from Maven or, if there is no `mvn`, as one shaded jar through the Ivy inside the pyspark wheel.
They are cached in MINIHDFS_CACHE (default: ~/.cache/minihdfs). Not here: pytest fixtures (see `conftest.py`) and the
Spark cluster (see `minispark.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyspark

from traffic_assets.dagster_hdfs.class_data import (
    Archive,
    archive_for,
    get_creation_options,
    write_archive,
)
from traffic_assets.dagster_hdfs.hadoop import FAIL_FAST
from traffic_assets.dagster_hdfs.java import java_program

PYSPARK_JARS = Path(pyspark.__file__).parent / "jars"
POM = Path(__file__).with_name("minihdfs-pom.xml")
CACHE = Path(os.environ.get("MINIHDFS_CACHE", Path.home() / ".cache" / "minihdfs"))
CLIENT_SETTINGS = {**FAIL_FAST, "dfs.replication": "1"}
"""Settings of a client of this HDFS. Clients choose the replication, and there is only one DataNode."""

FETCH_SECONDS = 600
JVM = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
]
NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
LOG4J = """log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{HH:mm:ss,SSS} %p %c{1}: %m%n
"""


def _fetch(folder: Path) -> None:
    if shutil.which("mvn"):
        command = [
            "mvn",
            "-B",
            "-ntp",
            "-q",
            "-f",
            str(POM),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={folder}",
        ]
    else:
        ivy = next(PYSPARK_JARS.glob("ivy-*.jar"))
        version = next(PYSPARK_JARS.glob("hadoop-client-api-*.jar")).stem.rsplit("-", 1)[1]
        command = [
            java_program(),
            "-jar",
            str(ivy),
            "-cache",
            str(folder.with_suffix(".ivy")),
            "-confs",
            "default",
            "-notransitive",
            "-dependency",
            "org.apache.hadoop",
            "hadoop-client-minicluster",
            version,
            "-retrieve",
            f"{folder}/[artifact]-[revision].[ext]",
        ]
    try:
        subprocess.run(command, check=True, timeout=FETCH_SECONDS, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError(
            f"The servers of the test HDFS could not be fetched by {command[0]}: {error}. On first use they come from "
            f"Maven's repository (repo1.maven.org, or a configured mirror), so the network is needed. Fix: allow "
            f"access to it, or copy {CACHE} (MINIHDFS_CACHE) from another machine."
        ) from error


def server_classpath() -> str:
    """Return the class path of the servers, whose jars are fetched on first use and cached in CACHE."""
    target = CACHE / f"jars-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for left in CACHE.glob("part-*"):  # left by killed runs; younger ones may be in use
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - 2 * FETCH_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=CACHE))
        try:
            _fetch(part)
            with suppress(OSError):  # another run was faster
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(part.with_suffix(".ivy"), ignore_errors=True)
    if any(target.glob("hadoop-client-minicluster-*.jar")):
        return f"{target}/*:{PYSPARK_JARS}/*"
    return f"{target}/*"


@cache
def class_data() -> dict[str, Archive | None]:
    """Return each server's class data archive, created on first use by a cluster that starts and ends."""
    jars = [Path(entry).parent for entry in server_classpath().split(":")]
    archives = {main: archive_for(f"hdfs-{_role(main)}", java_program(), jars) for main in (NAMENODE, DATANODE)}
    with write_archive(archives[NAMENODE]) as name_part, write_archive(archives[DATANODE]) as data_part:
        parts = {NAMENODE: name_part, DATANODE: data_part}
        options = {main: get_creation_options(part) for main, part in parts.items() if part is not None}
        if options:
            with MiniHdfs(options=options) as cluster:
                cluster.terminate()
    return archives


def _role(main: str) -> str:
    return main.rsplit(".", 1)[1].lower()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class MiniHdfs:
    """The two processes, each of which can be killed and started again; state survives.

    Args:
        folder: Folder of names, blocks, settings and logs; None for a temporary one.
        site: Additional Hadoop settings for servers and clients.
        options: JVM options of each server, by its main class, instead of those that use its class data archive.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        site: dict[str, str] | None = None,
        options: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.folder = Path(folder or tempfile.mkdtemp(prefix="minihdfs-"))
        self.port, self.http_port, self.datanode_http_port = (free_port() for _ in range(3))
        self.uri = f"hdfs://127.0.0.1:{self.port}"
        self.conf_dir = self.folder / "conf"  # a client's HADOOP_CONF_DIR
        self._own_folder = folder is None
        self._site = site or {}
        self._options = options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> MiniHdfs:
        self._write_conf()
        try:
            if not (self.folder / "name" / "current").exists():
                self._java(NAMENODE, "-format", "-force", "-nonInteractive").wait(60)
            self.start_namenode()
            self.start_datanode()
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_datanode()
        self.kill_namenode()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write_conf(self) -> None:
        local = "127.0.0.1"
        site = {
            "fs.defaultFS": self.uri,
            "hadoop.tmp.dir": f"{self.folder}/tmp",
            "dfs.namenode.name.dir": f"file://{self.folder}/name",
            "dfs.datanode.data.dir": f"file://{self.folder}/data",
            "dfs.namenode.http-address": f"{local}:{self.http_port}",
            "dfs.datanode.address": f"{local}:0",
            "dfs.datanode.http.address": f"{local}:{self.datanode_http_port}",
            "dfs.datanode.ipc.address": f"{local}:0",
            # these four: nobody looks up the machine's own name, which need not resolve
            "dfs.datanode.hostname": local,
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "hadoop.security.dns.interface": "lo0" if sys.platform == "darwin" else "lo",
            "hadoop.http.authentication.kerberos.principal": "HTTP/localhost@LOCALHOST",
            "dfs.namenode.safemode.min.datanodes": "1",
            "dfs.namenode.safemode.extension": "0",
            "dfs.namenode.fs-limits.min-block-size": "1024",
            "dfs.heartbeat.interval": "1",  # dead after 2 * recheck + 10 * interval = 12 s
            "dfs.namenode.heartbeat.recheck-interval": "1000",
            "dfs.blockreport.initialDelay": "0",
            "dfs.datanode.du.reserved": "0",
            **CLIENT_SETTINGS,
            **self._site,
        }
        self.conf_dir.mkdir(parents=True, exist_ok=True)
        rows = "".join(
            f"<property><name>{key}</name><value>{escape(value)}</value></property>\n" for key, value in site.items()
        )
        for name in ("core-site.xml", "hdfs-site.xml"):
            (self.conf_dir / name).write_text(f"<configuration>\n{rows}</configuration>\n")
        (self.conf_dir / "log4j.properties").write_text(LOG4J)
        for name in ("hdfs", "datanode"):  # the hadoop-hdfs jar lacks its web pages, but requires them
            (self.conf_dir / "webapps" / name).mkdir(parents=True, exist_ok=True)

    def _java(self, main: str, *args: str) -> subprocess.Popen[bytes]:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("HADOOP_", "HDFS_"))}
        # the settings come last, because an archive is valid for class paths that begin with its jars
        command = [java_program(), *JVM, *self._jvm_options(main), "-cp", f"{server_classpath()}:{self.conf_dir}"]
        with (self.folder / f"{_role(main)}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, main, *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=self.folder,
            )

    def _jvm_options(self, main: str) -> list[str]:
        if self._options is not None:
            return self._options.get(main, [])
        archive = class_data()[main]
        return archive.options if archive is not None else []

    def start_namenode(self) -> None:
        """Start the NameNode; `wait_ready` waits for it."""
        self._processes["namenode"] = self._java(NAMENODE)

    def start_datanode(self) -> None:
        """Start the DataNode; `wait_ready` waits for it."""
        self._processes["datanode"] = self._java(DATANODE)

    def _kill(self, role: str) -> None:
        process = self._processes.pop(role, None)
        if process is not None:
            process.kill()
            process.wait()

    def kill_namenode(self) -> None:
        """End the NameNode as a power cut would."""
        self._kill("namenode")

    def kill_datanode(self) -> None:
        """End the DataNode as a power cut would."""
        self._kill("datanode")

    def terminate(self, timeout: float = 120) -> None:
        """End both servers as an operator would, and wait for them: their JVMs may write files when they end."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(timeout)

    def freeze_namenode(self) -> None:
        """Suspend the NameNode: it keeps its port and does not answer."""
        self._processes["namenode"].send_signal(signal.SIGSTOP)

    def thaw_namenode(self) -> None:
        """Resume a frozen NameNode."""
        self._processes["namenode"].send_signal(signal.SIGCONT)

    def heal(self) -> None:
        """Restart killed servers, resume a frozen NameNode, and wait until HDFS is ready."""
        if "namenode" not in self._processes:
            self.start_namenode()
        self.thaw_namenode()
        if "datanode" not in self._processes:
            self.start_datanode()
        self.wait_ready()

    @staticmethod
    def _bean(port: int, name: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/jmx?qry=Hadoop:{name}", timeout=5) as reply:
            bean: dict[str, Any] = json.load(reply)["beans"][0]
            return bean

    def state(self) -> dict[str, Any]:
        """Return the state that the NameNode reports (FSState, NumLiveDataNodes, ...)."""
        return self._bean(self.http_port, "service=NameNode,name=FSNamesystemState")

    def is_ready(self) -> bool:
        """Return whether HDFS is out of safe mode and the running DataNode (not an earlier one) is registered."""
        try:
            if self.state()["FSState"] != "Operational":
                return False
            if "datanode" not in self._processes:
                return True
            info = self._bean(self.datanode_http_port, "service=DataNode,name=DataNodeInfo")
            actors = json.loads(info["BPServiceActorInfo"])
            return bool(self.state()["NumLiveDataNodes"] == 1 and actors[0]["ActorState"] == "RUNNING")
        except (OSError, ValueError, LookupError):
            return False

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until `is_ready`.

        Raises:
            RuntimeError: If a process ended; the message contains the end of its log.
            TimeoutError: If HDFS is not ready in time.
        """
        end = time.monotonic() + timeout
        while not self.is_ready():
            for role, process in self._processes.items():
                if process.poll() is not None:
                    log = (self.folder / f"{role}.log").read_text(errors="replace")
                    raise RuntimeError(f"{role} ended with {process.returncode}:\n{log[-3000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"HDFS not ready in {timeout} s, logs in {self.folder}")
            time.sleep(0.1)
