"""Local folders on the test HDFS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def upload(spark: SparkSession, folder: Path, uri: str) -> None:
    """Copy a local folder to a URI that does not exist yet, with Hadoop's client.

    Its checksum files are copied too, because a version's manifest lists them.
    """
    jvm: Any = spark._jvm
    hadoop, configuration = jvm.org.apache.hadoop.fs, spark.sparkContext._jsc.hadoopConfiguration()
    source, target = hadoop.Path(f"file://{folder}"), hadoop.Path(uri)
    here, there = source.getFileSystem(configuration).getRaw(), target.getFileSystem(configuration)
    there.mkdirs(target.getParent())
    assert hadoop.FileUtil.copy(here, source, there, target, False, configuration)
