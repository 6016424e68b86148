"""Scaling of features, linear regression and a forest (20 trees x depth 8) from 0.1 to 1 to 10 million rows.

    python -m benchmarks.scaling [rows ...]

Each size runs in its own process (local Spark, 4 GB of heap). Costs are stored in `scaling.json`, so that an
interrupted run continues; `--again` repeats all measurements. The goals:

- Time grows no faster than the rows.
- The peak memory of driver and JVM is at most 8 GiB.
- The largest result that a stage returns to the driver (Spark's `resultSize`) at most doubles over all sizes.
"""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.feature_rows import feature_rows
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.dagster_hdfs.costs import Meter, known_stages
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows
from traffic_assets.ml.fitting.pipeline import fit_pipeline
from traffic_assets.ml.preprocessing.feature_set import usable_features
from traffic_assets.settings.models.base import Hyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters

SIZES = (100_000, 1_000_000, 10_000_000)
ROWS_PER_SENSOR = 3_900  # two weeks of 5-minute intervals without the missing ones
STORE = Path(__file__).with_name("scaling.json")
MOST_MEMORY_MB = 8 * 1024
MOST_RESULT_GROWTH = 2.0
GOAL = 1.0
FITS: dict[str, Hyperparameters] = {
    "linear_regression": LinearRegressionHyperparameters(),
    "random_forest": RandomForestHyperparameters(numTrees=20, maxDepth=8),
}


def measure(size: int) -> dict[str, Any]:
    """Return the number of rows, and the wall time in seconds and the peak memory in MB of each step.

    The step `features` starts from the files with readings.
    """
    result: dict[str, Any] = {"steps": {}}

    def step(name: str, work: Callable[[], object]) -> None:
        meter, started = Meter(), time.monotonic()
        work()
        seconds, cost = time.monotonic() - started, meter.read()
        result["steps"][name] = {"seconds": round(seconds, 2), "peak_memory_mb": cost.peak_memory_mb}
        print(f"  {size:,} rows, {name}: {seconds:.1f} s, {cost.peak_memory_mb:.0f} MB", flush=True)

    with feature_rows("sample", max(1, round(size / ROWS_PER_SENSOR)), on_features=step) as rows:
        result["rows"] = rows.count()
        features = usable_features(rows, FEATURES)
        with cached_rows(rows) as kept:
            for name, hyperparameters in FITS.items():
                step(name, lambda: fit_pipeline(kept, features, algorithm_named(name), hyperparameters, 42))  # noqa: B023
        result["largest_result_bytes"] = largest_result()
    return result


def largest_result() -> int:
    """Return the bytes that the tasks of a stage sent to the driver: the maximum over the stages that Spark knows."""
    stages = known_stages()
    return max((stages.apply(i).resultSize() for i in range(stages.size())), default=0)


def main() -> int:
    """Measure the sizes that are not stored yet, print the worst ratio, and return the exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--measure"]:
        print(json.dumps(measure(int(arguments[1]))))
        return 0
    store: dict[str, Any] = json.loads(STORE.read_text()) if STORE.is_file() and "--again" not in arguments else {}
    sizes = [int(a) for a in arguments if a != "--again"] or list(SIZES)
    for size in sizes:
        if str(size) not in store:
            command = [sys.executable, "-m", "benchmarks.scaling", "--measure", str(size)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            *progress, last = done.stdout.splitlines()
            print("\n".join(progress), flush=True)
            store[str(size)] = json.loads(last)
            STORE.write_text(json.dumps(store, indent=1) + "\n")
    measured = [store[str(size)] for size in sizes]
    growth = [
        (after["steps"][name]["seconds"] / before["steps"][name]["seconds"]) / (after["rows"] / before["rows"])
        for before, after in itertools.pairwise(measured)
        for name in before["steps"]
    ]
    memory = max(step["peak_memory_mb"] for size in measured for step in size["steps"].values())
    results = [size["largest_result_bytes"] for size in measured]
    print(f"peak memory {memory:.0f} MB (goal {MOST_MEMORY_MB}); largest result of a stage in bytes: {results}")
    bounded = memory <= MOST_MEMORY_MB and max(results) <= MOST_RESULT_GROWTH * results[0]
    ratio = max(growth, default=0.0)
    print(f"scaling: ratio {ratio:.2f} (goal {GOAL:g})")
    return 0 if ratio <= GOAL and bounded else 1


if __name__ == "__main__":
    sys.exit(main())
