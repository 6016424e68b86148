"""The XGBoost lane at 1 million rows against XGBoost alone in one process with the same fits, end to end.

    python -m benchmarks.xgboost_lane [HYPERPARAMETERS_JSON]      the lane's defaults if omitted

The lane is a whole `train` job with only `xgboost` enabled: splits, preprocessor, five folds, final fit, temporal
holdout, evaluation, comparison and registry entry.

The baseline is a process that reads the same days with pyarrow and splits them at random in the same shares. It makes
the same seven fits with the same threads, rounds and early stopping. Its vectors contain the same slots, which numpy
imputes and one-hot encodes from each fit's own rows. Neither side scales them.

The baseline has no diagnostics (slices, prediction intervals, confidence intervals, residuals), so the job computes
none. Both run in turn, and their medians are compared. The time with diagnostics is printed too and is not compared.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.dataset as ds

from benchmarks.overhead import NO_DIAGNOSTICS, ROOT, execute, plain_input, run
from traffic_assets.catalogue.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES
from traffic_assets.ml.fitting.early_stopping import STOPPING_SHARE
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample

SENSORS, FOLDS, GOAL, SEED = 255, 5, 2.0, 42
PAIRS = 3  # on a shared machine, a fit sometimes takes twice as long
WEEK = "2026-01-12"
THREADS = os.cpu_count() or 1
NO_LIMITS = {"r2_min": None, "rmse_max": None, "mae_max": None, "cv_r2_mean_min": None, "cv_r2_std_max": None}


def run_alone(folder: str, hyperparameters: XGBoostHyperparameters) -> dict[str, object]:
    """Read, split, fit and evaluate with XGBoost's own interface; return the test RMSE."""
    import xgboost

    parameters = hyperparameters.model_dump(exclude={"num_workers"})
    table = ds.dataset(folder).to_table()
    numeric = np.column_stack([table[c.name].to_numpy().astype(np.float32) for c in NUMERIC_FEATURES])
    coded = [table[c.name].to_numpy() for c in CATEGORICAL_FEATURES]
    y, at = table["speed"].to_numpy(), table["timestamp"].to_numpy()
    rounds: list[int] = []
    place = np.random.default_rng(SEED).random(len(y))

    def fit(rows: np.ndarray) -> Callable[[np.ndarray], float]:
        """Fit on these rows, and return a function that computes the RMSE on others."""
        median, labels = np.nanmedian(numeric[rows], axis=0), [np.unique(values[rows]) for values in coded]

        def assemble(rows: np.ndarray) -> np.ndarray:
            numbers = np.where(np.isnan(numeric[rows]), median, numeric[rows])
            one_hot = [values[rows][:, None] == seen for values, seen in zip(coded, labels, strict=True)]
            return np.hstack([numbers, *one_hot], dtype=np.float32)

        x = assemble(rows)
        share = STOPPING_SHARE if hyperparameters.early_stopping_rounds else 0
        stopping = np.random.default_rng(SEED).random(len(rows)) < share
        validation = {"eval_set": [(x[stopping], y[rows[stopping]])]} if share else {}
        model = xgboost.XGBRegressor(tree_method="hist", n_jobs=THREADS, random_state=SEED, **parameters)
        model.fit(x[~stopping], y[rows[~stopping]], verbose=False, **validation)
        if not rounds:
            model.save_model(f"{folder}.ubj")
        rounds.append(model.get_booster().num_boosted_rounds())

        def rmse(others: np.ndarray) -> float:
            predicted = model.predict(assemble(others))
            return float(np.sqrt(np.mean((predicted - y[others]) ** 2)))

        return rmse

    rows = np.arange(len(y))
    train, test = rows[place < 0.8], rows[place >= 0.8]
    fold = np.random.default_rng(SEED + 1).integers(0, FOLDS, len(train))
    test_rmse = fit(train)(test)
    folds = [fit(train[fold != k])(train[fold == k]) for k in range(FOLDS)]
    boundary = np.sort(at)[int(0.8 * len(at))]
    later = fit(rows[at < boundary])(rows[at >= boundary])
    return {"rows": len(y), "folds": float(np.mean(folds)), "test": test_rmse, "later": later, "rounds": rounds}


def environment(
    folder: Path, hyperparameters: XGBoostHyperparameters, diagnostics: Mapping[str, object]
) -> dict[str, str]:
    """Create a deployment in the folder with only the XGBoost lane, and return its environment."""
    off = {"enabled": False}
    profile = {
        "extends": "local",
        "models": {
            **dict.fromkeys(("linear_regression", "random_forest", "gradient_boosted_trees"), off),
            "xgboost": {"enabled": True, "hyperparameters": hyperparameters.model_dump()},
        },
        "training": {"folds": FOLDS},
        "evaluation": {"thresholds": {"xgboost": NO_LIMITS}, "diagnostics": diagnostics},
        "persistence": {"base_uri": str(folder / "data")},
        # a class data archive would shorten the lane alone, and only on a machine that has one
        "spark": {"driver_memory": "6g", "class_data_archive": False},
    }
    (folder / "profile.json").write_text(json.dumps(profile))
    (folder / "home").mkdir(exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", folder / "home")
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    return {**mine, "TRAFFIC_PROFILE": str(folder / "profile.json"), "DAGSTER_HOME": str(folder / "home")}


def main() -> int:
    """Measure, print the ratio, and return the exit code."""
    if sys.argv[1:2] == ["--alone"]:
        started, (source_folder, parameters) = time.monotonic(), sys.argv[2:]
        results = run_alone(source_folder, XGBoostHyperparameters.model_validate_json(parameters))
        print(f"  alone: {results}, {time.monotonic() - started:.1f} s inside the process")
        return 0
    hyperparameters = XGBoostHyperparameters(**json.loads(sys.argv[1] if sys.argv[1:] else "{}"))
    with tempfile.TemporaryDirectory(prefix="xgboost-") as temporary:
        folder = Path(temporary)
        environ = environment(folder, hyperparameters, NO_DIAGNOSTICS)
        write_sample(SampleSpec(sensors=SENSORS, first_day=date(2026, 1, 5)), folder / "data/raw/readings")
        days = {"dagster/asset_partition_range_start": "2026-01-05", "dagster/asset_partition_range_end": "2026-01-18"}
        execute("features", days, environ)
        source = plain_input(folder)
        command = [sys.executable, "-m", "benchmarks.xgboost_lane", "--alone", str(source)]
        pairs = []
        for _ in range(PAIRS):
            alone_took = run([*command, hyperparameters.model_dump_json()], environ)
            lane_took = execute("train", {"dagster/partition": WEEK}, environ)
            print(f"  XGBoost alone: {alone_took:.1f} s; lane: {lane_took:.1f} s", flush=True)
            pairs.append((alone_took, lane_took))
        with_diagnostics = execute("train", {"dagster/partition": WEEK}, environment(folder, hyperparameters, {}))
        print(f"  lane with diagnostics, one run: {with_diagnostics:.1f} s", flush=True)
        theirs, ours = (median(took) for took in zip(*pairs, strict=True))
        metadata = json.loads(next((folder / "data/models/xgboost").glob("v*/metadata.json")).read_text())
        rmse = metadata["metrics"]["test"]["rmse"]
        print(f"  medians: XGBoost alone {theirs:.1f} s, lane {ours:.1f} s; the lane's test RMSE {rmse:.4f} mph")
    print(f"xgboost_lane: ratio {ours / theirs:.2f} (goal {GOAL:g})")
    return 0 if ours <= GOAL * theirs else 1


if __name__ == "__main__":
    sys.exit(main())
