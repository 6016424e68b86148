"""A real Spark standalone cluster for tests: Master and Workers from the pip wheel, on loopback.

Not here: pytest fixtures (see `conftest.py`) and HDFS (see `minihdfs.py`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pyspark

from traffic_assets.dagster_hdfs.class_data import Archive, create, spark_archive

SPARK_HOME = Path(pyspark.__file__).parent
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
DRIVER_CONF = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}


@cache
def class_data() -> Archive | None:
    """Return the class data archive of every Spark process of the tests, created on first use."""
    archive = spark_archive()
    create(archive)
    return archive


def class_data_options() -> str:
    """Return the JVM options that use the archive, as Spark reads them; without the file they have no effect."""
    archive = class_data()
    return shlex.join(archive.options) if archive is not None else ""


def spark_env() -> dict[str, str]:
    """Return the environment of every Spark process: loopback only, this Python, this wheel."""
    foreign = ("SPARK_", "PYSPARK_", "HADOOP_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return env | {
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_SUBMIT_OPTS": class_data_options(),
    }


def cluster_conf() -> dict[str, str]:
    """Return the settings of an application on the cluster: of its driver, and the executors' class data archive."""
    return {**DRIVER_CONF, "spark.executor.extraJavaOptions": class_data_options()}


class MiniSpark:
    """One Master and some Workers (`worker0`, ...), each of which can be killed; `url` is the master's.

    Args:
        workers: Number of Workers at the start.
        cores: Cores of each Worker.
        memory: Memory of each Worker's executors.
    """

    def __init__(self, workers: int = 1, cores: int = 2, memory: str = "1g") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="minispark-"))
        self.workers, self.cores, self.memory = workers, cores, memory
        self.url = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> MiniSpark:
        try:
            self._start("master", MASTER, "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
            self.url = self._await("master", r"Starting Spark master at (spark://[\d.:]+)")[1]
            for number in range(self.workers):
                self.start_worker(f"worker{number}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in sorted(self._processes, reverse=True):  # workers before the master
            self._processes[name].terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, name: str, main: str, *args: str) -> None:
        env = spark_env() | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 {class_data_options()}",
            "SPARK_LOG_DIR": str(self.folder),
            "SPARK_WORKER_DIR": str(self.folder / "work"),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(SPARK_HOME / "bin" / "spark-class"), main, *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=self.folder,
            )

    def _await(self, name: str, pattern: str, timeout: float = 60) -> re.Match[str]:
        end = time.monotonic() + timeout
        while True:
            text = (self.folder / f"{name}.log").read_text(errors="replace")
            if match := re.search(pattern, text):
                return match
            if self._processes[name].poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} did not start:\n{text[-3000:]}")
            time.sleep(0.1)

    def start_worker(self, name: str) -> None:
        """Start a Worker and wait until the Master knows it."""
        self._start(
            name,
            WORKER,
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--webui-port",
            "0",
            "--cores",
            str(self.cores),
            "--memory",
            self.memory,
            self.url,
        )
        self._await(name, "Successfully registered with master")

    def kill_worker(self, name: str) -> None:
        """End a Worker as a power cut would; its executors end when they lose it."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def submit(
        self, *args: str, conf: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run spark-submit on this cluster with the given arguments and Spark settings."""
        settings = {**cluster_conf(), **(conf or {})}
        flags = [text for key, value in settings.items() for text in ("--conf", f"{key}={value}")]
        return subprocess.run(
            [str(SPARK_HOME / "bin" / "spark-submit"), "--master", self.url, *flags, *args],
            env=spark_env(),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            check=False,
        )
