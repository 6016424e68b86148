"""The Dagster resources: a lazy Spark session, and the location of stored assets on HDFS or in a local folder.

Importing this module, or loading the code location, starts no session. The session starts on first use, and work on
`file:` URIs never starts one.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
from pydantic import Field, PrivateAttr

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.class_data import jvm_runs, spark_archive, use_archive
from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.generation import REMEDY
from traffic_assets.dagster_hdfs.java import require_java
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.uris import absolute_uri, join

LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
"""Settings that restrict a local session to this machine."""

TIME_ZONE = "spark.sql.session.timeZone"
DEFAULTS = {
    TIME_ZONE: "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.retainedStages": "10000",  # a step's shuffle and spill are summed over them; Spark forgets after 1000
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",  # saves a large forest in 3/4 of the time
    # fits a forest in 6/7 of the time if its rows exceed the memory; Spark's own SQL server sets the same
    "spark.kryo.referenceTracking": "false",
}

THROUGHPUT = "-XX:+UseParallelGC"
"""Garbage collector for batch work; Java's default runs concurrently with the program and costs 10% on few cores."""

_LOG4J = Path(__file__).with_name("log4j2.properties")


class SparkResource(dg.ConfigurableResource):
    """One lazy Spark session for each process, from dagster-pyspark.

    An active session (of a notebook, or of an earlier run in the same process) is used unchanged, because Spark allows
    one per process. Its memory is fixed once its JVM runs. Its time zone must be UTC.
    """

    app_name: str = Field(default="dagster", description="name of the application on Spark's web pages")
    master: str | None = Field(default="local[*]", description="Spark master; without it spark-submit decides")
    driver_memory: str = Field(default="2g", description="memory of the driver, set before the JVM starts")
    config: dict[str, str] = Field(default_factory=dict, description="any other spark.* setting")
    class_data_archive: bool = Field(
        default=True, description="start Java from the class data archive in the cache folder, if there is one"
    )

    history_url: str | None = Field(
        default=None, description="address of an application in the history server, with {application_id}"
    )

    _lazy: Any = PrivateAttr(default=None)

    def spark_config(self) -> dict[str, str]:
        """Return the settings of a new session."""
        from traffic_assets.dagster_hdfs.hadoop import FAIL_FAST

        config = DEFAULTS | {f"spark.hadoop.{key}": value for key, value in FAIL_FAST.items()}
        config |= {"spark.app.name": self.app_name}
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # under spark-submit the JVM runs and has its master
        if not submitted:
            config |= {"spark.driver.memory": self.driver_memory}
            if self.master is not None:
                config |= {"spark.master": self.master}
            if (self.master or "").startswith("local"):
                config |= LOOPBACK | {
                    "spark.driver.extraJavaOptions": f"{THROUGHPUT} -Dlog4j2.configurationFile=file:{_LOG4J}"
                }
        return config | self.config

    @property
    def session(self) -> Any:
        """The SparkSession, started on first access.

        Raises:
            JavaError: If Spark would find no Java, or one that it cannot use.
            ValueError: If the active session has a different time zone from the configured one (UTC). Otherwise local
                days and hours would shift silently.
        """
        from dagster_pyspark import LazyPySparkResource
        from pyspark.sql import SparkSession

        active = SparkSession.getActiveSession()
        if active is not None and active.sparkContext._jsc is not None:
            expected = self.spark_config()[TIME_ZONE]
            if (zone := active.conf.get(TIME_ZONE)) != expected:
                raise ValueError(messages.WRONG_TIME_ZONE(setting=TIME_ZONE, zone=zone, expected=expected))
            return active
        if (self.master or "").startswith("local"):
            # workers on this machine run this Python; otherwise Spark takes the first python3 on the PATH
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        # a new resource, because the old one would keep a session that was stopped
        config = self.spark_config()
        self._lazy = LazyPySparkResource(spark_config=config)
        if not jvm_runs():
            require_java()
        archive = None if jvm_runs() or not self.class_data_archive else spark_archive()
        with use_archive(archive, users_options=config.get("spark.driver.extraJavaOptions", "")):
            return self._lazy.spark_session


class HdfsResource(dg.ConfigurableResource):
    """The location of stored assets: a base URI, and below it one dataset for each asset key."""

    spark: dg.ResourceDependency[SparkResource]
    base_uri: str = Field(description="folder or Hadoop URI that contains every stored asset")
    default_folder: str = Field(default="assets", description="folder for asset keys that `locations` does not name")
    locations: dict[str, str] = Field(
        default_factory=dict, description="path below the base, by asset key (with slashes)"
    )
    pruned_datasets: list[str] = Field(
        default_factory=list, description="asset keys (with slashes) whose replaced generations may be removed"
    )
    column_descriptions: dict[str, str] = Field(
        default_factory=dict, description="description of a column by name, for the column schema of stored tables"
    )
    remedies: dict[str, str] = Field(
        default_factory=dict,
        description="what to do about damaged partitions {first} to {last}, by asset key (with slashes)",
    )
    key_prefix: str = Field(default="", description="first part of every asset key that has no folder of its own")
    browse_url: str | None = Field(
        default=None, description="address of a file below the base for browsers, with {path} for its path"
    )

    @property
    def filesystem(self) -> FileSystem:
        """The file system of the base URI; only an operation on a Hadoop URI starts a session."""
        return filesystem_for(self.base_uri, lambda: self.spark.session)

    def uri(self, *parts: str) -> str:
        """Return a URI below the base.

        Raises:
            ValueError: If a part is not a valid path segment.
        """
        return join(self.base_uri, *parts)

    def link(self, uri: str) -> str | None:
        """Return the address that opens a file below the base in a browser; None if `browse_url` is not set."""
        if self.browse_url is None:
            return None
        path = uri.removeprefix(f"{absolute_uri(self.base_uri).rstrip('/')}/")
        return self.browse_url.replace("{path}", quote(path))

    def describe_file(self, uri: str) -> dg.MetadataValue:
        """Return a file below the base as metadata: a link if browsers can open it, otherwise its path."""
        link = self.link(uri)
        return dg.MetadataValue.url(link) if link else dg.MetadataValue.path(uri)

    def dataset(self, key: dg.AssetKey | str, partition_column: str | None = None) -> Dataset:
        """Return the dataset of an asset.

        Args:
            key: Asset key, with or without `key_prefix`. Its whole other path determines the folder, so keys with
                equal last parts do not collide.
            partition_column: Column for the partition key when the data is read.
        """
        name = key if isinstance(key, str) else "/".join(key.path)
        if self.key_prefix:
            name = name.removeprefix(f"{self.key_prefix}/")
        path = self.locations.get(name, f"{self.default_folder}/{name}")
        remedy = self.remedies.get(name, REMEDY)
        return Dataset(self.uri(*path.split("/")), self.filesystem, partition_column, name, remedy)
