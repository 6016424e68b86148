"""A session with a few typical jobs, whose JVM writes a class data archive when it ends; see `class_data.py`.

Run this program in a writable folder. It ends after its JVM, with the JVM's exit code.
"""

import sys
from pathlib import Path
from typing import Any


def start() -> Any:
    """Start a small local session, and return it."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("class data archive")
    settings: dict[str, Any] = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": "warehouse",
        "spark.ui.enabled": "false",
    }
    return builder.config(map=settings).getOrCreate()


def run_queries(spark: Any, folder: str) -> Any:
    """Write, read, join, aggregate and order some rows; return them."""
    import pandas as pd
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    days = pd.date_range("2026-01-05", periods=200, freq="5min", tz="UTC")
    rows = spark.createDataFrame(pd.DataFrame({"sensor": ["a", "b"] * 100, "at": days, "x": range(200)}))
    rows = rows.withColumn("label", F.col("x") * 0.5 + F.rand(1)).withColumn("day", F.to_date("at"))
    rows.write.partitionBy("day").parquet(f"{folder}/rows")
    read = spark.read.parquet(f"{folder}/rows")
    earlier = Window.partitionBy("sensor").orderBy("at")
    read = read.withColumn("before", F.lag("x").over(earlier)).fillna(0, ["before"])
    means = read.groupBy("sensor").agg(F.avg("x").alias("mean"), F.stddev("x"), F.countDistinct("day"))
    joined = read.join(F.broadcast(means), "sensor").where("x >= 0").orderBy("at")
    joined.approxQuantile("x", [0.5], 0.01)
    joined.mapInPandas(lambda frames: frames, joined.schema).toPandas()
    rows.select("sensor", "x").write.csv(f"{folder}/csv", header=True)
    spark.read.csv(f"{folder}/csv", header=True, inferSchema=True).count()
    return joined.cache()


def fit_models(rows: Any, folder: str) -> None:
    """Fit, save and load a pipeline for each kind of model."""
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.evaluation import RegressionEvaluator
    from pyspark.ml.feature import OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler
    from pyspark.ml.regression import GBTRegressor, LinearRegression, RandomForestRegressor

    stages: list[Any] = [
        StringIndexer(inputCol="sensor", outputCol="index"),
        OneHotEncoder(inputCol="index", outputCol="code"),
        VectorAssembler(inputCols=["x", "before", "mean", "code"], outputCol="assembled"),
        StandardScaler(inputCol="assembled", outputCol="features"),
    ]
    prepared = Pipeline(stages=stages).fit(rows).transform(rows).cache()
    for model in (LinearRegression(), RandomForestRegressor(numTrees=2), GBTRegressor(maxIter=2)):
        path = f"{folder}/{type(model).__name__}"
        Pipeline(stages=[model]).fit(prepared).save(path)
        RegressionEvaluator().evaluate(PipelineModel.load(path).transform(prepared))
    prepared.unpersist()


def main() -> int:
    """Run everything and wait until the JVM has ended."""
    spark = start()
    jvm = spark.sparkContext._gateway.proc
    folder = Path.cwd().as_uri()
    fit_models(run_queries(spark, folder), folder)
    spark.stop()
    jvm.stdin.close()  # ends a JVM that pyspark started
    return int(jvm.wait())


if __name__ == "__main__":
    sys.exit(main())
