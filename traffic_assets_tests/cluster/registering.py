"""A process that registers one model when told to; `test_concurrent_registration.py` starts twenty of them.

It has a JVM of its own with Hadoop's client, but no Spark context, which registering does not need.

    python -m traffic_assets_tests.cluster.registering <base uri> <lane> <name> <folder>
    <folder>/<name>.ready is written when it could register at once; it does so when <folder>/go appears
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark.conf import SparkConf
from pyspark.java_gateway import launch_gateway

from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.registry.store import ModelRegistry
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS
from traffic_assets_tests.registry.examples import made_up

POLL = 0.01
TIMEOUT = 300.0
JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"


def gateway_session() -> Any:
    """What HadoopFileSystem needs of a session, from a JVM of little memory and without a context."""
    conf = SparkConf(loadDefaults=False)
    conf.set("spark.driver.memory", "256m").set("spark.driver.extraJavaOptions", JVM)
    gateway: Any = launch_gateway(conf)
    hadoop_conf = gateway.jvm.org.apache.hadoop.conf.Configuration()
    for key, value in CLIENT_SETTINGS.items():
        hadoop_conf.set(key, value)
    jsc = SimpleNamespace(hadoopConfiguration=lambda: hadoop_conf)
    return SimpleNamespace(_jvm=gateway.jvm, sparkContext=SimpleNamespace(_jsc=jsc, _gateway=gateway))


def main(base: str, lane: str, name: str, folder: str) -> None:
    """Get ready, wait for the word, register, and say which version it became."""
    session = gateway_session()
    registry = ModelRegistry(f"{base}/models", HadoopFileSystem(lambda: session))
    new = made_up(registry.filesystem, base, lane, name)
    assert registry.versions(lane) == []
    Path(folder, f"{name}.ready").touch()
    end = time.monotonic() + TIMEOUT
    while not Path(folder, "go").exists():
        if time.monotonic() > end:
            raise TimeoutError("nobody said go")
        time.sleep(POLL)
    print(registry.register(new).version)


if __name__ == "__main__":
    main(*sys.argv[1:])
