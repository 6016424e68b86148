"""The asset groups of the code location, in the order of the pipeline. A new group needs a module and a line here."""

import warnings
from collections.abc import Sequence

import dagster as dg

from traffic_assets.assets import (
    evaluation,
    features,
    lane_evaluation,
    lane_training,
    readings,
    registry,
    report,
    training,
)
from traffic_assets.assets.group import AssetGroup, Job
from traffic_assets.settings import Settings

GROUPS: tuple[AssetGroup, ...] = (
    readings.ASSETS,
    features.ASSETS,
    training.ASSETS,
    lane_training.ASSETS,
    lane_evaluation.ASSETS,
    evaluation.ASSETS,
    report.ASSETS,
    registry.ASSETS,
)


Built = Sequence[tuple[AssetGroup, Sequence[dg.AssetsDefinition]]]
"""Assets by group."""


def build_assets(settings: Settings) -> Built:
    """Return the assets of every group, with their group."""
    with warnings.catch_warnings():
        # Dagster still marks single-run backfills and windows with absent days as beta
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [(group, group.build(settings)) for group in GROUPS]


def job_keys(built: Built, job: Job) -> list[dg.AssetKey]:
    """Return the asset keys that a job materializes.

    Args:
        built: Result of `build_assets`.
        job: Name of the job.
    """
    return [key for group, assets in built if group.job == job for asset in assets for key in asset.keys]


def pruned_keys(built: Built) -> list[str]:
    """Return the asset keys whose replaced generations retention removes.

    Args:
        built: Result of `build_assets`.
    """
    keys = [key for group, assets in built if group.pruned for asset in assets for key in asset.keys]
    return sorted(key.to_user_string() for key in keys)
