"""Start of a local Spark session with its first jobs, with and without the class data archive.

Both are whole processes with the session of the code location. They start in turn; their medians are compared. The goal
is a ratio of at most 0.85.
"""

import subprocess
import sys
import time
from functools import partial

from benchmarks.pairs import compare
from traffic_assets.dagster_hdfs.class_data import create, spark_archive

RUNS, GOAL = 5, 0.85
JOBS = """
import sys, tempfile
from pyspark.sql import functions as F
from traffic_assets.dagster_hdfs.resources import SparkResource

spark = SparkResource(class_data_archive=sys.argv[1] == "with").session
rows = spark.range(1000).withColumn("key", F.col("id") % 7)
rows.groupBy("key").agg(F.avg("id"), F.max("id")).collect()
with tempfile.TemporaryDirectory() as folder:
    rows.write.mode("overwrite").parquet(f"file://{folder}")
    spark.read.parquet(f"file://{folder}").where("id > 500").toPandas()
"""


def seconds(archive: str) -> float:
    """Return the wall time, in seconds, of a process that starts Spark and runs three jobs.

    Args:
        archive: "with" or "without".
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", JOBS, archive], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    """Create the archive, measure, print the ratio, and return the exit code."""
    create(spark_archive(), print)
    without = ("without", partial(seconds, "without"))
    return compare("spark_start", without, ("with", partial(seconds, "with")), RUNS, GOAL)


if __name__ == "__main__":
    sys.exit(main())
