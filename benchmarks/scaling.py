"""How features, linear regression and a forest of 20 trees x depth 8 grow from 0.1 to 1 to 10 million rows.

    python -m benchmarks.scaling [rows ...]

Each size runs in a process of its own (local Spark, 4 GB of heap), and what it took is kept in `scaling.json`, so
that an interrupted run goes on; `--again` measures again. The goals: time grows no faster than the rows, driver and
JVM together stay within 8 GiB, and what a stage sends back to the driver (counted by Spark: `resultSize`) does not
grow with the rows: at most twice as much at the largest size as at the smallest.
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
ROWS_A_SENSOR = 3_900  # two weeks of 5 minutes, less the missing intervals
STORE = Path(__file__).with_name("scaling.json")
MOST_MEMORY_MB = 8 * 1024
MOST_RESULT_GROWTH = 2.0
GOAL = 1.0
FITS: dict[str, Hyperparameters] = {
    "linear_regression": LinearRegressionHyperparameters(),
    "random_forest": RandomForestHyperparameters(numTrees=20, maxDepth=8),
}


def measure(size: int) -> dict[str, Any]:
    """Rows, and by step wall seconds and peak memory in MB; the features' step begins with the readings' files."""
    found: dict[str, Any] = {"steps": {}}

    def step(name: str, work: Callable[[], object]) -> None:
        meter, started = Meter(), time.monotonic()
        work()
        seconds, cost = time.monotonic() - started, meter.read()
        found["steps"][name] = {"seconds": round(seconds, 2), "peak_memory_mb": cost.peak_memory_mb}
        print(f"  {size:,} rows, {name}: {seconds:.1f} s, {cost.peak_memory_mb:.0f} MB", flush=True)

    with feature_rows("sample", max(1, round(size / ROWS_A_SENSOR)), on_features=step) as rows:
        found["rows"] = rows.count()
        features = usable_features(rows, FEATURES)
        with cached_rows(rows) as kept:
            for name, hyperparameters in FITS.items():
                step(name, lambda: fit_pipeline(kept, features, algorithm_named(name), hyperparameters, 42))  # noqa: B023
        found["largest_result_bytes"] = largest_result()
    return found


def largest_result() -> int:
    """Bytes that the tasks of a stage sent to the driver at most, of the stages that Spark still knows."""
    stages = known_stages()
    return max((stages.apply(i).resultSize() for i in range(stages.size())), default=0)


def main() -> int:
    """Measure what is not known yet, print one line, and return the exit code."""
    asked = sys.argv[1:]
    if asked[:1] == ["--measure"]:
        print(json.dumps(measure(int(asked[1]))))
        return 0
    store: dict[str, Any] = json.loads(STORE.read_text()) if STORE.is_file() and "--again" not in asked else {}
    sizes = [int(a) for a in asked if a != "--again"] or list(SIZES)
    for size in sizes:
        if str(size) not in store:
            command = [sys.executable, "-m", "benchmarks.scaling", "--measure", str(size)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            *told, last = done.stdout.splitlines()
            print("\n".join(told), flush=True)
            store[str(size)] = json.loads(last)
            STORE.write_text(json.dumps(store, indent=1) + "\n")
    found = [store[str(size)] for size in sizes]
    growth = [
        (after["steps"][name]["seconds"] / before["steps"][name]["seconds"]) / (after["rows"] / before["rows"])
        for before, after in itertools.pairwise(found)
        for name in before["steps"]
    ]
    memory = max(step["peak_memory_mb"] for size in found for step in size["steps"].values())
    results = [size["largest_result_bytes"] for size in found]
    print(f"peak memory {memory:.0f} MB (at most {MOST_MEMORY_MB}); largest result of a stage, by size: {results}")
    bounded = memory <= MOST_MEMORY_MB and max(results) <= MOST_RESULT_GROWTH * results[0]
    ratio = max(growth, default=0.0)
    print(f"scaling: ratio {ratio:.2f} (goal {GOAL:g})")
    return 0 if ratio <= GOAL and bounded else 1


if __name__ == "__main__":
    sys.exit(main())
