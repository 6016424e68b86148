"""The jobs: `features` for a range of days, `train` for a week. The asset groups say which job materializes them."""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import FEATURES, TRAIN, Job
from traffic_assets.assets.groups import GROUPS

DESCRIPTIONS: dict[Job, str] = {
    FEATURES: "Readings to features for a day or a range of days, in one Spark job.",
    TRAIN: "Splits, preprocessor, every lane up to its registry entry, and the comparison, for a week.",
}


def build() -> list[Any]:
    """Return the jobs; nothing is fixed in their config, since the command line would ignore it."""
    return [
        dg.define_asset_job(
            job,
            selection=dg.AssetSelection.groups(*dict.fromkeys(group.name for group in GROUPS if group.job == job)),
            description=description,
        )
        for job, description in DESCRIPTIONS.items()
    ]
