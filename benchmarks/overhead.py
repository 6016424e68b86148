"""Overhead of the `train` job over a plain Spark script with the same rows, fits, evaluation and saves.

Both are whole processes (interpreter, JVM, everything) that run in turn; their medians are compared. The goal is a
ratio of at most 1.15. Test RMSEs within 2% show that both did the same work.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample

RUNS = int(os.environ.get("BENCHMARK_RUNS", "5"))
GOAL = 1.15
FOLDS = 3
WEEK = "2026-01-12"
HYPERPARAMETERS: dict[str, dict[str, object]] = {
    "linear_regression": {"maxIter": 100, "regParam": 0.01, "elasticNetParam": 0.0},
    "random_forest": {"numTrees": 8, "maxDepth": 8, "maxBins": 64, "featureSubsetStrategy": "0.8"},
    "gradient_boosted_trees": {"maxIter": 10, "maxDepth": 5, "maxBins": 64, "stepSize": 0.1},
}
NO_DIAGNOSTICS = {"slices": False, "interval_coverage": None, "confidence_level": None, "residuals": False}
ROOT = Path(__file__).parents[1]


def run(command: list[str], environ: Mapping[str, str]) -> float:
    """Run a command and return its wall time in seconds."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} exited with code {done.returncode}:\n{done.stderr[-3000:]}")
    return time.perf_counter() - started


def execute(job: str, tags: Mapping[str, str], environ: Mapping[str, str]) -> float:
    """Execute a Dagster job and return its wall time in seconds."""
    location = ["-m", "traffic_assets.definitions", "-j", job, "--tags", json.dumps(dict(tags))]
    return run([sys.executable, "-m", "dagster", "job", "execute", *location], environ)


def environment(folder: Path) -> dict[str, str]:
    """Create a deployment in the folder, with the benchmark's hyperparameters, and return its environment."""
    no_limits = {"r2_min": None, "rmse_max": None, "mae_max": None, "cv_r2_mean_min": None, "cv_r2_std_max": None}
    profile = {
        "extends": "local",
        "models": {name: {"hyperparameters": values} for name, values in HYPERPARAMETERS.items()},
        "training": {"folds": FOLDS},
        # the plain script has no diagnostics, so the job computes none
        "evaluation": {"thresholds": dict.fromkeys(HYPERPARAMETERS, no_limits), "diagnostics": NO_DIAGNOSTICS},
        "persistence": {"base_uri": str(folder / "data")},
        "spark": {"class_data_archive": False},  # the plain script starts Java without one
    }
    (folder / "profile.json").write_text(json.dumps(profile))
    (folder / "home").mkdir(exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", folder / "home")
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    return {**mine, "TRAFFIC_PROFILE": str(folder / "profile.json"), "DAGSTER_HOME": str(folder / "home")}


def plain_input(folder: Path) -> Path:
    """Copy the feature days as plain Parquet files, without pointers and records, and return their folder."""
    features = Dataset(f"{folder}/data/processed/ml-features", LocalFileSystem(), "date")
    target = folder / "plain_input"
    target.mkdir()
    for day, generation in features.current_generations().items():
        for file in Path(generation.uri.removeprefix("file://")).glob("*.parquet"):
            shutil.copy(file, target / f"{day}-{file.name}")
    return target


def compare_results(folder: Path, output: Path) -> None:
    """Exit if the job and the plain script have different test RMSEs."""
    report = json.loads((output / "report.json").read_text())
    for name in HYPERPARAMETERS:
        versions = sorted((folder / "data/models" / name).glob("v*"), key=lambda p: p.stat().st_mtime)
        ours = json.loads((versions[-1] / "metadata.json").read_text())["metrics"]["test"]["rmse"]
        plain = report[name]["test"]["rmse"]
        print(f"  {name}: test RMSE {ours:.6f} mph in the job, {plain:.6f} in the plain script")
        if abs(ours - plain) > 0.02 * plain:
            sys.exit(f"{name}: the test RMSEs differ by more than 2%, so the job and the script did different work.")


def main() -> int:
    """Measure, print the ratio, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as temporary:
        folder = Path(temporary)
        environ = environment(folder)
        write_sample(SampleSpec(first_day=date(2026, 1, 5)), folder / "data/raw/readings")
        days = {"dagster/asset_partition_range_start": "2026-01-05", "dagster/asset_partition_range_end": "2026-01-18"}
        execute("features", days, environ)
        source = plain_input(folder)
        options = json.dumps({"folds": FOLDS, "hyperparameters": HYPERPARAMETERS})
        ours, plain = [], []
        for number in range(RUNS):
            output = folder / f"plain_{number}"
            script = str(Path(__file__).with_name("plain_spark.py"))
            plain.append(run([sys.executable, script, str(source), str(output), options], environ))
            ours.append(execute("train", {"dagster/partition": WEEK}, environ))
            print(f"  run {number + 1}: plain script {plain[-1]:.1f} s, train job {ours[-1]:.1f} s", flush=True)
        compare_results(folder, output)
        print(f"medians of {RUNS}: plain {statistics.median(plain):.1f} s, job {statistics.median(ours):.1f} s")
    ratio = statistics.median(ours) / statistics.median(plain)
    print(f"overhead: ratio {ratio:.2f} (goal {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
