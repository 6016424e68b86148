"""The jobs: `features` for a range of days, `train` for a week. Each asset group names the job that materializes it."""

from typing import Any

import dagster as dg

from traffic_assets.assets.group import FEATURES, TRAIN, Job
from traffic_assets.assets.groups import Built, job_keys
from traffic_assets.liveness.heartbeat import PROMISE_TAG
from traffic_assets.naming import RUN_TAG, add_key_prefix, add_name_prefix

DESCRIPTIONS: dict[Job, str] = {
    FEATURES: "Turns detector readings into the feature table, for a day or a range of days, in one run.",
    TRAIN: "Trains and evaluates every model for a week, registers those that pass their gate, and writes the "
    "comparison and the report.",
}


def build(built: Built, deployment: str = "") -> list[Any]:
    """Return the jobs; they have no config of their own, because the command line would ignore it.

    A job selects keys and not groups, because assets of a deployment's own may be in a group of ours.

    Args:
        built: Result of `build_assets`.
        deployment: Setting `deployment`, the prefix of the jobs and their assets.
    """
    return [
        dg.define_asset_job(
            add_name_prefix(job, deployment),
            selection=dg.AssetSelection.assets(*(add_key_prefix(key, deployment) for key in job_keys(built, job))),
            description=description,
            tags={PROMISE_TAG: "true", **({RUN_TAG: deployment} if deployment else {})},
        )
        for job, description in DESCRIPTIONS.items()
    ]
