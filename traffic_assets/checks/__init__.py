"""The asset checks: gates that stop a lane, and checks that only warn.

The assets compute and store every measure, so a check reads a record and computes nothing. Every check is partitioned
like its asset. One module for each area: days, the splits that all lanes share, and the lanes.
"""

from traffic_assets.checks import days, lanes, outdated, splits
from traffic_assets.checks.days import build_days
from traffic_assets.checks.lanes import GATE, PRIMARY, build_lane
from traffic_assets.checks.outdated import CURRENT_SETTINGS, build_outdated
from traffic_assets.checks.splits import (
    RATIO_TOLERANCE,
    STANDARDIZED_TOLERANCE,
    build,
    evaluate_nulls,
    evaluate_ratios,
    evaluate_sensors,
    evaluate_shared_keys,
    evaluate_split,
    evaluate_standardization,
    ratio_tolerance,
)

DESCRIPTIONS = days.DESCRIPTIONS | outdated.DESCRIPTIONS | splits.DESCRIPTIONS | lanes.DESCRIPTIONS
"""Description of each check in the Dagster UI, by name."""

__all__ = [
    "CURRENT_SETTINGS",
    "DESCRIPTIONS",
    "GATE",
    "PRIMARY",
    "RATIO_TOLERANCE",
    "STANDARDIZED_TOLERANCE",
    "build",
    "build_days",
    "build_lane",
    "build_outdated",
    "evaluate_nulls",
    "evaluate_ratios",
    "evaluate_sensors",
    "evaluate_shared_keys",
    "evaluate_split",
    "evaluate_standardization",
    "ratio_tolerance",
]
