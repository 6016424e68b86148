"""The guards: resources that refuse a run before its first step, where its partition or config cannot be used.

Dagster itself would start, and fail late and unclearly in some step. An asset asks for its guard by
a parameter; what is refused is decided in `partitions.py` and `assets/launchpad.py`. A refused run is never retried.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from traffic_assets.assets.group import DAY_GUARD, WEEK_GUARD
from traffic_assets.assets.launchpad import require_valid_config
from traffic_assets.partitions import daily, require_partition, weekly
from traffic_assets.settings import Settings

MAX_RETRIES = "dagster/max_retries"


def build(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """The guards by resource key."""

    @dg.resource(description="Refuses a run without a usable day.")
    def day_guard(context: dg.InitResourceContext) -> Any:
        if run := _starting_run(context):
            with _without_retry(context, run):
                require_partition(run.tags, daily(settings), "day")

    @dg.resource(description="Refuses a run without a usable week, or with hyperparameters out of range.")
    def week_guard(context: dg.InitResourceContext) -> Any:
        if run := _starting_run(context):
            with _without_retry(context, run):
                require_partition(run.tags, weekly(settings), "week")
                require_valid_config(run.run_config, settings)

    return {DAY_GUARD: day_guard, WEEK_GUARD: week_guard}


@contextmanager
def _without_retry(context: dg.InitResourceContext, run: dg.DagsterRun) -> Iterator[None]:
    """Keep the instance from starting a refused run again.

    It takes a failure outside of a step for a crash, whatever the exception says about retries; a run's own tag
    goes before what dagster.yaml says.
    """
    try:
        yield
    except dg.Failure:
        if context.instance is not None:
            context.instance.add_run_tags(run.run_id, {MAX_RETRIES: "0"})
        raise


def _starting_run(context: dg.InitResourceContext) -> dg.DagsterRun | None:
    """The run that is about to work, if any: the command line makes the resources once more when a run has ended."""
    if context.run is None or context.instance is None:
        return None
    run = context.instance.get_run_by_id(context.run.run_id)
    return None if run is None or run.is_finished else run
