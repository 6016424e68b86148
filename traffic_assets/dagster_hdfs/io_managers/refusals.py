"""Partitions that a run refuses: reports of the others, and the refusals for later steps.

A range of partitions is one step for Dagster. The refusals go through its event log, because a later step may run in
another process.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.failures import shorten
from traffic_assets.dagster_hdfs.message import CODE, CodedText, code_metadata
from traffic_assets.dagster_hdfs.publish import Generation

REFUSED = "refused"
"""Metadata of the observation of a refused partition: the reason. Elsewhere: the reason of each partition, by key."""

REFUSED_CODES = "refused_codes"
"""Metadata beside the reasons: the code of each reason that has one, by key."""

PARENT = "dagster/parent_run_id"
"""Dagster's tag of a run that continues a failed run."""

CODE_VERSION_TAG = "dagster/code_version"
"""Dagster's tag of a materialization."""

PARTITIONS_SUBSET = "_asset_partitions_subset"
"""The only attribute of Dagster that this package writes: the partitions of a range that an output has."""


class UnsupportedDagsterError(RuntimeError):
    """Error for an installed Dagster without an attribute that this package writes."""


def require_partitions_subset() -> None:
    """Raise if the installed Dagster cannot record a part of a range.

    Dagster has no public way to record that a step published fewer partitions than its range.

    Raises:
        UnsupportedDagsterError: If the attribute is missing.
    """
    # creating a context would open a Dagster instance, which takes longer than loading the code location
    if PARTITIONS_SUBSET not in inspect.unwrap(dg.OutputContext.__init__).__code__.co_names:
        raise UnsupportedDagsterError(messages.UNSUPPORTED_DAGSTER(version=dg.__version__, attribute=PARTITIONS_SUBSET))


def report_published(context: dg.OutputContext, facts: Mapping[str, dict[str, Any]]) -> None:
    """Report partitions that a failing step has published, because Dagster would not record them."""
    step, version = context.step_context, context.asset_spec.code_version
    for key, metadata in facts.items():
        added = step.get_asset_metadata(context.asset_key, key) or {}
        step.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=context.asset_key,
                partition=key,
                metadata={**metadata, **added, "run_id": context.run_id},
                tags={CODE_VERSION_TAG: version} if version else None,
            )
        )


def pass_on_refusals(context: dg.OutputContext, refused: Mapping[str, str], published: Sequence[str]) -> None:
    """Record the refusals for later steps, and let the step succeed so that they process what is published.

    Args:
        context: Context of the output.
        refused: Reason by key of each refused partition.
        published: Keys of the published partitions.
    """
    for key, reason in sorted(refused.items()):
        text = messages.PARTITION_REFUSED(partition=key, reason=reason)
        context.log.error(text)
        metadata = {REFUSED: reason, **(code_metadata(reason) or code_metadata(text))}
        context.log_event(dg.AssetObservation(context.asset_key, partition=key, metadata=metadata))
    # otherwise Dagster records every partition of the range as materialized; there is no public way
    setattr(context, PARTITIONS_SUBSET, context.asset_partitions_def.subset_with_partition_keys(published))


def refusals_of_run(context: dg.InputContext, generations: Mapping[str, Generation]) -> dict[str, str]:
    """Return the reason by key of each partition that this run, or a run that it continues, has refused.

    Args:
        context: Context of the input.
        generations: Current generation by partition key. A refusal that is older does not count.
    """
    instance = context.step_context.instance
    run: dg.DagsterRun | None = context.step_context.dagster_run
    reasons: dict[str, str] = {}
    while run is not None:
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION):
            observation = entry.asset_observation
            if observation is None or observation.asset_key != context.asset_key:
                continue
            if REFUSED not in observation.metadata:
                continue
            key = str(observation.partition)
            current = generations.get(key)
            if current is None or current.published_at.timestamp() < entry.timestamp:
                reasons[key] = _recorded_reason(observation.metadata)
        parent = run.tags.get(PARENT)
        run = instance.get_run_by_id(parent) if parent else None
    partitions = set(context.asset_partition_keys)
    return {key: reason for key, reason in reasons.items() if key in partitions}


def refusal_metadata(refused: Mapping[str, str]) -> dict[str, dg.MetadataValue[Any]]:
    """Return the metadata of refused partitions: reason and code of each, by key."""
    codes = {key: reason.code for key, reason in refused.items() if isinstance(reason, CodedText)}
    metadata = {REFUSED: dict(refused), **({REFUSED_CODES: codes} if codes else {})}
    return {name: dg.MetadataValue.json(shorten(by_key)) for name, by_key in metadata.items()}


def _recorded_reason(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    """Return the reason of an observation as the message that it was, if that had a code of its own."""
    reason, code = str(metadata[REFUSED].value), str(metadata[CODE].value) if CODE in metadata else ""
    own = code and code != messages.PARTITION_REFUSED.code
    return CodedText(reason, code, {}) if own else reason
