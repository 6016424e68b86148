"""The Dagster resources: a lazy Spark session, and the place on HDFS (or a local folder) where things are kept.

Loading this module, or the code location, starts nothing: the session is made at its first use, and work on
`file:` URIs never makes one.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
from pydantic import Field, PrivateAttr

from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.class_data import jvm_runs, spark_archive, started_from
from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.dagster_hdfs.uris import absolute_uri, join

LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
"""What keeps a local session to this machine."""

TIME_ZONE = "spark.sql.session.timeZone"
DEFAULTS = {
    TIME_ZONE: "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.retainedStages": "10000",  # a step's shuffle and spill are summed over them; Spark forgets after 1000
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",  # a large forest is saved in 3/4 of the time
    # a forest of rows that do not fit into memory is fitted in 6/7 of the time; Spark's own SQL server does without too
    "spark.kryo.referenceTracking": "false",
}

THROUGHPUT = "-XX:+UseParallelGC"
"""The collector for work in batches: Java's default works beside the program, which on few cores costs a tenth."""

_LOG4J = Path(__file__).with_name("log4j2.properties")


class SparkResource(dg.ConfigurableResource):
    """One lazy Spark session a process, by way of dagster-pyspark.

    An active session (a notebook's, or an earlier run's in the same process) is used as it is: Spark allows one
    a process, and its memory cannot be changed once its JVM runs. It must count time in UTC.
    """

    app_name: str = Field(default="dagster", description="the application's name in Spark's own pages")
    master: str | None = Field(default="local[*]", description="left to spark-submit if absent")
    driver_memory: str = Field(default="2g", description="set before the JVM starts")
    config: dict[str, str] = Field(default_factory=dict, description="any other spark.* setting")
    class_data_archive: bool = Field(
        default=True, description="start Java from the class data archive in the cache folder, if there is one"
    )

    _lazy: Any = PrivateAttr(default=None)

    def spark_config(self) -> dict[str, str]:
        """The settings that a new session gets."""
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
        """The SparkSession, made at the first call.

        Raises:
            ValueError: where the active session's time zone is another than the one asked for (UTC): local days
                and hours would shift without a word.
        """
        from dagster_pyspark import LazyPySparkResource
        from pyspark.sql import SparkSession

        active = SparkSession.getActiveSession()
        if active is not None and active.sparkContext._jsc is not None:
            wanted = self.spark_config()[TIME_ZONE]
            if (found := active.conf.get(TIME_ZONE)) != wanted:
                raise ValueError(
                    f"the active Spark session has {TIME_ZONE} = {found}, {wanted} is needed: call "
                    f'spark.conf.set("{TIME_ZONE}", "{wanted}") first'
                )
            return active
        if (self.master or "").startswith("local"):
            # workers beside this process run its Python; Spark would take the first python3 of the path
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        # a resource whose session was stopped would keep the dead one
        config = self.spark_config()
        self._lazy = LazyPySparkResource(spark_config=config)
        archive = None if jvm_runs() or not self.class_data_archive else spark_archive()
        with started_from(archive, users_options=config.get("spark.driver.extraJavaOptions", "")):
            return self._lazy.spark_session


class HdfsResource(dg.ConfigurableResource):
    """Where assets are kept: a base URI, and below it one dataset an asset key."""

    spark: dg.ResourceDependency[SparkResource]
    base_uri: str = Field(description="a folder or any Hadoop URI; no asset is kept outside it")
    default_folder: str = Field(default="assets", description="for asset keys without a location of their own")
    locations: dict[str, str] = Field(
        default_factory=dict, description="asset key (with slashes) -> path below the base"
    )
    pruned_datasets: list[str] = Field(
        default_factory=list, description="asset keys (with slashes) whose replaced generations may be removed"
    )
    browse_url: str | None = Field(
        default=None, description="address of a file below the base for browsers, with {path} where its path goes"
    )

    @property
    def filesystem(self) -> FileSystem:
        """The file system of the base URI; starts a session only when a Hadoop URI is touched."""
        return filesystem_for(self.base_uri, lambda: self.spark.session)

    def uri(self, *parts: str) -> str:
        """A URI below the base.

        Raises:
            ValueError: where a part is no safe path segment.
        """
        return join(self.base_uri, *parts)

    def link(self, uri: str) -> str | None:
        """What opens a file below the base in a browser; None where `browse_url` is not set."""
        if self.browse_url is None:
            return None
        path = uri.removeprefix(f"{absolute_uri(self.base_uri).rstrip('/')}/")
        return self.browse_url.replace("{path}", quote(path))

    def dataset(self, key: dg.AssetKey | str, partition_column: str | None = None) -> Dataset:
        """The dataset of an asset.

        Args:
            key: the asset's key; its whole path names the place, so that equal last parts do not meet.
            partition_column: the column that the partition key becomes when the data is read.
        """
        name = key if isinstance(key, str) else "/".join(key.path)
        path = self.locations.get(name, f"{self.default_folder}/{name}")
        return Dataset(self.uri(*path.split("/")), self.filesystem, partition_column)
