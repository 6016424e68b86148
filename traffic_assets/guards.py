"""Guards: resources that refuse a run before its first step if its partition or config is not valid.

Otherwise Dagster would start the run, and a later step would fail without a clear reason. An asset requires its guard
with a parameter. The rules are in `partitions.py` and `assets/launchpad.py`. A refused run is never retried.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import DAY_GUARD, WEEK_GUARD
from traffic_assets.assets.launchpad import require_valid_config
from traffic_assets.dagster_hdfs.message import find_coded_text
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.history import describe_other_base
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import build_daily_partitions, build_weekly_partitions, require_partition
from traffic_assets.settings import Settings

MAX_RETRIES = "dagster/max_retries"
CODE_TAG = "traffic_assets/code"
"""Tag of a refused run with the code of its message. Dagster keeps no metadata of a run that starts no step."""


def build(settings: Settings, hdfs: HdfsResource | None = None) -> dict[str, dg.ResourceDefinition]:
    """Return the guards by resource key.

    Args:
        settings: Settings of the deployment.
        hdfs: Storage of the deployment; without it no run warns about another code location with its asset keys.
    """

    @dg.resource(description="Refuses a run without a valid day before its first step.")
    def day_guard(context: dg.InitResourceContext) -> Any:
        if run := _starting_run(context):
            with _without_retry(context, run):
                require_partition(run.tags, build_daily_partitions(settings), "day")
            _warn_of_other_base(context, settings, hdfs)

    @dg.resource(
        description="Refuses a run without a valid week, or with hyperparameters out of range, before its first step."
    )
    def week_guard(context: dg.InitResourceContext) -> Any:
        if run := _starting_run(context):
            with _without_retry(context, run):
                require_partition(run.tags, build_weekly_partitions(settings), "week")
                require_valid_config(run.run_config, settings)
            _warn_of_other_base(context, settings, hdfs)

    return {DAY_GUARD: day_guard, WEEK_GUARD: week_guard}


@contextmanager
def _without_retry(context: dg.InitResourceContext, run: dg.DagsterRun) -> Iterator[None]:
    """Prevent the instance from retrying a refused run.

    Dagster treats a failure outside a step as a crash and ignores `allow_retries`. A tag of the run overrides
    dagster.yaml.
    """
    try:
        yield
    except dg.Failure as failure:
        if context.instance is not None:
            text = find_coded_text(failure)
            context.instance.add_run_tags(run.run_id, {MAX_RETRIES: "0", **({CODE_TAG: text.code} if text else {})})
        raise


def _warn_of_other_base(context: dg.InitResourceContext, settings: Settings, hdfs: HdfsResource | None) -> None:
    """Log a warning if another code location has stored the features under the same asset key."""
    if context.instance is None or context.log is None or hdfs is None:
        return
    features = add_key_prefix(FEATURE_TABLE, settings.deployment)
    if text := describe_other_base(context.instance, hdfs, features):
        context.log.warning(text)


def _starting_run(context: dg.InitResourceContext) -> dg.DagsterRun | None:
    """Return the run that is about to start; None after its end, when the command line creates the resources again."""
    if context.run is None or context.instance is None:
        return None
    run = context.instance.get_run_by_id(context.run.run_id)
    return None if run is None or run.is_finished else run
