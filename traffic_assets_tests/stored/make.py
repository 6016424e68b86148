"""The script that made the stored data of `test_stored.py`: what release 0.1.0 leaves on disk.

The data proves that later code reads what earlier code wrote, so it is made once and never made again. It was made
at commit e88164a, the last one before the modules of release 0.1.0 moved. To make such data for another release, check
out its commit, add this folder and run:

    python -m traffic_assets_tests.stored.make TARGET

The work happens in `WORK`, because stored records contain absolute URIs. `copy_base` in `test_stored.py` replaces them
in a copy.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs import publish
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.ml import plots
from traffic_assets.resources import build_resources
from traffic_assets.settings import load_settings
from traffic_assets_tests.runs import failures, run_features, run_train
from traffic_assets_tests.tiny import ALL_DIAGNOSTICS, DAYS, WEEK, tiny_profile, write_tiny_readings

WORK = Path("/srv/traffic-assets")
WRITTEN = datetime(2026, 1, 12, 12, tzinfo=UTC)
"""When the generations seem to be published: long ago, so that retention prunes the replaced one."""

GATE = {"r2_min": 0.1, "rmse_max": 30.0}
WEEK_LANES = ("linear_regression", "random_forest")
MEMBERS: dict[str, dict[str, Any]] = {
    "linear_regression": {},
    "random_forest": {},
    "svr": {"max_rows": 100, "epsilon": 0.2},
}
ROWS = 20
SECONDS = "unix_seconds(timestamp) AS at"


def lanes(*enabled: str) -> dict[str, Any]:
    """Return changes to the tiny profile that enable these lanes, each with a gate that it passes."""
    names = (*WEEK_LANES, "gradient_boosted_trees", "ensemble")
    return {
        "models": {name: {"enabled": name in enabled} for name in names},
        "evaluation": {"targets": dict.fromkeys(enabled, GATE), "diagnostics": ALL_DIAGNOSTICS},
    }


def main(target: Path) -> None:
    """Write the base folder, the ensemble's version and its predictions below a folder."""
    week, ensemble = WORK / "week", WORK / "ensemble"
    for folder in (week, ensemble):
        shutil.rmtree(folder, ignore_errors=True)
    with earlier_clock(), dg.DagsterInstance.ephemeral() as instance:
        profile = make_week(week, instance)
        rows = make_ensemble(ensemble, week, instance)
    shutil.rmtree(week / "raw")
    shutil.rmtree(week / "processed" / "readings")
    for name in ("base", "models"):
        shutil.rmtree(target / name, ignore_errors=True)
    shutil.copytree(week, target / "base")
    shutil.copytree(ensemble / "models", target / "models")
    (target / "profile.json").write_text(json.dumps(profile, indent=1) + "\n")
    (target / "predictions.json").write_text(json.dumps(rows) + "\n")


def make_week(base: Path, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Build three feature days, train a week and run one evaluation again; return the profile."""
    profile = tiny_profile(base, lanes(*WEEK_LANES))
    settings = load_settings("local", {k: v for k, v in profile.items() if k != "extends"}, environ={})
    write_tiny_readings(base, sensors=2)
    defs = build_defs(settings)
    require_success(run_features(defs, instance, DAYS))
    require_success(run_train(defs, instance, WEEK))
    require_success(run_train(defs, instance, WEEK, only=["linear_regression_evaluation"]))
    return profile


def make_ensemble(base: Path, week: Path, instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Train and register an ensemble on the same features; return rows with what the stored version predicts."""
    shutil.copytree(week / "processed", base / "processed")
    members = {"hyperparameters": {"method": "weighted", "members": MEMBERS}}
    changes = lanes("ensemble")
    changes["models"]["ensemble"] |= members
    profile = tiny_profile(base, changes)
    settings = load_settings("local", {k: v for k, v in profile.items() if k != "extends"}, environ={})
    require_success(run_train(build_defs(settings), instance, WEEK))
    resources = build_resources(settings)
    features = read_current(resources["spark"].session, resources["hdfs"].dataset("feature_table").root)
    loaded = get_registry(resources["hdfs"]).load("ensemble")
    predicted = (
        loaded.pipeline.transform(features).selectExpr("sensor_id", SECONDS, "prediction").sort("sensor_id", "at")
    )
    rows = [row.asDict() for row in predicted.collect()]
    return rows[:: len(rows) // ROWS][:ROWS]


def require_success(result: dg.ExecuteInProcessResult) -> None:
    """Stop if a run failed."""
    if not result.success:
        raise SystemExit(f"failed: {failures(result)}")


@contextmanager
def earlier_clock() -> Iterator[None]:
    """Publish generations as of `WRITTEN`, and draw small pictures."""
    behind = datetime.now(UTC) - WRITTEN

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - behind

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "datetime", Earlier)
        patch.setattr(plots, "DPI", 10)
        yield


if __name__ == "__main__":
    main(Path(sys.argv[1]))
