"""A deployment that is small enough to run whole in a test: three sensors, three days, trees of a few nodes."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.loading import merge
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample

WEEK = "2026-01-05"
DAYS = ["2026-01-05", "2026-01-06", "2026-01-07"]
ANYTHING_GOES = {"r2_min": None, "rmse_max": None, "mae_max": None, "cv_r2_mean_min": None, "cv_r2_std_max": None}
IMPOSSIBLE = {"r2_min": 1.1}
NO_DIAGNOSTICS = {"slices": False, "interval_coverage": None, "confidence_level": None, "residuals": False}
ALL_DIAGNOSTICS = {"slices": True, "interval_coverage": 0.9, "confidence_level": 0.95, "residuals": True}
LANES = ("linear_regression", "random_forest", "gradient_boosted_trees")


def only_lanes(*names: str) -> dict[str, Any]:
    """Return a change to the settings that leaves only these lanes."""
    return {"models": {name: {"enabled": name in names} for name in LANES}}


def tiny_profile(base: str | Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the profile as JSON-compatible data."""
    profile = {
        "extends": "local",
        "data": {"first_day": "2026-01-05"},
        "models": {
            "linear_regression": {"hyperparameters": {"maxIter": 5}},
            "random_forest": {"hyperparameters": {"numTrees": 2, "maxDepth": 3, "maxBins": 16}},
            "gradient_boosted_trees": {"hyperparameters": {"maxIter": 2, "maxDepth": 2, "maxBins": 16}},
        },
        "training": {"window_weeks": 1, "minimum_days": 3, "folds": 2},
        "evaluation": {
            "thresholds": dict.fromkeys(LANES, ANYTHING_GOES),
            "plot_points": 100,
            "diagnostics": NO_DIAGNOSTICS,  # a third of a tiny run; tests of them enable them
        },
        "persistence": {"base_uri": str(base)},
        "spark": {
            "master": "local[2]",
            "driver_memory": "1g",
            "config": {"spark.sql.shuffle.partitions": "2"},
        },
    }
    return merge(profile, changes or {})


def tiny_settings(base: str | Path, changes: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of a tiny deployment below `base`."""
    profile = tiny_profile(base, changes)
    profile.pop("extends")
    return load_settings("local", profile, environ={})


def write_tiny_readings(base: Path, days: int = len(DAYS), sensors: int = 3) -> Path:
    """Write simulated readings to the deployment's source folder, and return the folder."""
    folder = base / "raw" / "readings"
    write_sample(SampleSpec(sensors=sensors, days=days, first_day=date(2026, 1, 5)), folder)
    return folder
