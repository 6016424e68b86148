"""Retention: removing what nothing refers to any more, once its time is over.

Replaced generations of the datasets that are pruned, and what killed runs left in staging folders. Versions of the
registry, and the generations that they refer to, always stay. The asset groups say which datasets are pruned.
"""

from collections.abc import Callable
from datetime import timedelta

from traffic_assets.dagster_hdfs.publish import PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.registry.versions import RegistryError


def prune(
    hdfs: HdfsResource, registry: ModelRegistry, keep_hours: float | None, notify: Callable[[str], None]
) -> list[str]:
    """Remove replaced generations and leftovers that are older than the retention.

    Args:
        hdfs: Storage, whose `pruned_datasets` names the datasets.
        registry: Registry whose versions refer to generations that stay.
        keep_hours: Retention in hours; None removes nothing.
        notify: Receives a message for each dataset that could not be pruned. Nothing is raised for it: the model is
            registered by then.

    Returns:
        The URIs that were removed.
    """
    if keep_hours is None:
        return []
    keep = timedelta(hours=keep_hours)
    try:
        referenced = registry.references()
    except (RegistryError, OSError) as error:
        notify(f"nothing old is removed, since it is not known what must stay: {error}")
        return []
    removed: list[str] = []
    for root, key in {hdfs.dataset(key).root: key for key in hdfs.pruned_datasets}.items():
        try:
            removed += hdfs.dataset(key).prune_generations(keep, lambda uri: uri.rsplit("/", 1)[-1] in referenced)
        except (PointerError, OSError) as error:
            notify(f"{key}: old generations may stay below {root}: {error}")
    try:
        removed += registry.prune_staging(keep)
    except OSError as error:
        notify(f"the registry: what killed registrations left may stay below {registry.root}: {error}")
    return removed
