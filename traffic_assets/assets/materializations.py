"""Materializations that Dagster has stored."""

from collections.abc import Iterable, Iterator

import dagster as dg

EVENTS_PER_QUERY = 500  # Dagster's storage returns at most 1000


def fetch_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Iterable[int]
) -> Iterator[dg.EventLogRecord]:
    """Yield the materializations of an asset with these storage ids."""
    ids = sorted(storage_ids)
    for start in range(0, len(ids), EVENTS_PER_QUERY):
        batch = ids[start : start + EVENTS_PER_QUERY]
        yield from instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=batch), limit=len(batch)
        ).records


def latest_ids(instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Iterable[str] = ()) -> dict[str, int]:
    """Return the storage id of the latest materialization by partition.

    Args:
        instance: Dagster instance.
        key: Asset key.
        partitions: Keys of the partitions; none for all.
    """
    event = dg.DagsterEventType.ASSET_MATERIALIZATION
    return dict(instance.get_latest_storage_id_by_partition(key, event, set(partitions) or None))
