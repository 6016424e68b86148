"""A process that registers one model on a signal; `test_concurrent_registration.py` starts twenty of them.

It needs only Hadoop's client and no Spark context. The processes share a JVM, each with clients of its own, so that
HDFS sees as many writers as there are processes.
"""

from __future__ import annotations

import json
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from py4j.java_gateway import GatewayParameters, JavaGateway

from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.registry.store import ModelRegistry
from traffic_assets_tests.cluster.minihdfs import CLIENT_SETTINGS
from traffic_assets_tests.registry.examples import made_up

OWN_CLIENTS = {"fs.hdfs.impl.disable.cache": "true"}
"""Setting that gives each call its own client. Two writers with one client would share its leases."""


def gateway_session(port: int, token: str) -> Any:
    """Return the parts of a session that HadoopFileSystem needs, from a running JVM."""
    parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
    gateway: Any = JavaGateway(gateway_parameters=parameters)
    hadoop_conf = gateway.jvm.org.apache.hadoop.conf.Configuration()
    for key, value in (CLIENT_SETTINGS | OWN_CLIENTS).items():
        hadoop_conf.set(key, value)
    jsc = SimpleNamespace(hadoopConfiguration=lambda: hadoop_conf)
    return SimpleNamespace(_jvm=gateway.jvm, sparkContext=SimpleNamespace(_jsc=jsc, _gateway=gateway))


def main(gateway: tuple[int, str], start: Barrier, base: str, lane: str, name: str, folder: str) -> None:
    """Get ready, wait for the other processes, register, and record the version."""
    session = gateway_session(*gateway)
    registry = ModelRegistry(f"{base}/models", HadoopFileSystem(lambda: session))
    new = made_up(registry.filesystem, base, lane, name)
    assert registry.versions(lane) == []
    start.wait()
    version = registry.register(new).version
    Path(folder, f"{name}.json").write_text(json.dumps({"version": version}))
