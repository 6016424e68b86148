"""Retention: pruning of stored data that nothing refers to, after a configured time.

It removes replaced generations of the datasets that the asset groups allow to prune, and staging files of killed runs.
Versions in the registry, and the generations that they refer to, are always kept.
"""

from collections.abc import Callable
from datetime import timedelta

from traffic_assets.dagster_hdfs.message import CodedText, error_text
from traffic_assets.dagster_hdfs.publish import PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.messages import retention as messages
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.registry.versions import RegistryError


def prune(
    hdfs: HdfsResource, registry: ModelRegistry, keep_hours: float | None, notify: Callable[[CodedText], None]
) -> list[str]:
    """Remove replaced generations and staging files that are older than the retention period.

    Args:
        hdfs: Storage, whose `pruned_datasets` lists the datasets.
        registry: Registry whose versions refer to generations to keep.
        keep_hours: Retention period in hours; None removes nothing.
        notify: Callback with a message for each dataset that cannot be pruned. Nothing is raised, because the model is
            registered by then.

    Returns:
        URIs that were removed.
    """
    if keep_hours is None:
        return []
    keep = timedelta(hours=keep_hours)
    try:
        referenced = registry.references()
    except (RegistryError, OSError) as error:
        notify(messages.REFERENCES_UNKNOWN(cause=error_text(error)))
        return []
    removed: list[str] = []
    by_root = {(dataset := hdfs.dataset(key)).root: (key, dataset) for key in hdfs.pruned_datasets}  # splits share one
    for root, (key, dataset) in by_root.items():
        try:
            removed += dataset.prune_generations(keep, lambda uri: uri.rsplit("/", 1)[-1] in referenced)
        except (PointerError, OSError) as error:
            notify(messages.DATASET_NOT_PRUNED(asset=key, root=root, cause=error_text(error)))
    try:
        removed += registry.prune_staging(keep)
    except OSError as error:
        notify(messages.REGISTRY_NOT_PRUNED(root=registry.root, cause=error_text(error)))
    return removed
