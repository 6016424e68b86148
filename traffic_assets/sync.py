"""Reports of published partitions to a Dagster instance that does not know them, without computing them again.

    plan_sync: pointers and versions in storage, compared with the latest materializations
    report:    one materialization for each partition that Dagster does not know, upstream assets first

A partition is known if its latest materialization names the current generation (of a registry entry: the version) at
its current URI. So a second sync reports nothing. Partitions that only Dagster knows are listed and stay as they are.

Runs may publish and report meanwhile. So before each report, the pointer and the latest materialization are read again,
and an asset waits for a later sync while a run that materializes it is queued or running.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import IO_MANAGERS
from traffic_assets.assets.lanes import list_lanes
from traffic_assets.assets.registry import describe_version, get_registry
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, describe_split
from traffic_assets.dagster_hdfs.generation import CODE_VERSION, UNPARTITIONED, Generation
from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager, describe_generation
from traffic_assets.dagster_hdfs.io_managers.refusals import CODE_VERSION_TAG
from traffic_assets.dagster_hdfs.message import CodedText, error_text
from traffic_assets.dagster_hdfs.publish import Dataset, PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import redact
from traffic_assets.history import (
    GENERATION,
    count_partitions,
    fetch_latest,
    fetch_newest,
    is_stored_below,
    is_writing,
    latest_ids,
    mark_sync,
    read_text,
)
from traffic_assets.messages import history as messages
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import training_window
from traffic_assets.readings.completeness import COMPLETENESS, is_complete
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import sync

REPORTED_BY, COMMAND = "reported_by", "traffic-assets sync"
"""Metadata that distinguishes such a materialization, and its value."""
VERSION = "version"
DATA_VERSION = "dagster/data_version"
"""Dagster's tag of a materialization that has a data version."""
INPUT_POINTER, INPUT_VERSION = "dagster/input_event_pointer/", "dagster/input_data_version/"
"""Beginning of Dagster's tags about an upstream asset: newest storage id, and data version."""
NO_EVENT, INITIAL = "NULL", "INITIAL"
"""Dagster's values for an asset without a materialization, and for a materialization without a data version."""
REPORTS_PER_MARK = 50
"""Number of reports after which the progress is printed and the training sensor waits longer."""

Published = Generation | VersionMetadata
"""What storage contains of a partition."""
Notify = Callable[[str], None]


@dataclass(frozen=True)
class _Days:
    """The days of the feature table.

    Attributes:
        storage_ids: Storage id of the latest materialization of each day.
        published: Current generation of each day, read afterwards.
    """

    storage_ids: Mapping[str, int]
    published: Mapping[str, Published]


@dataclass(frozen=True)
class AssetPlan:
    """The partitions of an asset that Dagster and storage do not both know.

    Attributes:
        key: Asset key as Dagster knows it.
        root: URI of the folder that contains the partitions.
        upstream: Keys of the assets that it depends on.
        published: Current generation or newest version by partition.
        unreported: Partitions to report, in the order in which they were published.
        lost: Partitions that Dagster knows and storage lacks, sorted.
        storage_ids: Storage id of the latest materialization by partition, when they were compared.
        jobs: Names of the jobs that materialize it.
    """

    key: dg.AssetKey
    root: str
    upstream: list[dg.AssetKey]
    published: Mapping[str, Published]
    unreported: list[str]
    lost: list[str]
    storage_ids: Mapping[str, int]
    jobs: frozenset[str]

    def describe_lost(self) -> CodedText | None:
        """Return the message about partitions that storage lacks; None without any."""
        if not self.lost:
            return None
        asset = self.key.to_user_string()
        return messages.NOT_STORED(asset=asset, root=redact(self.root), **count_partitions(self.lost))


def plan_sync(
    defs: dg.Definitions, settings: Settings, instance: dg.DagsterInstance, hdfs: HdfsResource, notify: Notify
) -> list[AssetPlan]:
    """Compare every asset of a code location with storage, upstream assets first.

    Args:
        defs: Code location of the deployment.
        settings: Settings of the deployment.
        instance: Dagster instance to report to.
        hdfs: Storage of the deployment.
        notify: Callback for progress, and for each record that cannot be read.
    """
    versions = _read_versions(settings, hdfs, notify)
    plans: dict[dg.AssetKey, AssetPlan] = {}
    jobs = {job.name: job.asset_layer.executable_asset_keys for job in defs.get_repository_def().get_all_jobs()}
    for key, partitions, upstream in _list_assets(defs, instance):
        if key in versions:
            published: dict[str, Published] = {w: v for w, v in versions[key].items() if w in partitions}
            root = get_registry(hdfs).root
        else:
            dataset = hdfs.dataset(key)
            root, published = dataset.root, dict(_read_generations(dataset, settings, partitions, notify))
        latest = fetch_latest(instance, key)
        plans[key] = AssetPlan(
            key,
            root,
            upstream,
            published,
            _list_unreported(latest, published, root),
            lost=sorted(partitions.intersection(_list_stored(latest)).difference(published)),
            storage_ids={partition: record.storage_id for partition, record in latest.items()},
            jobs=frozenset(name for name, keys in jobs.items() if key in keys),
        )
        if published:
            notify(f"{key.to_user_string()}: {len(published)} published")
    return _with_splits_of_reported_days(plans, settings)


def report(
    plans: list[AssetPlan], settings: Settings, instance: dg.DagsterInstance, hdfs: HdfsResource, notify: Notify
) -> int:
    """Report the partitions of a plan to Dagster, and return their number.

    The training sensor waits meanwhile. Otherwise it would see features without the splits that include them, and train
    every week again.
    """
    count, total = 0, sum(len(plan.unreported) for plan in plans)
    waiting: list[str] = []
    mark_sync(instance, settings.deployment)
    try:
        for plan in plans:
            if not plan.unreported:
                continue
            days = _read_days(plans, settings, instance, hdfs)
            inputs = _input_tags(instance, plan)
            for partition in plan.unreported:
                if is_writing(instance, {plan.key}, plan.jobs):
                    waiting.append(plan.key.to_user_string())
                    break
                published = _read_again(plan, partition, settings, instance, hdfs, notify)
                if published is None:
                    continue
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(
                        plan.key,
                        partition=None if partition == UNPARTITIONED else partition,
                        metadata=_describe(plan.key, published, days, settings, hdfs),
                        tags=_build_tags(published, inputs),
                    )
                )
                count += 1
                if count % REPORTS_PER_MARK == 0:
                    mark_sync(instance, settings.deployment)
                    notify(f"{count} of {total} partitions reported")
    finally:
        mark_sync(instance, settings.deployment, ended=True)
    if waiting:
        notify(str(messages.RUN_UNDER_WAY(assets=waiting, command=sync(settings))))
    return count


def _read_again(
    plan: AssetPlan,
    partition: str,
    settings: Settings,
    instance: dg.DagsterInstance,
    hdfs: HdfsResource,
    notify: Notify,
) -> Published | None:
    """Return what is published of a partition now; None if it is gone, or if another report came after the plan."""
    latest = fetch_newest(instance, plan.key, partition)
    if latest is not None and latest.storage_id != plan.storage_ids.get(partition):
        return None
    published = plan.published[partition]
    if isinstance(published, VersionMetadata):  # immutable
        return published
    return _read_current(hdfs.dataset(plan.key), settings, partition, notify)


def _read_days(plans: list[AssetPlan], settings: Settings, instance: dg.DagsterInstance, hdfs: HdfsResource) -> _Days:
    """Return the days as they are now.

    The storage ids are read first. So a day that is published in between seems newer than its id, never older.
    """
    key = add_key_prefix(FEATURE_TABLE, settings.deployment)
    if key not in {plan.key for plan in plans}:
        return _Days({}, {})
    storage_ids, dataset = latest_ids(instance, key), hdfs.dataset(key)
    return _Days(storage_ids, dict(_read_generations(dataset, settings, set(dataset.partitions()), lambda _: None)))


def newest_included_id(
    split: Generation, days: Mapping[str, Published], ids: Mapping[str, int], settings: Settings
) -> int:
    """Return the storage id up to which the splits of a week include every day of its window.

    Args:
        split: Generation of the splits.
        days: Current generation of each day.
        ids: Storage id of the latest materialization of each day.
        settings: Settings of the deployment.
    """
    newer = [ids[day] for day in _newer_days(split, days, settings) if day in ids]
    return min(newer) - 1 if newer else max(ids.values(), default=0)


def _newer_days(split: Generation, days: Mapping[str, Published], settings: Settings) -> list[str]:
    """Return the days of a week's window that count for training and are newer than its splits.

    An empty or incomplete day does not count. A day that is older than the newest day of the splits, and not in them,
    did not count or was outside the window.
    """
    included: Mapping[str, str] = split.record["days"]
    newest = max(included.values(), default="")  # ids begin with the time of publishing
    return [
        day
        for day in training_window(split.partition, settings)
        if isinstance(generation := days.get(day), Generation)
        and generation.record.get("rows") != 0
        and is_complete(generation.record.get(COMPLETENESS), settings.data.minimum_completeness)
        and (generation.id != included[day] if day in included else generation.id > newest)
    ]


def _list_assets(
    defs: dg.Definitions, instance: dg.DagsterInstance
) -> Iterator[tuple[dg.AssetKey, set[str], list[dg.AssetKey]]]:
    """Yield key, valid partitions and upstream keys of each asset in our storage, upstream assets first."""
    graph, resources = defs.resolve_asset_graph(), defs.resources or {}
    ours = {key for key in IO_MANAGERS if isinstance(resources.get(key), HdfsIOManager)}
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if not node.is_materializable or node.assets_def.get_io_manager_key_for_asset_key(key) not in ours:
            continue
        partitions = node.partitions_def
        valid = {UNPARTITIONED}
        if partitions:
            valid = set(partitions.get_partition_keys(dynamic_partitions_store=instance))
        yield key, valid, sorted(node.parent_keys)


def _list_unreported(
    latest: Mapping[str, dg.EventLogRecord], published: Mapping[str, Published], root: str
) -> list[str]:
    """Return the partitions whose latest materialization is not the published one, in the order of publishing."""

    def is_known(partition: str) -> bool:
        record = latest.get(partition)
        if record is None or not is_stored_below(record, root):
            return False
        return read_text(record, _id_name(published[partition])) == _get_id(published[partition])

    return _in_order([partition for partition in published if not is_known(partition)], published)


def _list_stored(latest: Mapping[str, dg.EventLogRecord]) -> list[str]:
    """Return the partitions whose latest materialization names what was stored; an asset may store nothing here."""
    return [p for p, record in latest.items() if read_text(record, GENERATION) or read_text(record, VERSION)]


def _with_splits_of_reported_days(plans: dict[dg.AssetKey, AssetPlan], settings: Settings) -> list[AssetPlan]:
    """Return the plans, with the known splits that include a day to report; otherwise they would seem to be older."""
    features = plans.get(add_key_prefix(FEATURE_TABLE, settings.deployment))
    for name in SPLIT_ASSETS.values():
        plan = plans.get(key := add_key_prefix(name, settings.deployment))
        if plan is None or features is None:
            continue
        again = [
            week
            for week, split in plan.published.items()
            if week not in plan.unreported
            and isinstance(split, Generation)
            and set(features.unreported).intersection(split.record["days"])
            and not _newer_days(split, features.published, settings)
        ]
        plans[key] = replace(plan, unreported=_in_order([*plan.unreported, *again], plan.published))
    return list(plans.values())


def _read_generations(
    dataset: Dataset, settings: Settings, partitions: set[str], notify: Notify
) -> Iterator[tuple[str, Generation]]:
    for partition in dataset.partitions():
        if partition in partitions and (current := _read_current(dataset, settings, partition, notify)):
            yield partition, current


def _read_current(dataset: Dataset, settings: Settings, partition: str, notify: Notify) -> Generation | None:
    try:
        return dataset.current(partition)
    except PointerError as error:
        notify(str(_describe_unreadable(error, settings)))
        return None


def _describe_unreadable(error: Exception, settings: Settings) -> CodedText:
    return messages.UNREADABLE(cause=error_text(error), command=sync(settings))


def _read_versions(
    settings: Settings, hdfs: HdfsResource, notify: Notify
) -> dict[dg.AssetKey, dict[str, VersionMetadata]]:
    """Return the newest version of each week, by the key of the registry entry."""
    registry = get_registry(hdfs)
    keys = {lane.id: add_key_prefix(lane.registry_entry, settings.deployment) for lane in list_lanes(settings)}
    versions: dict[dg.AssetKey, dict[str, VersionMetadata]] = {key: {} for key in keys.values()}
    for metadata in registry.all_versions(lambda error: notify(str(_describe_unreadable(error, settings)))):
        if metadata.lane in keys:
            versions[keys[metadata.lane]][metadata.training.week] = metadata
    return versions


def _describe(
    key: dg.AssetKey, published: Published, days: _Days, settings: Settings, hdfs: HdfsResource
) -> dict[str, Any]:
    """Return the metadata of a published partition, from its record."""
    metadata: dict[str, Any] = {
        REPORTED_BY: COMMAND,
        "published_at": dg.MetadataValue.timestamp(_published_at(published)),
        "run_id": published.run_id if isinstance(published, Generation) else published.training.run_id,
    }
    if isinstance(published, VersionMetadata):
        return metadata | describe_version(published, get_registry(hdfs))
    splits = {add_key_prefix(name, settings.deployment): split for split, name in SPLIT_ASSETS.items()}
    if key not in splits:
        counted = {name: share for name, share in published.record.items() if name == COMPLETENESS}
        return metadata | counted | describe_generation(published, hdfs.column_descriptions)
    return {
        **metadata,
        **describe_split(splits[key], published, hdfs, settings.training),
        FEATURES_ID: newest_included_id(published, days.published, days.storage_ids, settings),
    }


def _build_tags(published: Published, inputs: Mapping[str, str]) -> dict[str, str]:
    """Return Dagster's tags about versions."""
    if isinstance(published, VersionMetadata):
        return {DATA_VERSION: published.version}
    version = published.record.get(CODE_VERSION)
    return {CODE_VERSION_TAG: version, **inputs} if version else {}


def _input_tags(instance: dg.DagsterInstance, plan: AssetPlan) -> dict[str, str]:
    """Return Dagster's tags about the upstream assets; without them it would call each a new dependency."""
    tags: dict[str, str] = {}
    for key in plan.upstream:
        name, pointer, version = key.to_user_string(), NO_EVENT, INITIAL
        for newest in instance.fetch_materializations(key, limit=1).records:
            materialization = newest.asset_materialization
            pointer = str(newest.storage_id)
            version = (materialization.tags or {}).get(DATA_VERSION, INITIAL) if materialization else INITIAL
        tags |= {f"{INPUT_POINTER}{name}": pointer, f"{INPUT_VERSION}{name}": version}
    return tags


def _in_order(partitions: Iterable[str], published: Mapping[str, Published]) -> list[str]:
    """Return partitions in the order in which they were published."""
    return sorted(partitions, key=lambda partition: _published_at(published[partition]))


def _id_name(published: Published) -> str:
    return GENERATION if isinstance(published, Generation) else VERSION


def _get_id(published: Published) -> str:
    return published.id if isinstance(published, Generation) else published.version


def _published_at(published: Published) -> datetime:
    return published.published_at if isinstance(published, Generation) else published.created_at
