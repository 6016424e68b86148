"""Dagster's history of an asset, and its comparison with what storage contains.

The two differ if DAGSTER_HOME is new, if `persistence.base_uri` was moved or emptied, or if two code locations share
asset keys. The command `traffic-assets sync` (`sync.py`) reports to Dagster what it lacks.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass

import dagster as dg

from traffic_assets.dagster_hdfs.generation import UNPARTITIONED
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import Dataset, PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import Internal, absolute_uri, redact
from traffic_assets.messages import history as messages
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import sync

GENERATION, PATH = "generation", "path"
"""Metadata of a materialization: id and URI of the published generation."""
EVENTS_PER_QUERY = 500  # Dagster's storage returns at most 1000
SYNC_SECONDS = 120
"""Time after which a sync that made no progress counts as ended."""
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""Statuses of a run that is queued or running."""


def latest_ids(instance: dg.DagsterInstance, key: dg.AssetKey, partitions: Iterable[str] = ()) -> dict[str, int]:
    """Return the storage id of the latest materialization by partition.

    Args:
        instance: Dagster instance.
        key: Asset key as Dagster knows it.
        partitions: Keys of the partitions; none for all.
    """
    event = dg.DagsterEventType.ASSET_MATERIALIZATION
    return dict(instance.get_latest_storage_id_by_partition(key, event, set(partitions) or None))


def fetch_by_id(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Iterable[int]
) -> Iterator[dg.EventLogRecord]:
    """Yield the materializations with these storage ids."""
    ids = sorted(storage_ids)
    for start in range(0, len(ids), EVENTS_PER_QUERY):
        batch = ids[start : start + EVENTS_PER_QUERY]
        yield from instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=batch), limit=len(batch)
        ).records


def fetch_latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, dg.EventLogRecord]:
    """Return the latest materialization by partition; that of an asset without partitions is under `all`."""
    records = list(fetch_by_id(instance, key, latest_ids(instance, key).values()))
    if not records:
        records = list(instance.fetch_materializations(key, limit=1).records)
    return {record.partition_key or UNPARTITIONED: record for record in records}


def fetch_newest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> dg.EventLogRecord | None:
    """Return the latest materialization of a partition (`all` of an asset without partitions); None without one."""
    partitions = None if partition == UNPARTITIONED else [partition]
    records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
    return next(iter(instance.fetch_materializations(records, limit=1).records), None)


def is_writing(
    instance: dg.DagsterInstance, keys: Set[dg.AssetKey], jobs: Collection[str], own_run: str | None = None
) -> bool:
    """Return whether a run that materializes any of the assets is queued or running.

    Args:
        instance: Dagster instance with the runs.
        keys: Asset keys as Dagster knows them.
        jobs: Names of the jobs that materialize any of them. A run of the whole job has no selection of assets.
        own_run: Id of a run that does not count.
    """
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))]
    return any(
        bool(run.asset_selection & keys) if run.asset_selection else run.job_name in jobs
        for run in runs
        if run.run_id != own_run
    )


def read_number(record: dg.EventLogRecord, name: str) -> int | None:
    """Return a number in the metadata of a materialization; None without it."""
    value = _metadata(record).get(name)
    return value.value if isinstance(value, dg.IntMetadataValue) else None


def read_share(record: dg.EventLogRecord, name: str) -> float | None:
    """Return a share in the metadata of a materialization; None without it."""
    value = _metadata(record).get(name)
    return value.value if isinstance(value, dg.FloatMetadataValue) else None


def read_text(record: dg.EventLogRecord, name: str) -> str | None:
    """Return a text or path in the metadata of a materialization; None without it."""
    value = _metadata(record).get(name)
    return value.value if isinstance(value, dg.TextMetadataValue | dg.PathMetadataValue) else None


def is_stored_below(record: dg.EventLogRecord, root: str) -> bool:
    """Return whether a materialization is stored below a URI; one without a path counts."""
    path = read_text(record, PATH)
    return path is None or path.startswith(f"{root.rstrip('/')}/")


def count_partitions(partitions: list[str]) -> dict[str, object]:
    """Return number, first and last of sorted partitions, as messages name them."""
    return {"count": len(partitions), "first": partitions[0], "last": partitions[-1]}


@dataclass(frozen=True)
class Difference:
    """What Dagster and storage do not both know of an asset.

    Attributes:
        key: Asset key.
        root: URI of its folder.
        unreported: Published partitions that Dagster does not know, sorted.
        lost: Partitions that Dagster knows and storage lacks, sorted.
        elsewhere: Message about a newest materialization below another base URI; None without it.
        replaced: Compared partitions of which Dagster knows another generation than the current one, sorted.
    """

    key: dg.AssetKey
    root: str
    unreported: list[str]
    lost: list[str]
    elsewhere: CodedText | None
    replaced: list[str]

    def describe(self, settings: Settings) -> list[CodedText]:
        """Return a message for each difference, with the commands for these settings."""
        asset, root = self.key.to_user_string(), redact(self.root)
        texts = [self.elsewhere] if self.elsewhere else []
        if self.unreported:
            facts = count_partitions(self.unreported)
            texts.append(messages.UNREPORTED(asset=asset, root=root, **facts, command=sync(settings)))
        if self.lost:
            texts.append(messages.NOT_STORED(asset=asset, root=root, **count_partitions(self.lost)))
        if self.replaced:
            texts.append(messages.REPLACED(asset=asset, root=root, partitions=self.replaced, command=sync(settings)))
        return texts


def compare_with_storage(
    instance: dg.DagsterInstance,
    settings: Settings,
    hdfs: HdfsResource,
    key: dg.AssetKey,
    partitions: dg.PartitionsDefinition,
    lists: bool = True,
) -> Difference:
    """Compare the partitions that Dagster knows of an asset with the published ones, by name.

    The generation is compared for the newest materialization and the newest pointer only. A history or a storage that
    was restored from an older backup differs in one of them.

    Args:
        instance: Dagster instance with the materializations.
        settings: Settings of the deployment.
        hdfs: Storage of the deployment.
        key: Asset key as Dagster knows it.
        partitions: Partitions of the asset; others do not count.
        lists: False to compare only where the newest materialization is stored.
    """
    known, published, replaced = set[str](), set[str](), set[str]()
    elsewhere = describe_other_base(instance, settings, hdfs, key)
    if lists:
        valid = set(partitions.get_partition_keys())
        published = valid.intersection(hdfs.dataset(key).partitions())  # first, because publishing precedes reporting
        known = valid.intersection(latest_ids(instance, key))
        replaced = set() if elsewhere else _find_replaced(instance, hdfs.dataset(key), key)
    return Difference(
        key,
        hdfs.dataset(key).root,
        unreported=sorted(published - known),
        lost=sorted(known - published),
        elsewhere=elsewhere,
        replaced=sorted(replaced),
    )


def _find_replaced(instance: dg.DagsterInstance, dataset: Dataset, key: dg.AssetKey) -> set[str]:
    """Return those of the two newest partitions of which Dagster knows another generation than the current one."""
    replaced = set()
    newest = instance.fetch_materializations(key, limit=1).records
    for partition in {dataset.newest_partition(), *(record.partition_key for record in newest)}:
        if partition is None or (record := fetch_newest(instance, key, partition)) is None:
            continue
        known = read_text(record, GENERATION)
        with suppress(PointerError):  # each reader of the partition reports it
            current = dataset.current(partition)
            if known and current and current.id != known:
                replaced.add(partition)
    return replaced


def describe_other_base(
    instance: dg.DagsterInstance, settings: Settings, hdfs: HdfsResource, key: dg.AssetKey
) -> CodedText | None:
    """Return the message about an asset whose newest materialization is stored below another base URI; otherwise None.

    Either the data was moved, or another code location has the same asset keys.
    """
    root = hdfs.dataset(key).root
    newest = instance.fetch_materializations(key, limit=1).records
    if not newest or is_stored_below(newest[0], root):
        return None
    path, base = read_text(newest[0], PATH) or "", absolute_uri(hdfs.base_uri).rstrip("/")
    other = path.split(f"{root.removeprefix(base)}/{Internal.GENERATIONS}/")[0]
    facts = {"asset": key.to_user_string(), "other": redact(other), "base": redact(base)}
    return messages.STORED_ELSEWHERE(**facts, command=sync(settings))


def mark_sync(instance: dg.DagsterInstance, deployment: str, ended: bool = False) -> None:
    """Record that a sync of a deployment makes progress, or has ended; the training sensor waits for its end."""
    expires = 0.0 if ended else time.time() + SYNC_SECONDS
    instance.daemon_cursor_storage.set_cursor_values({_sync_key(deployment): f"{time.time()} {expires}"})


def read_sync(instance: dg.DagsterInstance, deployment: str) -> str:
    """Return the mark of the newest sync of a deployment; it differs after each progress of a sync."""
    key = _sync_key(deployment)
    return instance.daemon_cursor_storage.get_cursor_values({key}).get(key, "")


def is_under_way(mark: str) -> bool:
    """Return whether a mark is that of a sync that has not ended."""
    return bool(mark) and float(mark.split()[1]) > time.time()


def _sync_key(deployment: str) -> str:
    return f"traffic_assets/sync/{deployment}"


def _metadata(record: dg.EventLogRecord) -> Mapping[str, dg.MetadataValue]:
    materialization = record.asset_materialization
    return materialization.metadata if materialization else {}
