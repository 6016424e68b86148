"""The jobs: `features` for a range of days, `train` for a week. What they hold is selected by group."""

from typing import Any

import dagster as dg

from traffic_assets.assets import evaluation, features, readings, registry, training

FEATURES, TRAIN = "features", "train"
FEATURE_GROUPS = (readings.GROUP, features.GROUP)
TRAIN_GROUPS = (training.GROUP, evaluation.EVALUATION, registry.GROUP)


def build() -> list[Any]:
    """The jobs; nothing is baked into their config, since the command line would ignore it."""
    return [
        dg.define_asset_job(
            FEATURES,
            selection=dg.AssetSelection.groups(*FEATURE_GROUPS),
            description="Readings to features for a day or a range of days, in one Spark job.",
        ),
        dg.define_asset_job(
            TRAIN,
            selection=dg.AssetSelection.groups(*TRAIN_GROUPS),
            description="Splits, preprocessor, every lane up to its registry entry, and the comparison, for a week.",
        ),
    ]
