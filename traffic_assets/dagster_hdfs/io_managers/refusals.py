"""Partitions that a run refused: how the others are reported, and how later steps get to know.

A range of partitions is one step for Dagster. The refusals go through its event log, since a later step may run in
another process.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.publish import Generation

REFUSED = "refused"
"""Metadata of the observation of a partition that a run has refused: why."""

PARENT = "dagster/parent_run_id"
"""Dagster's tag of a run that continues a failed one."""

PARTITIONS_SUBSET = "_asset_partitions_subset"
"""The one attribute of Dagster's own that is written: which partitions of a range an output has."""


class UnsupportedDagsterError(RuntimeError):
    """The installed Dagster lacks something that this package writes to."""


def require_partitions_subset() -> None:
    """Raise if the installed Dagster cannot record a part of a range.

    Dagster has no public way to say that a step published fewer partitions than its range.

    Raises:
        UnsupportedDagsterError: with the version and the attribute that is missing.
    """
    if not hasattr(dg.build_output_context(), PARTITIONS_SUBSET):
        raise UnsupportedDagsterError(messages.UNSUPPORTED_DAGSTER(version=dg.__version__, attribute=PARTITIONS_SUBSET))


def report_published(context: dg.OutputContext, facts: Mapping[str, dict[str, Any]]) -> None:
    """Partitions published by a step that is about to fail: Dagster would not record them."""
    step = context.step_context
    for key, metadata in facts.items():
        told = step.get_asset_metadata(context.asset_key, key) or {}
        step.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=context.asset_key, partition=key, metadata={**metadata, **told, "run_id": context.run_id}
            )
        )


def pass_on_refusals(context: dg.OutputContext, refused: Mapping[str, str], published: Sequence[str]) -> None:
    """Let the step end well, so that later steps work on what is published, and tell them of the rest.

    The refusals go through Dagster's event log, since a later step may run in another process.
    """
    for key, reason in sorted(refused.items()):
        context.log.error(f"{key}: refused, and left as it was: {reason}")
        context.log_event(dg.AssetObservation(context.asset_key, partition=key, metadata={REFUSED: reason}))
    # Dagster would record every partition of the range as materialised, and knows no other way to say fewer
    setattr(context, PARTITIONS_SUBSET, context.asset_partitions_def.subset_with_partition_keys(published))


def refusals_of_run(context: dg.InputContext, generations: Mapping[str, Generation]) -> dict[str, str]:
    """Why partitions were refused in this run or one that it continues, where none was published since."""
    instance = context.step_context.instance
    run: dg.DagsterRun | None = context.step_context.dagster_run
    found: dict[str, str] = {}
    while run is not None:
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION):
            seen = entry.asset_observation
            if seen is None or seen.asset_key != context.asset_key or REFUSED not in seen.metadata:
                continue
            current = generations.get(str(seen.partition))
            if current is None or current.published_at.timestamp() < entry.timestamp:
                found[str(seen.partition)] = str(seen.metadata[REFUSED].value)
        parent = run.tags.get(PARENT)
        run = instance.get_run_by_id(parent) if parent else None
    return {key: reason for key, reason in found.items() if key in set(context.asset_partition_keys)}


def listed(reasons: Mapping[str, str]) -> str:
    """Return one line for each partition, with its reason."""
    return "\n".join(f"  {key}: {reason}" for key, reason in sorted(reasons.items()))
