"""The jobs: `features` for a range of days, `train` for a week. Each asset group names the job that materializes it."""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import FEATURES, TRAIN, Job
from traffic_assets.assets.groups import GROUPS

DESCRIPTIONS: dict[Job, str] = {
    FEATURES: "Turns detector readings into the feature table, for a day or a range of days, in one run.",
    TRAIN: "Trains and evaluates every model for a week, registers those that pass their gate, and writes the "
    "comparison and the report.",
}


def build() -> list[Any]:
    """Return the jobs; they have no config of their own, because the command line would ignore it."""
    return [
        dg.define_asset_job(
            job,
            selection=dg.AssetSelection.groups(*dict.fromkeys(group.name for group in GROUPS if group.job == job)),
            description=description,
        )
        for job, description in DESCRIPTIONS.items()
    ]
