"""What `training.parallel_training` saves: folds, and trials of a fold, at the same time against one after the other.

    python -m benchmarks.parallel_training [local] [standalone]

On a local session and on a standalone cluster (which this starts), for each algorithm on its own: one trial on all
folds, and as many trials as there are cores on one fold; the medians of alternating runs, after one that counts for
nothing. The last line is the worst of the ratios. Where one fit takes all
cores by itself `training.parallel_training` does nothing, and nothing is measured.
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
    """Time at once over time one by one, of each algorithm."""
    conf = {"spark.executor.memory": "4g"} if master.startswith("spark") else {}
    spark = SparkResource(app_name="parallel_training", master=master, driver_memory="4g", config=conf).session
    found = []
    with feature_rows("sample", SENSORS) as rows, cached_rows(rows) as train:
        features, folds = usable_features(train, FEATURES), make_folds(train, "random", FOLDS, SEED)
        for name, changes in CHANGES.items():
            algorithm = algorithm_named(name)
            tried = algorithm.hyperparameters.model_validate(changes)
            if where == "local" and algorithm.uses_all_cores(tried):
                print(f"  {where}, {name}: one fit takes all cores", flush=True)
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
                one, at_once = (statistics.median(taken) for taken in seconds.values())
                print(
                    f"  {where}, {name}, {what}: {one:.1f} s one by one, {at_once:.1f} s at the same time", flush=True
                )
                found.append(at_once / one)
    spark.stop()
    return found


def main() -> int:
    """Measure, print one line, and return the exit code."""
    found = []
    os.environ.update({k: v for k, v in spark_env().items() if k.startswith(("SPARK_", "PYSPARK_"))})
    for where in sys.argv[1:] or ["local", "standalone"]:
        with MiniSpark(cores=CORES, memory="5g") if where == "standalone" else nullcontext() as cluster:
            found += ratios(where, cluster.url if cluster else f"local[{CORES}]")
        assert SparkSession.getActiveSession() is None
    worst = max(found)
    print(f"parallel_training: ratio {worst:.2f} (goal {GOAL:g})")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
