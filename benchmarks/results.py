"""Results for the documentation: trains each case, stores docs/results.json and renders docs/results.md from it.

    python benchmarks/results.py [CASE ...]      train the named cases; by default those without stored results
    python benchmarks/results.py --render        only render the tables

TRAFFIC_REAL_DATA names the folder of the real data. Missed thresholds are recorded and do not fail the script.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.build import build_defs
from traffic_assets.catalogue.clock import day_range
from traffic_assets.catalogue.lookup import leaky_features
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.ml.evaluation.gates import describe_missed, evaluate_thresholds
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.ml.model_selection.trials import Trial
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.loading import merge
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample
from traffic_assets_tests import real_data
from traffic_assets_tests.runs import run_features, run_train

DOCS = Path(__file__).parents[1] / "docs"
STORE, PAGE = DOCS / "results.json", DOCS / "results.md"
SAMPLE_DAYS = day_range(date(2026, 1, 5), date(2026, 1, 18))
WITHOUT_LEAKY_FEATURES = {"training": {"exclude_features": list(leaky_features())}}
ALL_MODELS = {"models": {name: {"enabled": True} for name in ("xgboost", "svr", "ensemble")}}
QUARTER = 4


@dataclass(frozen=True)
class Case:
    """One table of results."""

    title: str
    write: Callable[[Path], object]
    days: Sequence[str]
    week: str
    profile: str = "local"
    changes: Mapping[str, Any] = field(default_factory=dict)


def _sample(target: Path) -> None:
    write_sample(SampleSpec(), target)


def _san_diego(every: int) -> Callable[[Path], int]:
    return lambda target: real_data.write_san_diego(_real(), target, every)


def _emeryville(target: Path) -> int:
    return real_data.write_emeryville(_real(), target)


def _real() -> Path:
    folder = real_data.folder()
    if folder is None:
        sys.exit("Set TRAFFIC_REAL_DATA to the folder of the real data.")
    return folder


def _on_san_diego(title: str, every: int, profile: str = "local", changes: Mapping[str, Any] | None = None) -> Case:
    return Case(
        title, _san_diego(every), real_data.SAN_DIEGO_DAYS, real_data.SAN_DIEGO_WEEK, profile,
        merge(real_data.SAN_DIEGO_SETTINGS, changes or {}),
    )  # fmt: skip


SD_100K = "San Diego, 25 of the 98 sensors (every fourth by id, about 100,000 rows)"
CASES = {
    "sample": Case(
        "Simulated sample, profile `local`, all models", _sample, SAMPLE_DAYS, "2026-01-12", changes=ALL_MODELS
    ),
    "sample_seed_literal": Case(
        "Simulated sample, profile `seed_literal`", _sample, SAMPLE_DAYS, "2026-01-12", "seed_literal"
    ),
    "emeryville": Case(
        "Emeryville, two stations, three days, profile `local`", _emeryville, real_data.EMERYVILLE_DAYS,
        real_data.EMERYVILLE_WEEK, changes=real_data.EMERYVILLE_SETTINGS,
    ),
    "san_diego_100k": _on_san_diego(f"{SD_100K}, profile `local`, all models", QUARTER, changes=ALL_MODELS),
    "san_diego_100k_without_answers": _on_san_diego(
        f"{SD_100K}, profile `local`, all models, without leaky features", QUARTER,
        changes=merge(ALL_MODELS, WITHOUT_LEAKY_FEATURES),
    ),
    "san_diego_100k_seed_literal": _on_san_diego(f"{SD_100K}, profile `seed_literal`", QUARTER, "seed_literal"),
    "san_diego": _on_san_diego(
        "San Diego, all 98 well-observed sensors, two weeks, profile `local`, all models", 1, changes=ALL_MODELS
    ),
    "san_diego_without_answers": _on_san_diego(
        "San Diego, all 98 well-observed sensors, two weeks, profile `local`, without leaky features", 1,
        changes=WITHOUT_LEAKY_FEATURES,
    ),
}  # fmt: skip


def run(case: Case) -> dict[str, Any]:
    """Train a case from raw readings and return its results."""
    with tempfile.TemporaryDirectory(prefix="results-") as base, dg.DagsterInstance.ephemeral() as instance:
        case.write(Path(base, "raw", "readings"))
        settings = load_settings(case.profile, merge(case.changes, {"persistence": {"base_uri": base}}), environ={})
        defs = build_defs(settings)
        started = time.monotonic()
        features = run_features(defs, instance, case.days)
        featured = time.monotonic()
        if not features.success:
            sys.exit(f"{case.title}: the features job failed.")
        run_train(defs, instance, case.week)  # a gate may fail; the table shows it
        trained = time.monotonic()
        hdfs = build_resources(settings)["hdfs"]
        splits = hdfs.dataset(SPLIT_ASSETS["train"]).current(case.week)
        return {
            "title": case.title,
            "rows": splits.record["counts"],
            "seconds": {"features": round(featured - started, 1), "train": round(trained - featured, 1)},
            "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
            "when": datetime.now(UTC).date().isoformat(),
            "models": {name: _model(name, hdfs, settings, case.week) for name in settings.enabled_models},
        }


def _model(name: str, hdfs: HdfsResource, settings: Settings, week: str) -> dict[str, Any]:
    current = hdfs.dataset(Lane(name).evaluation).current(week)
    if current is None:
        sys.exit(f"{name} was not evaluated.")
    stored = json.loads(hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}"))
    trial = Trial.model_validate(stored["cross_validation"])
    results = evaluate_thresholds(
        getattr(settings.evaluation.thresholds, name), Metrics.model_validate(stored["test"]), trial
    )
    top, weight = next(iter(stored["importances"]["features"].items()))
    return {
        "hyperparameters": trial.hyperparameters,
        "train": stored["train"], "test": stored["test"], "temporal": stored["temporal"]["metrics"],
        "cv_r2": trial.summary["r2"].model_dump(), "cv_rmse": trial.summary["rmse"].model_dump(),
        "top": [top, weight], "importance_kind": stored["importances"]["kind"],
        "megabytes": stored["model_bytes"] / 1e6, "training_minutes": stored["training_minutes"],
        "targets_asked": len(results), "targets_missed": describe_missed(results),
    }  # fmt: skip


def render(results: Mapping[str, Any]) -> str:
    """Render the page from the stored results."""
    lines = [
        "# Results",
        "",
        "`python benchmarks/results.py --render` renders this page from `docs/results.json`, which the same script "
        "writes. R², RMSE and MAE (mph) are those of the model as loaded from storage, on the random holdout. Columns "
        "that begin with *later* show the temporal holdout: a second fit on the earliest 80% of the rows, evaluated on "
        "the rest. Times were measured on the named machine and differ on others.",
        "",
        "A random holdout of autocorrelated rows is optimistic. `traffic_efficiency` is the speed divided by a "
        "constant: at horizon 0 it contains the target, and so does `congestion_level`. The tables without these leaky "
        "features show more realistic scores.",
    ]
    for key in CASES:
        if key not in results:
            continue
        case = results[key]
        rows, seconds = case["rows"], case["seconds"]
        lines += [
            "", f"## {case['title']}", "",
            f"{rows['train']:,} train, {rows['validation']:,} validation and {rows['test']:,} test rows. Features "
            f"{seconds['features']:.0f} s, training {seconds['train']:.0f} s on {case['hardware']}, {case['when']}.",
            "",
            "| model | R² | RMSE | MAE | R² of folds | later R² | later RMSE | later MAE | largest importance | MB "
            "| thresholds |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, m in case["models"].items():
            test, later, folds = m["test"], m["temporal"], m["cv_r2"]
            targets = " ".join(m["targets_missed"]) or ("met" if m["targets_asked"] else "none set")
            lines.append(
                f"| {name} | {test['r2']:.5f} | {test['rmse']:.3f} | {test['mae']:.3f} | {folds['mean']:.5f} ± "
                f"{folds['std']:.5f} | {later['r2']:.5f} | {later['rmse']:.3f} | {later['mae']:.3f} | {m['top'][0]} "
                f"{m['top'][1]:.3f} | {m['megabytes']:.1f} | {targets} |"
            )
    lines += [
        "",
        "Each model computes importances in its own way ([Algorithms](algorithms.md)): random forest and boosted trees "
        "as mean decrease in impurity (sums to 1), the linear model as absolute standardized coefficients (mph).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the requested cases, store each when it is done, and render the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"cases to train: {', '.join(CASES)}")
    parser.add_argument("--render", action="store_true", help="only render the tables")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"unknown case: {', '.join(unknown)}; expected some of {', '.join(CASES)}")
    results = json.loads(STORE.read_text()) if STORE.is_file() else {}
    todo = [] if options.render else options.cases or [name for name in CASES if name not in results]
    for name in todo:
        print(f"{name}: {CASES[name].title}", flush=True)
        results[name] = run(CASES[name])
        STORE.write_text(json.dumps(results, indent=1) + "\n")
        print(f"  done: {results[name]['seconds']}", flush=True)
    PAGE.write_text(render(results))


if __name__ == "__main__":
    main()
