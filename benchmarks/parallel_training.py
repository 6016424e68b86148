"""Time saved by `training.parallel_training`: concurrent against sequential folds and trials.

    python -m benchmarks.parallel_training [local] [standalone]

It runs on a local session and on a standalone cluster, which it starts. For each algorithm, it measures one trial on
all folds, and as many trials as there are cores on one fold. It compares the medians of alternating runs after a
warm-up run. The last line is the worst ratio. On a local session, an algorithm whose fit uses all cores is skipped,
because `training.parallel_training` has no effect on it.
"""

import os
import statistics
import sys
import time
from contextlib import nullcontext

from pyspark.sql import SparkSession

from benchmarks.feature_rows import feature_rows
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.dagster_hdfs.resources import SparkResource
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.model_selection.cross_validation import CrossValidation
from traffic_assets.ml.preprocessing.feature_set import usable_features
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets_tests.cluster.minispark import MiniSpark, spark_env

SENSORS, FOLDS, SEED, RUNS, GOAL = 12, 5, 42, 3, 1.0
CHANGES: dict[str, dict[str, object]] = {
    "linear_regression": {},
    "random_forest": {"numTrees": 20, "maxDepth": 8, "maxBins": 32},
    "gradient_boosted_trees": {"maxIter": 10},
    "xgboost": {"n_estimators": 100, "early_stopping_rounds": None},
    "svr": {"max_rows": 5_000},
}
CORES = os.cpu_count() or 1


def ratios(where: str, master: str) -> list[float]:
    """Return the ratios of concurrent to sequential time: for each algorithm, of the folds and of the trials."""
    conf = {"spark.executor.memory": "4g"} if master.startswith("spark") else {}
    spark = SparkResource(app_name="parallel_training", master=master, driver_memory="4g", config=conf).session
    results = []
    with feature_rows("sample", SENSORS) as rows, cached_rows(rows) as train:
        features, folds = usable_features(train, FEATURES), make_folds(train, "random", FOLDS, SEED)
        for name, changes in CHANGES.items():
            algorithm = algorithm_named(name)
            tried = algorithm.hyperparameters.model_validate(changes)
            if where == "local" and algorithm.uses_all_cores(tried):
                print(f"  {where}, {name}: skipped, because one fit uses all cores", flush=True)
                continue
            for what, some, trials in (("folds", folds, 1), ("trials", folds[:1], CORES)):
                seconds: dict[int, list[float]] = {1: [], CORES: []}
                for number in range(RUNS + 1):
                    for threads, taken in seconds.items():
                        started = time.perf_counter()
                        validation = CrossValidation(features, algorithm, some, SEED, threads=threads)
                        validation.evaluate_trials(train, [tried] * trials)
                        if number:
                            taken.append(time.perf_counter() - started)
                sequential, concurrent = (statistics.median(taken) for taken in seconds.values())
                print(
                    f"  {where}, {name}, {what}: {sequential:.1f} s sequential, {concurrent:.1f} s concurrent",
                    flush=True,
                )
                results.append(concurrent / sequential)
    spark.stop()
    return results


def main() -> int:
    """Measure, print the worst ratio, and return the exit code."""
    results = []
    os.environ.update({k: v for k, v in spark_env().items() if k.startswith(("SPARK_", "PYSPARK_"))})
    for where in sys.argv[1:] or ["local", "standalone"]:
        with MiniSpark(cores=CORES, memory="5g") if where == "standalone" else nullcontext() as cluster:
            results += ratios(where, cluster.url if cluster else f"local[{CORES}]")
        assert SparkSession.getActiveSession() is None
    worst = max(results)
    print(f"parallel_training: ratio {worst:.2f} (goal {GOAL:g})")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
