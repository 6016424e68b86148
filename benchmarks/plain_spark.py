"""A week's training as a plain Spark script: the same rows, fits and saves, without Dagster and without this package.

    python benchmarks/plain_spark.py INPUT OUTPUT OPTIONS_JSON

It is the baseline of `overhead.py`. It reads the day files, splits by the same hash and fits the preprocessor. It
cross-validates, fits and saves three models, and evaluates their temporal holdouts. Then it evaluates the models as
loaded from disk. It collects the points of the figures, but draws none.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler
from pyspark.ml.regression import GBTRegressor, LinearRegression, RandomForestRegressor
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

NUMERIC = [
    "hour_sin", "hour_cos", "time_since_midnight", "lat_normalized", "lon_normalized", "distance_from_center",
    "traffic_efficiency", "occupancy_ratio", "flow_rate", "speed_variance", "speed_lag_1", "speed_lag_2",
    "speed_lag_3", "speed_ma_15min", "speed_ma_30min", "speed_ma_60min",
]  # fmt: skip
CATEGORICAL = ["highway_encoded", "is_weekend", "is_rush_hour", "sensor_cluster", "congestion_level"]
KEYS = ["sensor_id", "timestamp"]
SEED = 42


def estimators(hyperparameters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the three estimators; a Spark session must be running."""
    result: dict[str, Any] = {
        "linear_regression": LinearRegression(labelCol="speed", standardization=False),
        "random_forest": RandomForestRegressor(labelCol="speed", seed=SEED, cacheNodeIds=True),
        "gradient_boosted_trees": GBTRegressor(labelCol="speed", seed=SEED),
    }
    for name, values in hyperparameters.items():
        result[name].setParams(**values)
    return result


def unit_hash(salt: str) -> Column:
    """Return a number in [0, 1) for each row, from a hash of its key."""
    hashed = F.xxhash64(F.col("sensor_id"), F.col("timestamp").cast("long"), F.lit(SEED), F.lit(salt))
    return F.pmod(hashed, F.lit(2**32)) / 2**32


def cache_rows(rows: DataFrame) -> DataFrame:
    """Cache the rows in memory, partitioned and sorted by key."""
    cores = rows.sparkSession.sparkContext.defaultParallelism
    return rows.repartition(cores, *KEYS).sortWithinPartitions(*KEYS).persist()


def preprocessor() -> Pipeline:
    """Return the pipeline that imputes, indexes, one-hot encodes, assembles and standardizes."""
    imputed, indexed = [f"imputed_{c}" for c in NUMERIC], [f"index_{c}" for c in CATEGORICAL]
    encoded = [f"onehot_{c}" for c in CATEGORICAL]
    return Pipeline(
        stages=[
            Imputer(strategy="median", inputCols=NUMERIC, outputCols=imputed),
            StringIndexer(
                inputCols=CATEGORICAL, outputCols=indexed, handleInvalid="keep", stringOrderType="alphabetAsc"
            ),
            OneHotEncoder(inputCols=indexed, outputCols=encoded, dropLast=False),
            VectorAssembler(inputCols=imputed + encoded, outputCol="assembled", handleInvalid="keep"),
            StandardScaler(inputCol="assembled", outputCol="features", withMean=True, withStd=True),
        ]
    )


def metrics(predicted: DataFrame) -> dict[str, float]:
    """Return RMSE, MAE, MAPE and R², computed in one pass."""
    error = F.col("prediction") - F.col("speed")
    row = predicted.agg(
        F.avg(error * error).alias("mse"),
        F.avg(F.abs(error)).alias("mae"),
        F.avg(F.when(F.col("speed") >= 5, F.abs(error / F.col("speed")))).alias("mape"),
        F.var_pop("speed").alias("variance"),
        F.avg(error).alias("bias"),
        F.percentile_approx(F.abs(error), 0.95, 10_000).alias("p95"),
    ).collect()[0]
    return {"rmse": row.mse**0.5, "mae": row.mae, "mape": row.mape, "r2": 1 - row.mse / row.variance}


def fit_pipeline(train: DataFrame, estimator: Any) -> PipelineModel:
    """Fit preprocessor and model on train rows, and return both as one pipeline."""
    prepared = preprocessor().fit(train)
    vectors = prepared.transform(train).select("features", "speed").persist()
    model = estimator.fit(vectors)
    vectors.unpersist()
    return PipelineModel([*prepared.stages, model])


def main(source: str, output: str, options_json: str) -> None:
    """Train, save and evaluate the models of a week."""
    options = json.loads(options_json)
    folds: int = options["folds"]
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.extraJavaOptions", "-XX:+UseParallelGC")  # as in the job
        .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")  # as in the job
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    rows = spark.read.parquet(source)
    split = F.when(unit_hash("split") < 0.8, "train").otherwise("test")
    split = F.when((split == "train") & (unit_hash("carve") < 0.1), "validation").otherwise(split)
    rows.withColumn("split", split).write.partitionBy("split").parquet(f"{output}/splits")
    train = spark.read.parquet(f"{output}/splits/split=train")
    test = spark.read.parquet(f"{output}/splits/split=test")
    prepared = preprocessor().fit(train)
    prepared.write().save(f"{output}/preprocessor")
    report: dict[str, Any] = {}
    for name, estimator in estimators(options["hyperparameters"]).items():
        rows_in_memory = cache_rows(train).withColumn("fold", F.floor(unit_hash("fold") * folds))
        fold_metrics = []
        for fold in range(folds):
            fold_model = fit_pipeline(rows_in_memory.where(F.col("fold") != fold), estimator)
            fold_metrics.append(metrics(fold_model.transform(rows_in_memory.where(F.col("fold") == fold))))
        vectors = prepared.transform(cache_rows(train)).select("features", "speed").persist()
        PipelineModel([*prepared.stages, estimator.fit(vectors)]).write().save(f"{output}/{name}/pipeline")
        spark.catalog.clearCache()

        window = cache_rows(spark.read.parquet(f"{output}/splits"))
        seconds = F.col("timestamp").cast("long")
        boundary = window.agg(F.percentile_approx(seconds, 0.8, 100_000)).collect()[0][0]
        temporal = fit_pipeline(window.where(seconds < boundary), estimator)
        later = metrics(temporal.transform(window.where(seconds >= boundary)))
        spark.catalog.clearCache()

        loaded = PipelineModel.load(f"{output}/{name}/pipeline")
        predicted = cache_rows(loaded.transform(test).select("sensor_id", "timestamp", "speed", "prediction"))
        points = predicted.where(unit_hash("plot") < 0.2).limit(2000).select("speed", "prediction")
        report[name] = {
            "folds": fold_metrics,
            "train": metrics(loaded.transform(train)),
            "test": metrics(predicted),
            "later": later,
            "drawn": len(points.toPandas()),
        }
        loaded.stages[-1].write().save(f"{output}/{name}/model")  # type: ignore[attr-defined]
        spark.catalog.clearCache()
    Path(output, "report.json").write_text(json.dumps(report, indent=1))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
